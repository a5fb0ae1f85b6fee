"""One unit: what it loads on, when it is active, its weights, and the units that are like it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.cortex import Cortex
from fnprune_core.atlas.decoding import LogitEffect, logit_effects
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FingerprintMismatchError
from fnprune_core.models.architectures import feeding_modules, output_projections, weight_of
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.recording.recording import Recording
from fnprune_core.recording.sessions import document_codes


def check_unit(atlas: NetworkAtlas, unit: int) -> tuple[int, int]:
    """Return (layer, index) of a flat unit; raises `SettingsError` if there is none."""
    layer, index = atlas.layout.locate(unit)
    return int(layer), int(index)


def loadings(atlas: NetworkAtlas, unit: int) -> NDArray[np.float32]:
    """Return a unit's z in every network: (K,)."""
    check_unit(atlas, unit)
    return np.asarray(atlas.maps[:, unit])


def ranked_units(atlas: NetworkAtlas, network: int) -> NDArray[np.int64]:
    """Return all flat units by |z| in a network, strongest first: (n_units,)."""
    strength = np.abs(atlas.maps[atlas.check_network(network)])
    return np.argsort(-strength, kind="stable").astype(np.int64)


def as_network(atlas: NetworkAtlas, recording: Recording, unit: int) -> NetworkAtlas:
    """Return an atlas of one network: the unit alone, its activation for a time course.

    All that is asked of networks can so be asked of a unit: its passages, its tokens, the
    domains of its energy. The activation is as recorded, neither centred nor scaled.

    Raises
    ------
    FingerprintMismatchError
        If the atlas was made from another recording.
    SettingsError
        If there is no such unit.
    """
    made_from = atlas.decomposition.recording_id
    if recording.id != made_from:
        raise FingerprintMismatchError(
            f"This atlas was made from recording {made_from}, not from {recording.id}.",
            hint="Open the recording that it was made from.",
        )
    check_unit(atlas, unit)
    alone = np.zeros((1, atlas.layout.n_units), dtype=np.float32)
    alone[0, unit] = 1.0
    nothing = np.full(1, np.nan)
    decomposition = replace(
        atlas.decomposition,
        spatial_maps=alone,
        time_courses=recording.unit(unit)[None],
        run_agreement=nothing,
        variance_alone=nothing.copy(),
        variance_left_out=nothing.copy(),
        layer_of_network=np.full(1, -1),
    )
    return NetworkAtlas(decomposition, atlas.tokens)


def activation_by_domain(seen: NetworkAtlas) -> pd.DataFrame:
    """Return a unit's mean activation by domain: domain, mean, standard error, documents, tokens.

    The mean is over usable tokens; the standard error over the means of documents, NaN where a
    domain has one. Parts of one text are one document.

    Parameters
    ----------
    seen : NetworkAtlas
        The unit as `as_network` makes it.
    """
    usable = ~seen.is_dummy
    frame = pd.DataFrame(
        {
            "domain": seen.tokens["domain"].to_numpy()[usable],
            "document": document_codes(seen.tokens)[usable],
            "activation": seen.time_courses[0, usable].astype(np.float64),
        }
    )
    by_document = frame.groupby(["domain", "document"])["activation"].mean().reset_index()
    spread = by_document.groupby("domain")["activation"].agg(["sem", "count"])
    whole = frame.groupby("domain")["activation"].agg(["mean", "count"])
    return pd.DataFrame(
        {
            "domain": list(whole.index),
            "mean": whole["mean"].to_numpy(),
            "standard_error": spread["sem"].reindex(whole.index).to_numpy(),
            "documents": spread["count"].reindex(whole.index).to_numpy(),
            "tokens": whole["count"].to_numpy(),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightNorm:
    """The norm of a unit's weights in one module, and its rank in the layer (1 is the largest)."""

    name: str
    norm: float
    rank: int
    n_units: int


def weight_norms(language_model: LanguageModel, unit: int) -> list[WeightNorm]:
    """Return the norms of a unit's output column and of the rows that feed it."""
    layer, index = (int(part) for part in language_model.layout.locate(unit))
    width = language_model.layout.widths[layer]
    architecture = language_model.architecture
    output = output_projections(language_model.model, architecture)[layer]
    with torch.no_grad():
        norms = {f"{architecture.output_projection}, column": _norms(weight_of(output).T)}
        for path, module in zip(
            architecture.feeding,
            feeding_modules(language_model.model, architecture, layer),
            strict=True,
        ):
            rows = weight_of(module)
            # A fused module holds a row of each of its parts for a unit.
            parts = rows.reshape(-1, width, rows.shape[1])
            for number, part in enumerate(parts):
                name = f"{path}, row" if len(parts) == 1 else f"{path}, row of part {number + 1}"
                norms[name] = _norms(part)
    return [
        WeightNorm(
            name=name,
            norm=float(values[index]),
            rank=int((values > values[index]).sum()) + 1,
            n_units=width,
        )
        for name, values in norms.items()
    ]


def _norms(rows: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(rows.double().norm(dim=1).cpu().numpy())


def promoted_tokens(
    language_model: LanguageModel, unit: int, *, n: int = 10
) -> tuple[list[LogitEffect], list[LogitEffect]]:
    """Return the tokens that a unit's output column promotes and suppresses when it is positive."""
    alone = np.zeros(language_model.layout.n_units)
    alone[unit] = 1.0
    return logit_effects(language_model, alone, n=n)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarUnit:
    """A unit that is like another: cosine of their z in all networks."""

    unit: int
    cosine: float


def similar_units(atlas: NetworkAtlas, unit: int, *, n: int = 10) -> list[SimilarUnit]:
    """Return the alive units whose loadings point the most the same way, most alike first.

    The cosine of z in all networks, of whatever length: a unit that loads weakly, but on the
    same networks, counts too. One product of K × n_units.
    """
    own = loadings(atlas, unit)
    length = np.sqrt(np.einsum("ku,ku->u", atlas.maps, atlas.maps))
    own_length = float(np.linalg.norm(own))
    if own_length == 0:
        return []
    scale = length * own_length
    cosine = np.divide(own @ atlas.maps, scale, out=np.zeros_like(scale), where=scale > 0)
    cosine[~atlas.decomposition.alive] = -np.inf
    cosine[unit] = -np.inf
    order = np.argsort(-cosine, kind="stable")[:n]
    return [
        SimilarUnit(unit=int(u), cosine=float(cosine[u])) for u in order if np.isfinite(cosine[u])
    ]


def cortex_neighbours(cortex: Cortex, unit: int) -> NDArray[np.int64]:
    """Return the flat units around a unit: up to 8 in its sheet, and those below and above."""
    volume = cortex.unit_volume()
    layer, row, column = (int(x) for x in cortex.position(np.array([unit]))[0])
    cells = [
        (layer, row + dy, column + dx)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy, dx) != (0, 0)
    ]
    cells += [(layer - 1, row, column), (layer + 1, row, column)]
    inside = [
        cell for cell in cells if all(0 <= c < n for c, n in zip(cell, volume.shape, strict=True))
    ]
    found = np.array([volume[cell] for cell in inside], dtype=np.int64)
    return found[found >= 0]

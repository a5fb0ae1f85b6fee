"""One unit: its loadings, its activation by domain, its weights, and the units like it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.cortex import Cortex
from fnprune_core.atlas.decoding import LogitEffect, logit_effects
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FingerprintMismatchError
from fnprune_core.models.architectures import feeding_modules, output_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
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


def pole_units(atlas: NetworkAtlas, network: int, pole: int, n: int = 15) -> pd.DataFrame:
    """Return the units of largest z of a pole, 1 or −1: unit (flat), layer, index, z.

    In a mixture of experts also the expert in its layer, −1 in layers without any.
    """
    z = atlas.maps[network]
    order = np.argsort(-pole * z, kind="stable")[:n]
    order = order[pole * z[order] > 0]
    layer, index = atlas.layout.locate(order)
    table = pd.DataFrame({"unit": order, "layer": layer, "index": index, "z": z[order].round(2)})
    if atlas.layout.expert_sizes:
        table.insert(2, "expert", atlas.layout.expert_of_unit(order))
    return table


def units_by_network(atlas: NetworkAtlas, n: int) -> NDArray[np.int64]:
    """Return at most `n` units of each network, network by network: flat indices.

    Of the units whose strongest network it is, those with the largest |z|, the positive ones
    first; networks follow their strongest domain.
    """
    share, units = atlas.domain_share(), []
    for network in np.lexsort((-share.max(axis=1), share.argmax(axis=1))):
        z = atlas.maps[network]
        own = np.flatnonzero((atlas.strongest[0] == network) & (z != 0))
        own = own[np.argsort(-np.abs(z[own]), kind="stable")[:n]]
        units.append(own[np.argsort(-z[own], kind="stable")])
    return np.concatenate(units)


def strongest_in_turn(
    maps: NDArray[np.floating], networks: tuple[int, ...], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `n` strongest units of each network in turn, none twice, and the group of each."""
    is_taken = np.zeros(maps.shape[1], dtype=bool)
    units, groups = [], []
    for group, network in enumerate(networks):
        strength = np.where(is_taken, -1.0, np.abs(maps[network]))
        strongest = np.argsort(-strength, kind="stable")[:n]
        strongest = strongest[strength[strongest] > 0]
        is_taken[strongest] = True
        units.append(strongest)
        groups.append(np.full(len(strongest), group))
    return np.concatenate(units), np.concatenate(groups)


def as_network(atlas: NetworkAtlas, recording: Recording, unit: int) -> NetworkAtlas:
    """Return an atlas of one network: the unit alone, its activation for a time course.

    Its passages, tokens and domains are then found as they are for a network. The activation is
    as recorded, neither centred nor scaled.

    Raises
    ------
    FingerprintMismatchError
        If the atlas was made from another recording.
    SettingsError
        If there is no such unit.
    """
    recording_id = atlas.decomposition.recording_id
    if recording.id != recording_id:
        raise FingerprintMismatchError(
            f"This atlas was made from recording {recording_id}, not from {recording.id}.",
            hint="Open the recording that it was made from.",
        )
    check_unit(atlas, unit)
    unit_map = np.zeros((1, atlas.layout.n_units), dtype=np.float32)
    unit_map[0, unit] = 1.0
    unknown = np.full(1, np.nan)
    decomposition = replace(
        atlas.decomposition,
        spatial_maps=unit_map,
        time_courses=recording.unit(unit)[None],
        run_agreement=unknown,
        variance_alone=unknown.copy(),
        variance_left_out=unknown.copy(),
        layer_of_network=np.full(1, -1),
    )
    return NetworkAtlas(decomposition, atlas.tokens)


def activation_by_domain(unit_atlas: NetworkAtlas) -> pd.DataFrame:
    """Return a unit's mean activation by domain: domain, mean, standard error, documents, tokens.

    The mean is over usable tokens; the standard error over the means of documents, NaN where a
    domain has one. Parts of one text are one document.

    Parameters
    ----------
    unit_atlas : NetworkAtlas
        The unit as `as_network` makes it.
    """
    usable = ~unit_atlas.is_dummy
    frame = pd.DataFrame(
        {
            "domain": unit_atlas.tokens["domain"].to_numpy()[usable],
            "document": document_codes(unit_atlas.tokens)[usable],
            "activation": unit_atlas.time_courses[0, usable].astype(np.float64),
        }
    )
    by_document = frame.groupby(["domain", "document"])["activation"].mean().reset_index()
    over_documents = by_document.groupby("domain")["activation"].agg(["sem", "count"])
    over_tokens = frame.groupby("domain")["activation"].agg(["mean", "count"])
    return pd.DataFrame(
        {
            "domain": list(over_tokens.index),
            "mean": over_tokens["mean"].to_numpy(),
            "standard_error": over_documents["sem"].reindex(over_tokens.index).to_numpy(),
            "documents": over_documents["count"].reindex(over_tokens.index).to_numpy(),
            "tokens": over_tokens["count"].to_numpy(),
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
    layer, index = (int(place) for place in language_model.layout.locate(unit))
    width = language_model.layout.widths[layer]
    architecture = language_model.architecture
    output = output_projections(language_model.model, architecture)[layer]
    with torch.no_grad():
        norms = {f"{architecture.output_projection}, column": _row_norms(weight_of(output).T)}
        for path, module in zip(
            architecture.feeding,
            feeding_modules(language_model.model, architecture, layer),
            strict=True,
        ):
            rows = weight_of(module)
            # A fused module holds a row of each of its parts for a unit.
            fused_rows = rows.reshape(-1, width, rows.shape[1])
            for number, part_rows in enumerate(fused_rows):
                name = (
                    f"{path}, row" if len(fused_rows) == 1 else f"{path}, row of part {number + 1}"
                )
                norms[name] = _row_norms(part_rows)
    return [
        WeightNorm(
            name=name,
            norm=float(values[index]),
            rank=int((values > values[index]).sum()) + 1,
            n_units=width,
        )
        for name, values in norms.items()
    ]


def _row_norms(rows: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(rows.double().norm(dim=1).cpu().numpy())


def promoted_tokens(
    language_model: LanguageModel, unit: int, *, n: int = 10
) -> tuple[list[LogitEffect], list[LogitEffect]]:
    """Return the tokens that a unit's output column promotes and suppresses when it is positive."""
    unit_weights = np.zeros(language_model.layout.n_units)
    unit_weights[unit] = 1.0
    return logit_effects(language_model, unit_weights, n=n)


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
    unit_loadings = loadings(atlas, unit)
    lengths = np.sqrt(np.einsum("ku,ku->u", atlas.maps, atlas.maps))
    unit_length = float(np.linalg.norm(unit_loadings))
    if unit_length == 0:
        return []
    scale = lengths * unit_length
    cosine = np.divide(unit_loadings @ atlas.maps, scale, out=np.zeros_like(scale), where=scale > 0)
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
    neighbours = np.array([volume[cell] for cell in inside], dtype=np.int64)
    return neighbours[neighbours >= 0]

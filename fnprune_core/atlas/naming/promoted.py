"""Tokens that the networks' outputs promote, kept beside the atlas: a name must need no model.

One JSON file per atlas, ``<workspace>/promoted/<atlas id>.json``. It notes which units counted as
a network's own; once another rule holds for the atlas, it counts as none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.decoding import LogitEffect, network_weights
from fnprune_core.atlas.naming.stored import promoted_path
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.decomposition.numbering import read_beside, store_beside
from fnprune_core.models.architectures import (
    layers_of,
    output_projections,
    through_norm,
    to_unembedding,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.storage.workspace import Workspace

N_TOKENS = 12
_RULE = "rule"  # of the file: which units counted

Effects = tuple[tuple[LogitEffect, ...], ...]


def network_directions(
    language_model: LanguageModel,
    atlas: NetworkAtlas,
    std: NDArray[np.floating],
    *,
    z: float | None = None,
) -> NDArray[np.float64]:
    """Return what each network adds to the residual stream as the unembedding meets it.

    As `decoding.output_direction` of each network's weights, in one pass over the layers, with the
    sign of the pole on which the network is active: (K, hidden). 0 where no unit is its own.

    Parameters
    ----------
    z : float, optional
        Which units are a network's own, as of `NetworkAtlas`.
    """
    weights = np.stack(
        [
            network_weights(atlas, std, k, z=z) * active_pole(atlas, k)
            for k in range(atlas.n_networks)
        ]
    )
    model, architecture = language_model.model, language_model.architecture
    total = torch.zeros((len(weights), int(language_model.config.hidden_size)), dtype=torch.float64)
    layers, projections = layers_of(model, architecture), output_projections(model, architecture)
    with language_model.lock, torch.no_grad():
        for number, (layer, module) in enumerate(zip(layers, projections, strict=True)):
            here = weights[:, language_model.layout.layer_slice(number)]
            weight = weight_of(module)
            columns = torch.from_numpy(here).to(weight.device, torch.float32)
            directions = (columns @ weight.float().T).double().cpu()
            if architecture.output_norm:
                norm = layer.get_submodule(architecture.output_norm)
                directions = torch.stack(
                    [through_norm(architecture, norm, each) for each in directions]
                )
            total += directions
        met = torch.stack([to_unembedding(model, architecture, each) for each in total])
    return np.asarray(met.numpy(), dtype=np.float64)


def active_pole(atlas: NetworkAtlas, network: int) -> int:
    """Return the sign that a network's time course has where it is strong: 1 or −1."""
    course = atlas.time_courses[network, ~atlas.is_dummy].astype(np.float64)
    return -1 if np.power(course, 3).sum() < 0 else 1


def promoted_tokens(
    language_model: LanguageModel,
    atlas: NetworkAtlas,
    std: NDArray[np.floating],
    *,
    n: int = N_TOKENS,
    z: float | None = None,
) -> Effects:
    """Return, by network, the tokens that its active pole promotes, strongest first.

    Effects are z over the vocabulary, as in `decoding.logit_effects`. A network without any unit
    of its own promotes none.

    Parameters
    ----------
    z : float, optional
        Which units are a network's own, as of `NetworkAtlas`.
    """
    language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    directions = torch.from_numpy(network_directions(language_model, atlas, std, z=z))
    with language_model.lock, torch.no_grad():
        head = weight_of(language_model.model.get_output_embeddings())
        logits = head.float() @ directions.to(head.device, torch.float32).T
        effects = (logits - logits.mean(dim=0)) / logits.std(dim=0, correction=0).clamp_min(1e-12)
        values, ids = effects.topk(min(n, len(effects)), dim=0)
    has_units = [len(atlas.members(k, z=z)) > 0 for k in range(atlas.n_networks)]
    decode = language_model.tokenizer.decode
    return tuple(
        tuple(
            LogitEffect(text=str(decode([int(id)])), effect=float(value))
            for id, value in zip(of_ids, of_values, strict=True)
        )
        if has
        else ()
        for has, of_ids, of_values in zip(
            has_units, ids.T.cpu().tolist(), values.T.cpu().tolist(), strict=True
        )
    )


def store_promoted(workspace: Workspace, atlas: NetworkAtlas, promoted: Effects) -> None:
    """Write the promoted tokens of an atlas's networks beside it."""
    rows = [[[each.text, round(each.effect, 4)] for each in effects] for effects in promoted]
    values = {"networks": rows, _RULE: atlas.rule()}
    store_beside(promoted_path(workspace, atlas.id), atlas.maps_fingerprint, values)


def read_promoted(workspace: Workspace, atlas: NetworkAtlas) -> Effects:
    """Return the stored promoted tokens by network.

    None without a file of these networks, or where it is of other units: files of before note no
    rule and are of |z| above 3.
    """

    def parse(value: dict[str, Any]) -> Effects:
        is_of_these_units = value.get(_RULE, atlas.rule(DEFAULT_THRESHOLD)) == atlas.rule()
        return _effects_of(value["networks"]) if is_of_these_units else ()

    return read_beside(promoted_path(workspace, atlas.id), workspace, atlas.id, parse) or ()


def _effects_of(rows: Sequence[Any]) -> Effects:
    return tuple(
        tuple(LogitEffect(text=str(text), effect=float(effect)) for text, effect in effects)
        for effects in rows
    )


def keep_promoted(
    workspace: Workspace,
    language_model: LanguageModel,
    atlas: NetworkAtlas,
    std: NDArray[np.floating],
) -> Effects:
    """Return the promoted tokens of an atlas's networks; computed and stored if they are not."""
    stored = read_promoted(workspace, atlas)
    if stored:
        return stored
    promoted = promoted_tokens(language_model, atlas, std)
    store_promoted(workspace, atlas, promoted)
    return promoted

"""Tokens that the networks' outputs promote, kept beside the atlas: a name must need no model.

One JSON file an atlas, ``<workspace>/promoted/<atlas id>.json``.
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
    weight_of,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.storage.workspace import Workspace

N_TOKENS = 12

Effects = tuple[tuple[LogitEffect, ...], ...]


def network_directions(
    language_model: LanguageModel,
    atlas: NetworkAtlas,
    std: NDArray[np.floating],
    *,
    z: float = DEFAULT_THRESHOLD,
) -> NDArray[np.float64]:
    """Return what each network adds to the residual stream as the unembedding meets it.

    As `decoding.output_direction` of each network's weights, in one pass over the layers, with the
    sign of the pole on which the network is active: (K, hidden).
    """
    weights = np.stack(
        [
            network_weights(atlas, std, k, z=z) * active_pole(atlas, k)
            for k in range(atlas.n_networks)
        ]
    )
    model, architecture = language_model.model, language_model.architecture
    total = torch.zeros((len(weights), int(model.config.hidden_size)), dtype=torch.float64)
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
) -> Effects:
    """Return, by network, the tokens that its active pole promotes, strongest first.

    Effects are z over the vocabulary, as in `decoding.logit_effects`.
    """
    language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    directions = torch.from_numpy(network_directions(language_model, atlas, std))
    with language_model.lock, torch.no_grad():
        head = weight_of(language_model.model.get_output_embeddings())
        logits = head.float() @ directions.to(head.device, torch.float32).T
        z = (logits - logits.mean(dim=0)) / logits.std(dim=0, correction=0).clamp_min(1e-12)
        values, ids = z.topk(min(n, len(z)), dim=0)
    decode = language_model.tokenizer.decode
    return tuple(
        tuple(
            LogitEffect(text=str(decode([int(id)])), effect=float(value))
            for id, value in zip(of_ids, of_values, strict=True)
        )
        for of_ids, of_values in zip(ids.T.cpu().tolist(), values.T.cpu().tolist(), strict=True)
    )


def store_promoted(workspace: Workspace, atlas: NetworkAtlas, promoted: Effects) -> None:
    """Write the promoted tokens of an atlas's networks beside it."""
    rows = [[[each.text, round(each.effect, 4)] for each in effects] for effects in promoted]
    store_beside(promoted_path(workspace, atlas.id), atlas.maps_fingerprint, {"networks": rows})


def read_promoted(workspace: Workspace, atlas_id: str) -> Effects:
    """Return the stored promoted tokens by network; none without a file of these networks."""
    path = promoted_path(workspace, atlas_id)
    return (
        read_beside(path, workspace, atlas_id, lambda value: _effects_of(value["networks"])) or ()
    )


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
    stored = read_promoted(workspace, atlas.id)
    if stored:
        return stored
    promoted = promoted_tokens(language_model, atlas, std)
    store_promoted(workspace, atlas, promoted)
    return promoted

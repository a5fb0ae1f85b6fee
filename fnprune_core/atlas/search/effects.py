"""How far units and networks promote one token, from the model's weights, z over the vocabulary."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.atlas.naming.promoted import network_directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.models.architectures import (
    layers_of,
    output_projections,
    through_norm,
    to_unembedding,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectsIndex:
    """Directions of networks, and how widely the logits of each direction spread.

    Parameters
    ----------
    network_directions : ndarray (K, hidden)
        As the unembedding meets them, of each network's active pole; 0 without units of its own,
        so that it promotes no token.
    to_residual : Tensor (hidden met, hidden)
        The linear way from the residual stream to the unembedding.
    mean_row : Tensor (hidden met,)
        The mean row of the unembedding.
    network_spread : ndarray (K,)
    unit_spread : ndarray (n_units,)
        Standard deviation over the vocabulary of what each unit's column adds to the logits.
    """

    network_directions: NDArray[np.float64]
    to_residual: Tensor
    mean_row: Tensor
    network_spread: NDArray[np.float64]
    unit_spread: NDArray[np.float64]


def build_effects(
    language_model: LanguageModel, atlas: NetworkAtlas, std: NDArray[np.floating]
) -> EffectsIndex:
    """Return the index of promoted tokens; no logits of the whole vocabulary are held.

    The variance of a direction's logits over the vocabulary is d C d, with C the covariance of the
    unembedding's rows. Cost: O(vocabulary · hidden² + units · hidden²).
    """
    language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    model, architecture = language_model.model, language_model.architecture
    directions = network_directions(language_model, atlas, std)
    with language_model.lock, torch.no_grad():
        head = weight_of(model.get_output_embeddings()).float().cpu()
        mean_row = head.mean(dim=0)
        covariance = (head.T @ head) / len(head) - torch.outer(mean_row, mean_row)
        size = int(language_model.config.hidden_size)
        to_residual = torch.stack(
            [
                to_unembedding(model, architecture, row)
                for row in torch.eye(size, dtype=torch.float32)
            ],
            dim=1,
        ).float()
        in_residual = to_residual.T @ covariance @ to_residual
        spreads = [_spread(columns, in_residual) for columns in _columns(language_model)]
    networks = torch.from_numpy(directions).float()
    return EffectsIndex(
        network_directions=directions,
        to_residual=to_residual,
        mean_row=mean_row,
        network_spread=_spread(networks.T, covariance),
        unit_spread=np.concatenate(spreads),
    )


def _spread(columns: Tensor, covariance: Tensor) -> NDArray[np.float64]:
    """Return the standard deviation over the vocabulary of each column's logits."""
    variance = (columns * (covariance @ columns)).sum(dim=0).clamp_min(1e-24)
    spread: NDArray[np.float64] = variance.sqrt().double().numpy()
    return spread


def _columns(language_model: LanguageModel) -> list[Tensor]:
    """Return the output columns of each layer's units as they reach the stream: (hidden, units)."""
    architecture = language_model.architecture
    layers = layers_of(language_model.model, architecture)
    columns = []
    for layer, module in zip(
        layers, output_projections(language_model.model, architecture), strict=True
    ):
        weight = weight_of(module).detach().float().cpu()
        if architecture.output_norm:
            norm = layer.get_submodule(architecture.output_norm)
            gain = torch.stack(
                [
                    through_norm(architecture, norm, row)
                    for row in torch.eye(len(weight), dtype=torch.float32)
                ],
                dim=1,
            )
            weight = gain.float() @ weight
        columns.append(weight)
    return columns


def effects_on(
    language_model: LanguageModel, index: EffectsIndex, token_id: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far networks and units promote a token: z over the vocabulary, (K,), (n_units,).

    As `decoding.logit_effects` finds for the token; of units, at a positive activation.
    """
    with language_model.lock, torch.no_grad():
        head = weight_of(language_model.model.get_output_embeddings())
        row = head[token_id].float().cpu() - index.mean_row
        in_residual = index.to_residual.T @ row
        units = [(columns.T @ in_residual).double().numpy() for columns in _columns(language_model)]
    networks = index.network_directions @ row.double().numpy()
    return (
        np.asarray(networks / index.network_spread),
        np.asarray(np.concatenate(units) / index.unit_spread),
    )


def token_ids_of(language_model: LanguageModel, query: str) -> tuple[int, ...]:
    """Return the tokens that words are as one token, with and without a space before them.

    Where they are several tokens, the first one with a space before them.
    """
    tokenizer = language_model.tokenizer
    encoded = [
        tokenizer.encode(text, add_special_tokens=False)
        for text in (f" {query.strip()}", query.strip())
    ]
    single = tuple(dict.fromkeys(int(ids[0]) for ids in encoded if len(ids) == 1))
    if single or not encoded[0]:
        return single
    return (int(encoded[0][0]),)

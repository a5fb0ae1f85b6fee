"""How strongly a unit drives the time courses of networks, through all later layers.

A time course is linear in the units' activations, so its slope along a gate on a unit holds what
the unit gives by itself and what it does to the units after it. Random directions have time
courses as well: the same of them is the control.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.atlas.chance.directions import permuted_maps, rotated
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.reduction import solver
from fnprune_core.models.architectures import output_projections, refuse_experts
from fnprune_core.scores.gradients import mean_squared_effects
from fnprune_core.scores.inputs import RecordedInputs

#: Maps whose courses are asked for, by kind; the networks' own, and random directions.
MAPS: Mapping[str, Callable[[NetworkAtlas], NDArray[np.float32]]] = {
    "networks": lambda atlas: atlas.maps,
    "permuted": permuted_maps,
    "rotated": lambda atlas: rotated(atlas)[0],
}


def network_drive(
    inputs: RecordedInputs,
    weights: NDArray[np.float64],
    *,
    kind: str = "networks",
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the mean over tokens of Σ_ks (x_tj ∂c_k(s)/∂x_tj)², over preserved networks k.

    x ∂c/∂x is the slope of a time course along a gate of 1 on unit j at token t; s runs over the
    tokens that count. The sum over networks and tokens is estimated without bias by one backward
    pass for each window, of Σ ε_ks c_k(s) with random signs ε.

    Parameters
    ----------
    inputs : RecordedInputs
        With an atlas whose networks are preserved in part or all.
    weights : ndarray (n_tokens,)
        How much each token counts.
    kind : {"networks", "permuted", "rotated"}
        Whose time courses: the networks', or those of as many random directions.
    seed : int
        Of the signs.

    Returns
    -------
    ndarray (n_units,)

    Raises
    ------
    NonFiniteError
        If a gradient is NaN or infinite.
    """
    language_model, windows = inputs.language_model, inputs.recording.windows
    refuse_experts(language_model.architecture, "A score by gradients of units")
    atlas = inputs.network_atlas()
    read = readout(atlas, MAPS[kind](atlas), inputs.preserved_networks(), inputs.recording.std)
    by_layer = [torch.from_numpy(part) for part in _split(read, atlas)]
    generator = torch.Generator().manual_seed(seed)

    def signed_sum(_: Tensor, __: Tensor, layer_inputs: Sequence[Tensor], index: int) -> Tensor:
        first = layer_inputs[0]
        signs = torch.randint(0, 2, (first.shape[1], read.shape[1]), generator=generator) * 2.0 - 1
        counts = weights[windows.starts[index] : windows.starts[index + 1]] > 0
        signs = (signs * torch.from_numpy(counts)[:, None]).to(first.device, torch.float32)
        parts = [
            ((x[0].float() @ part.to(x.device)) * signs.to(x.device)).sum().to(first.device)
            for x, part in zip(layer_inputs, by_layer, strict=True)
        ]
        return torch.stack(parts).sum()

    return mean_squared_effects(
        language_model,
        output_projections(language_model.model, language_model.architecture),
        windows,
        weights=weights,
        loss=signed_sum,
        progress=inputs.progress,
        cancel=inputs.cancel,
    )


def readout(
    atlas: NetworkAtlas,
    maps: NDArray[np.floating],
    networks: Sequence[int],
    std: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Return the matrix (n_units, n) from activations to time courses, but for a constant.

    The least squares on [1, maps] of signals that are divided by the units' deviation over the
    recording. An atlas that is normalised session by session has courses of other scales in each
    session; their slopes are taken as if it were one.
    """
    layer_of_network = atlas.decomposition.layer_of_network
    found = np.zeros((atlas.layout.n_units, len(maps)), dtype=np.float32)
    for layer in np.unique(layer_of_network):
        own = np.flatnonzero(layer_of_network == layer)
        is_here = atlas.decomposition.alive & ((layer < 0) | (atlas.layout.layer_of_unit == layer))
        units = np.flatnonzero(is_here)
        found[np.ix_(units, own)] = solver(maps[np.ix_(own, units)]).numpy()[:, 1:]
    deviation = np.asarray(std, dtype=np.float32)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return np.ascontiguousarray(found[:, list(networks)] * scale[:, None])


def _split(values: NDArray[np.float32], atlas: NetworkAtlas) -> list[NDArray[np.float32]]:
    edges = np.cumsum(atlas.layout.widths)[:-1]
    return [np.ascontiguousarray(part) for part in np.split(values, edges)]

"""Experts as parcels of a layer: what a network has in each, and the tokens that each saw."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.recording.recording import Recording
from fnprune_core.recording.writer import EXPERT_TOKENS
from fnprune_core.storage.checksums import checked


def units_by_expert(
    atlas: NetworkAtlas, network: int, *, z: float | None = None
) -> NDArray[np.float64]:
    """Return the share of each expert's units that belong to a network: (layers, experts).

    NaN where a layer has fewer experts than others. A layer without experts is one parcel.

    Parameters
    ----------
    z : float, optional
        Units of larger |z|; the network's members if not given.
    """
    is_member = np.zeros(atlas.layout.n_units, dtype=np.float64)
    is_member[atlas.members(network, z=z)] = 1
    parts = atlas.layout.by_expert.split(is_member)
    return _by_layer(atlas.layout.expert_sizes, np.array([part.mean() for part in parts]))


def window_routing(recording: Recording) -> NDArray[np.float64]:
    """Return the share of each window's tokens that each expert saw: (windows, all experts).

    Raises
    ------
    SettingsError
        If the model has no experts.
    """
    sizes = recording.layout.expert_sizes
    if not sizes:
        raise SettingsError(f"{recording.model_name} has no experts.")
    counts = np.fromfile(checked(recording.folder, recording.manifest, EXPERT_TOKENS), np.int32)
    tokens = np.diff(recording.windows.starts)
    return np.asarray(counts.reshape(len(tokens), -1) / tokens[:, None], dtype=np.float64)


def routing(
    recording: Recording, weights: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return the share of tokens that each expert saw: (layers, experts), NaN where there is none.

    Parameters
    ----------
    weights : ndarray (windows,), optional
        How much each window counts; as many as its tokens if not given.
    """
    if weights is None:
        weights = np.diff(recording.windows.starts)
    shares = np.asarray(weights, dtype=np.float64) @ window_routing(recording)
    return _by_layer(recording.layout.expert_sizes, shares / np.sum(weights))


def domain_weights(recording: Recording, domain: str) -> NDArray[np.float64]:
    """Return the tokens of each window that are of a domain: (windows,)."""
    is_own = (recording.tokens["domain"] == domain).to_numpy(dtype=np.float64)
    return np.asarray(np.add.reduceat(is_own, recording.windows.starts[:-1]), dtype=np.float64)


def network_weights(atlas: NetworkAtlas, recording: Recording, network: int) -> NDArray[np.float64]:
    """Return a network's energy in each window, dummy tokens aside: (windows,)."""
    course = atlas.time_courses[atlas.check_network(network)].astype(np.float64)
    energy = np.where(atlas.is_dummy, 0.0, np.square(course))
    return np.asarray(np.add.reduceat(energy, recording.windows.starts[:-1]), dtype=np.float64)


def expert_table(
    recording: Recording, units: NDArray[np.floating], **tokens: NDArray[np.floating]
) -> pd.DataFrame:
    """Return one row per expert: layer, expert, units, share of them, and shares of tokens."""
    rows, columns = np.nonzero(~np.isnan(units))
    sizes = recording.layout.expert_sizes
    values = {
        "layer": rows,
        "expert": columns,
        "units": [sizes[r][c] for r, c in zip(rows, columns, strict=True)],
        "share of its units": units[rows, columns],
    }
    return pd.DataFrame(
        values | {name.replace("_", " "): each[rows, columns] for name, each in tokens.items()}
    )


def _by_layer(
    sizes: tuple[tuple[int, ...], ...], values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return values of all experts with a row for each layer, NaN behind its last expert."""
    counts = np.array([len(layer) for layer in sizes])
    table = np.full((len(counts), int(counts.max())), np.nan)
    table[np.arange(table.shape[1]) < counts[:, None]] = values
    return table

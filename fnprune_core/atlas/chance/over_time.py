"""What is said of connectivity over time, as one figure of an atlas or of random directions."""

from contextlib import suppress

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas import connectome
from fnprune_core.atlas.dynamic_connectivity import (
    SlidingWindows,
    connectivity_states,
    dynamic_connectivity,
    stationary_band,
)
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError

N_PARTNERS, N_STATES = 5, 4
#: Sessions and networks that are tried, evenly spread: the figure is a share of many pairs.
_MOST_SESSIONS, _MOST_NETWORKS = 4, 16
WINDOWS = SlidingWindows(width=64, step=16)


def figures(atlas: NetworkAtlas) -> dict[str, float]:
    """Return what is asked of networks over time and of their random directions, by name.

    ``changes``: `share_that_changes`; ``states``: `share_in_one_domain`. What the recording does
    not allow is left out.
    """
    found = {}
    for name, of in (("changes", share_that_changes), ("states", share_in_one_domain)):
        with suppress(SettingsError):
            found[name] = of(atlas)
    return found


def share_that_changes(
    atlas: NetworkAtlas, *, windows: SlidingWindows = WINDOWS, n_surrogates: int = 100
) -> float:
    """Return the share of pairs whose connectivity changes within a session: 0.05 by chance.

    Pairs of a network with its five strongest partners, whose correlation leaves the band of
    `stationary_band` in some window; over at most 16 networks and 4 sessions.

    Raises
    ------
    SettingsError
        If a session is shorter than a window.
    """
    r = atlas.functional_connectivity()
    partners = {
        network: connectome.partners(r, network, n=N_PARTNERS).tolist()
        for network in _spread(np.arange(atlas.n_networks), _MOST_NETWORKS)
    }
    left = []
    for session in _spread(np.unique(atlas.tokens["session"].to_numpy()), _MOST_SESSIONS):
        found = dynamic_connectivity(atlas, windows=windows, sessions=[session])
        for network, others in partners.items():
            low, high = stationary_band(
                atlas, network, others, session=session, windows=windows,
                n_surrogates=n_surrogates,
            )  # fmt: skip
            values = np.stack([found.of_pair(network, other) for other in others], axis=1)
            left.append(((values < low) | (values > high)).any(axis=0))
    return float(np.mean(left))


def share_in_one_domain(
    atlas: NetworkAtlas, *, windows: SlidingWindows = WINDOWS, n_states: int = N_STATES
) -> float:
    """Return the share of windows that lie in the commonest domain of their state.

    Raises
    ------
    SettingsError
        If no session is as long as a window, or there are fewer windows than states.
    """
    found = dynamic_connectivity(atlas, windows=windows)
    label = connectivity_states(found, n_states=n_states).label
    domain = atlas.tokens.groupby("session", observed=True)["domain"].first()
    table = pd.crosstab(label, domain.loc[found.session.tolist()].astype(str).to_numpy())
    return float(table.to_numpy().max(axis=1).sum() / len(label))


def _spread(values: NDArray[np.integer], most: int) -> list[int]:
    """Return at most so many values, evenly spread."""
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [int(value) for value in values[places]]

"""Connectivity over time: windows sliding through a session, surrogates, states.

Tokens are autocorrelated, so no p-value counts them: a window is unusual only against surrogates
with the same spectra, whose coupling never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import tukey
from scipy.spatial.distance import squareform
from sklearn.cluster import KMeans

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindows:
    """How a session is cut into windows that overlap.

    Parameters
    ----------
    width : int
        Tokens of a window.
    step : int
        Tokens from one window to the next.
    taper : float
        Share of the window over which its weights rise and fall (a Tukey window), so that a
        token does not enter or leave all at once.
    """

    width: int = 64
    step: int = 4
    taper: float = 0.5

    def __post_init__(self) -> None:
        if self.width < 8 or self.step < 1 or not 0 <= self.taper <= 1:
            raise SettingsError(
                f"Windows of {self.width} tokens with step {self.step} and taper {self.taper} "
                "cannot be cut.",
                hint="A width of at least 8 tokens, a step of at least 1, a taper from 0 to 1.",
            )

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each token of a window, summing to 1: (width,)."""
        taper = np.asarray(tukey(self.width + 2, self.taper)[1:-1], dtype=np.float64)
        return np.asarray(taper / taper.sum(), dtype=np.float64)

    @property
    def effective_tokens(self) -> float:
        """Number of equally weighted tokens whose mean has the same variance."""
        return float(1 / np.square(self.weights).sum())

    def starts(self, n_tokens: int) -> NDArray[np.int64]:
        """Return the first token of each window that fits in `n_tokens`."""
        return np.arange(0, n_tokens - self.width + 1, self.step, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DynamicConnectivity:
    """Connectivity window by window; no window reaches over a session's end.

    Parameters
    ----------
    session : ndarray (n_windows,)
    position : ndarray (n_windows,)
        Position in its session of each window's middle token.
    pairs : ndarray (n_windows, K (K − 1) / 2)
        Correlations, the upper triangle row by row, float32.
    n_networks : int
    windows : SlidingWindows
    """

    session: NDArray[np.int64]
    position: NDArray[np.int64]
    pairs: NDArray[np.float32]
    n_networks: int
    windows: SlidingWindows

    def matrix(self, window: int) -> NDArray[np.float64]:
        """Return one window's connectivity: (K, K)."""
        return full_matrix(self.pairs[window])

    def of_pair(self, a: int, b: int) -> NDArray[np.float32]:
        """Return one pair's correlation in each window: (n_windows,)."""
        first, second = np.triu_indices(self.n_networks, 1)
        low, high = min(a, b), max(a, b)
        return np.asarray(self.pairs[:, np.flatnonzero((first == low) & (second == high))[0]])


def full_matrix(pairs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the symmetric matrix of an upper triangle, with 1 on the diagonal."""
    matrix = squareform(pairs.astype(np.float64))
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(matrix, dtype=np.float64)


def dynamic_connectivity(
    atlas: NetworkAtlas,
    *,
    windows: SlidingWindows | None = None,
    sessions: Sequence[int] | None = None,
) -> DynamicConnectivity:
    """Return the connectivity in tapered windows that slide through each session.

    Even two unrelated networks correlate by about 1/√(effective tokens) in a window by chance,
    and more when tokens resemble their neighbours: see `stationary_band`.

    Parameters
    ----------
    sessions : sequence of int, optional
        All by default; memory is n_windows × K² / 2 in float32.

    Raises
    ------
    SettingsError
        If no session is as long as a window.
    """
    windows = windows or SlidingWindows()
    session_of_token = atlas.tokens["session"].to_numpy()
    position = atlas.tokens["position"].to_numpy()
    upper = np.triu_indices(atlas.n_networks, 1)
    by_session: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    for session in np.unique(session_of_token) if sessions is None else sessions:
        tokens = np.flatnonzero((session_of_token == session) & ~atlas.is_dummy)
        starts = windows.starts(len(tokens))
        if len(starts):
            values = _windowed_correlations(
                atlas.time_courses[:, tokens].T.astype(np.float64), windows
            )
            middles = position[tokens[starts + windows.width // 2]]
            pairs = values[:, upper[0], upper[1]].astype(np.float32)
            by_session.append((np.full(len(starts), session), middles.astype(np.int64), pairs))
    if not by_session:
        raise SettingsError(
            f"No session has {windows.width} tokens to fill a window.",
            hint="Choose a shorter window, or another session.",
        )
    return DynamicConnectivity(
        session=np.concatenate([result[0] for result in by_session]).astype(np.int64),
        position=np.concatenate([result[1] for result in by_session]),
        pairs=np.concatenate([result[2] for result in by_session]),
        n_networks=atlas.n_networks,
        windows=windows,
    )


def _windowed_correlations(
    courses: NDArray[np.float64], windows: SlidingWindows
) -> NDArray[np.float64]:
    """Return weighted correlations (n_windows, K, K) of courses (tokens, K)."""
    starts, weights = windows.starts(len(courses)), windows.weights
    segments = courses[starts[:, None] + np.arange(windows.width)]
    segments = segments - np.einsum("wtk,t->wk", segments, weights)[:, None]
    segments *= np.sqrt(weights)[:, None]
    segments /= np.maximum(np.sqrt(np.square(segments).sum(axis=1, keepdims=True)), 1e-12)
    return np.asarray(np.swapaxes(segments, 1, 2) @ segments, dtype=np.float64)


def stationary_band(
    atlas: NetworkAtlas,
    network: int,
    partners: Sequence[int],
    *,
    session: int,
    windows: SlidingWindows | None = None,
    n_surrogates: int = 200,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the range of windows' correlations under a constant coupling: low, high (n,).

    Surrogates of the session have the same spectra and cross-spectra, and random phases that all
    networks share (Prichard & Theiler 1994): their true coupling is the same throughout. In 95 of
    100 surrogates a partner's correlation stays inside its band in *all* windows.

    Raises
    ------
    SettingsError
        If the session is shorter than a window.
    """
    windows = windows or SlidingWindows()
    session_of_token = atlas.tokens["session"].to_numpy()
    tokens = np.flatnonzero((session_of_token == session) & ~atlas.is_dummy)
    if not len(windows.starts(len(tokens))):
        raise SettingsError(
            f"Session {session} has {len(tokens)} tokens, too few for windows of {windows.width}.",
            hint="Choose a shorter window, or another session.",
        )
    courses = atlas.time_courses[:, tokens][[network, *partners]].T.astype(np.float64)
    mean = courses.mean(axis=0)
    spectrum = np.fft.rfft(courses - mean, axis=0)
    rng = np.random.default_rng(seed)
    low, high = np.empty((2, n_surrogates, len(partners)))
    for i in range(n_surrogates):
        phase = np.exp(2j * np.pi * rng.random(len(spectrum)))
        phase[0] = 1.0
        if len(courses) % 2 == 0:
            phase[-1] = 1.0  # the Nyquist frequency is real
        surrogate = np.fft.irfft(spectrum * phase[:, None], n=len(courses), axis=0)
        values = _windowed_correlations(surrogate, windows)[:, 0, 1:]
        low[i], high[i] = values.min(axis=0), values.max(axis=0)
    return np.quantile(low, 0.025, axis=0), np.quantile(high, 0.975, axis=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class States:
    """Patterns of connectivity that windows fall into.

    Parameters
    ----------
    label : ndarray (n_windows,)
        State of each window, the most frequent is 0.
    centres : ndarray (n_states, K, K)
    share : ndarray (n_states,)
        Of all windows.
    """

    label: NDArray[np.int64]
    centres: NDArray[np.float64]
    share: NDArray[np.float64]


def connectivity_states(
    dynamic: DynamicConnectivity, *, n_states: int = 4, seed: int = 0
) -> States:
    """Return states by k-means on the windows' correlations (Allen et al. 2014).

    k-means always finds as many states as it is asked for: that they exist is not shown by it.
    """
    if not 2 <= n_states <= len(dynamic.pairs):
        raise SettingsError(
            f"{n_states} states cannot be told apart in {len(dynamic.pairs)} windows."
        )
    fitted = KMeans(n_clusters=n_states, n_init=4, random_state=seed).fit(dynamic.pairs)
    counts = np.bincount(fitted.labels_, minlength=n_states)
    order = np.argsort(-counts, kind="stable")
    rank = np.argsort(order)
    return States(
        label=rank[fitted.labels_].astype(np.int64),
        centres=np.stack([full_matrix(fitted.cluster_centers_[i]) for i in order]),
        share=counts[order] / counts.sum(),
    )

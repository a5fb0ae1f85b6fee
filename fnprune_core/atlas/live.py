"""What the live scanner shows of a text: networks' strengths and the model's surprise, by token."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.probe import Reading, usual_strength
from fnprune_core.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveRun:
    """The networks while the model reads a text, one frame a token.

    Parameters
    ----------
    pieces : tuple of str (n_tokens,)
        Text that each token adds (see `pieces_of`).
    strengths : ndarray (K, n_tokens)
        Least squares of each token on [1, maps], as in the recording's time courses.
    usual : ndarray (K,)
        Root mean square of each network over the recording.
    surprise : ndarray (n_tokens,)
        −log p of each token, in nats, given those before it; NaN for the first of a window.
    is_dummy : ndarray (n_tokens,)
        First tokens of each window, on which networks are not told.
    """

    pieces: tuple[str, ...]
    strengths: NDArray[np.float32]
    usual: NDArray[np.float64]
    surprise: NDArray[np.float32]
    is_dummy: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.usual), len(self.pieces))
        if self.strengths.shape != shape:
            raise SettingsError(
                f"The strengths have the shape {self.strengths.shape}, (networks, tokens) {shape} "
                "was expected."
            )
        for values in (self.strengths, self.usual, self.surprise, self.is_dummy):
            values.setflags(write=False)

    @property
    def n_tokens(self) -> int:
        """Number of tokens, dummy ones included."""
        return len(self.pieces)

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.usual)

    def relative(self) -> NDArray[np.float64]:
        """Return strengths as multiples of each network's usual one, 0 on dummy tokens: (K, n)."""
        relative = self.strengths / self.usual[:, None]
        return np.where(self.is_dummy, 0.0, relative)

    def shares(self) -> NDArray[np.float64]:
        """Return each network's part of the energy at each token: (K, n_tokens).

        The square of its relative strength over the sum of all networks' squares; columns sum to
        1, and to 0 on dummy tokens.
        """
        energy = np.square(self.relative())
        total = energy.sum(axis=0)
        return np.asarray(energy / np.where(total > 0, total, 1.0))

    def strongest(self, n: int = 3) -> NDArray[np.int64]:
        """Return the networks of most energy at each token, the strongest first: (≤ n, n_tokens).

        −1 on dummy tokens.
        """
        order = np.argsort(-self.shares(), axis=0, kind="stable")[:n]
        return np.where(self.is_dummy, -1, order).astype(np.int64)


def run_of(reading: Reading) -> LiveRun:
    """Return what the live scanner shows of a text that a probe has read."""
    return LiveRun(
        pieces=reading.pieces,
        strengths=reading.strengths,
        usual=reading.usual,
        surprise=-reading.log_probability,
        is_dummy=reading.is_dummy,
    )


def recorded_run(atlas: NetworkAtlas, session: int) -> LiveRun:
    """Return what the live scanner shows of a session of the atlas's recording; needs no model.

    Raises
    ------
    SettingsError
        If there is no such session.
    """
    tokens = np.flatnonzero(atlas.tokens["session"].to_numpy() == session)
    if not len(tokens):
        n = atlas.tokens["session"].nunique()
        raise SettingsError(
            f"There is no session {session} in this recording.",
            hint=f"Its {n} sessions run from 0 to {n - 1}.",
        )
    rows = atlas.tokens.iloc[tokens]
    return LiveRun(
        pieces=tuple(rows["text"].astype(str)),
        strengths=np.ascontiguousarray(atlas.time_courses[:, tokens], dtype=np.float32),
        usual=usual_strength(atlas),
        surprise=-rows["log_probability"].to_numpy(dtype=np.float32),
        is_dummy=np.array(atlas.is_dummy[tokens]),
    )

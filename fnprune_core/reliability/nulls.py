"""Data without networks, to compare an atlas's figures with: shifted units, Gaussian draws."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.sessions import Sessions
from fnprune_core.reliability.resampling import Space

_UNITS_AT_ONCE = 4096


class ShiftedSessions:
    """A recording in which units are no longer active together.

    Each unit's usable tokens are shifted circularly by an amount of its own, within each session;
    dummy tokens stay where they are. Every unit keeps its values, its autocorrelation and its mean
    in each session, so that the pattern of session means (and with it of domains) stays too: what
    is gone is that units rise and fall at the same tokens. To shift all units by one amount would
    change nothing, for ICA does not see the order of tokens.

    Parameters
    ----------
    sessions : Sessions
    seed : int
    """

    def __init__(self, sessions: Sessions, *, seed: int) -> None:
        self._sessions = sessions
        self._seed = seed
        self.id, self.fingerprint = "", sessions.fingerprint
        self.layout: UnitLayout = sessions.layout
        self.n_sessions, self.n_tokens = sessions.n_sessions, sessions.n_tokens
        self.is_dummy, self.alive = sessions.is_dummy, sessions.alive
        self.mean, self.std = sessions.mean, sessions.std

    def session_slice(self, session: int) -> slice:
        """Return the slice of tokens that belongs to `session`."""
        return self._sessions.session_slice(session)

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session with every unit shifted by itself: (tokens, units)."""
        signals = np.array(self._sessions.session(session))
        usable = np.flatnonzero(~self.is_dummy[self.session_slice(session)])
        if not len(usable):
            return signals
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(session,)))
        shifts = np.asarray(rng.integers(len(usable), size=signals.shape[1]))
        steps = np.arange(len(usable))[:, None]
        for start in range(0, signals.shape[1], _UNITS_AT_ONCE):
            units = slice(start, start + _UNITS_AT_ONCE)
            order = (steps - shifts[units]) % len(usable)
            signals[usable, units] = np.take_along_axis(signals[usable, units], order, axis=0)
        return signals

    def session_moments(self, session: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation of a session: those before the shift."""
        return self._sessions.session_moments(session)


def gaussian_space(
    space: Space, mixtures: Sequence[NDArray[np.floating]], rng: np.random.Generator
) -> tuple[Space, list[NDArray[np.float64]]]:
    """Return Gaussian data in place of several sets of components, all their covariances kept.

    Spatial ICA takes units for its samples and components for its variables. Here each unit is an
    independent draw from the normal distribution with the observed covariance of all components:
    the subspaces are as strong and overlap as much as before, and hold no network to be found.
    (Gaussian tokens with the observed covariance of units would be no null: spatial ICA sees the
    tokens through that covariance only, and would find the same maps again.)

    Parameters
    ----------
    mixtures : sequence of ndarray (k, n_rows)
        Components as mixtures of the rows of `space`.

    Returns
    -------
    space : Space
        Its Gram matrix equals that of the components, up to rounding.
    components : list of ndarray (k, n)
        The sets of components in it.
    """
    stacked = np.concatenate(mixtures)
    gram = stacked @ space.centred_gram @ stacked.T
    # Centred maps of a narrow block can have a lower rank than their number.
    rank = min(len(gram), space.n_units - 1)
    draws = rng.standard_normal((rank, space.n_units))
    draws -= draws.mean(axis=1, keepdims=True)
    # Exactly uncorrelated draws, so that the covariance is the observed one and not near it.
    draws = np.linalg.solve(np.linalg.cholesky(draws @ draws.T), draws)
    values, vectors = np.linalg.eigh(gram)
    root = vectors[:, -rank:] * np.sqrt(np.clip(values[-rank:], 0.0, None))
    rows = torch.from_numpy((root @ draws).astype(np.float32)).to(space.rows.device)
    bounds = np.cumsum([0, *(len(mixture) for mixture in mixtures)])
    identity = np.eye(len(gram))
    components = [identity[a:b] for a, b in pairwise(bounds)]
    return Space(rows, gram), components

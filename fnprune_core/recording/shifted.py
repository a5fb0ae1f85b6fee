"""A recording in which each unit is shifted in time by itself."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.sessions import Sessions

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
        for start in range(0, signals.shape[1], _UNITS_AT_ONCE):
            units = slice(start, start + _UNITS_AT_ONCE)
            twice = np.tile(signals[usable, units].T, 2)
            starts = len(usable) - shifts[units]
            runs = sliding_window_view(twice, len(usable), axis=1)[np.arange(len(twice)), starts]
            signals[usable, units] = runs.T
        return signals

    def session_moments(self, session: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation of a session: those before the shift."""
        return self._sessions.session_moments(session)

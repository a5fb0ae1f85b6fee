import numpy as np
import pytest
import torch
from planted import RAGGED, fit

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.recording.sessions import ArraySessions, normalised


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_signals_are_refused_naming_session_and_layer(sources, value) -> None:
    """A NaN once made all units look dead, and K was refused instead."""
    signals = [each.copy() for each in sources.signals]
    signals[3][10, 550] = value
    with pytest.raises(NonFiniteError, match=r"Session 3.*layers 2"):
        fit(ArraySessions(signals, layout=RAGGED))


def test_signals_that_do_not_vary_are_refused() -> None:
    with pytest.raises(SettingsError, match="only 0 units vary"):
        fit([np.ones((20, 30))] * 2)


def test_sessions_of_different_units_are_refused(sources) -> None:
    with pytest.raises(SettingsError, match="same units"):
        fit([sources.signals[0], sources.signals[1][:, :-1]])


@pytest.mark.parametrize("normalize", ["recording", "session"])
def test_what_is_stored_is_scaled_as_its_signals_are(recording, normalize) -> None:
    """Widened a few tokens at a time, to the bit; a dead unit is 0."""
    room = torch.full(
        (recording.n_tokens, recording.layout.n_units), torch.nan, dtype=torch.float32
    )
    for session in range(recording.n_sessions):
        signals = torch.from_numpy(recording.session(session))
        mean, std = (
            recording.session_moments(session)
            if normalize == "session"
            else (recording.mean, recording.std)
        )
        scale = np.where(recording.alive & (std > 0), std, np.inf).astype(np.float32)
        expected = (signals - torch.from_numpy(mean)) / torch.from_numpy(scale)
        found = normalised(
            recording, session, normalize=normalize, device=torch.device("cpu"), room=room
        )
        assert torch.equal(found, expected)

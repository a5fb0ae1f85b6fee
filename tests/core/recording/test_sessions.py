import numpy as np
import pytest
from planted import RAGGED, fit

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.recording.sessions import ArraySessions


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

"""A decomposition of planted networks."""

import pytest
from planted import RAGGED, fit

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.recording.sessions import ArraySessions


@pytest.fixture(scope="session")
def found(sources) -> Decomposition:
    """Five networks in a model with layers of different widths; one unit is dead."""
    signals = [each.copy() for each in sources.signals]
    for each in signals:
        each[:, 7] = 1.5
    return fit(ArraySessions(signals, layout=RAGGED), n_runs=2)

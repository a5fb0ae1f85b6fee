"""Studies of planted networks and of noise."""

import pytest
from planted import noise_only, planted
from trust_study import study_of


@pytest.fixture(scope="session")
def real():
    return study_of(planted(n_sessions=8).signals)[0]


@pytest.fixture(scope="session")
def noise():
    # With a few iterations: on noise ICA need not converge, and the figures are low all the same.
    with pytest.warns(UserWarning, match="ICA runs stopped"):
        return study_of(noise_only(n_sessions=8), max_iter=30)[0]

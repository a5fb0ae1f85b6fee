"""What scores look at."""

import numpy as np
import pytest


@pytest.fixture
def weights(recording):
    """Random weights of tokens, 0 for dummy ones."""
    drawn = np.random.default_rng(2).exponential(size=recording.n_tokens)
    return np.where(recording.is_dummy, 0.0, drawn)

"""An atlas, a recording to apply it to, and maps to match."""

import numpy as np
import pytest
import tiny
from matched_atlases import N_UNITS

from fnprune_core.atlas import network_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning


@pytest.fixture
def maps() -> np.ndarray:
    """Maps of six networks."""
    return np.random.default_rng(0).laplace(size=(6, N_UNITS))


@pytest.fixture
def atlas(workspace, recording):
    """Four networks of the tiny recording."""
    with pytest.warns(NotConvergedWarning):
        id = group_ica.decompose(
            workspace, recording.id, settings=GroupICA(n_components=4, n_runs=1, max_iter=5)
        )
    return network_atlas.open_atlas(workspace, id)


@pytest.fixture
def other_recording(record_windows, llama):
    """Other texts, read by the same model."""
    return record_windows(llama, tiny.toy_windows((32,) * 6, seed=7))

"""An atlas, where its lesions lie, and what is read under them."""

import pytest
import tiny
from lesioned import SETTINGS

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.lesions.sites import LesionSites, domain_stimuli


@pytest.fixture
def atlas(workspace, recording):
    ica = GroupICA(n_components=4, n_runs=1, tol=0.5)
    return open_atlas(workspace, group_ica.decompose(workspace, recording.id, settings=ica))


@pytest.fixture
def sites(atlas, recording, llama):
    return LesionSites(atlas, recording, llama, settings=SETTINGS)


@pytest.fixture
def stimuli():
    windows = tiny.toy_windows((16,) * 12, seed=5, n_dummy_tokens=0, n_documents=12)
    return domain_stimuli(windows)

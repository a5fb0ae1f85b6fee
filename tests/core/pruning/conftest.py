"""An atlas and its preview."""

import pytest

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.pruning.preview import Preview
from fnprune_core.pruning.preview_files import open_preview, prepare_preview


@pytest.fixture
def atlas(workspace, recording) -> NetworkAtlas:
    found = GroupICA(n_components=4, n_runs=1, fun="logcosh").fit(recording).result_
    target = workspace.folder("decompositions", "0123456789abcdef")
    found.save(target, {})
    return NetworkAtlas(type(found).load(target), recording.tokens)


@pytest.fixture
def preview(workspace, llama, atlas) -> Preview:
    """Of so few tokens that each is a group by itself."""
    prepare_preview(workspace, llama, atlas.id)
    return open_preview(workspace, atlas.id)

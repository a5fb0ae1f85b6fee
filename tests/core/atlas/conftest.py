"""Networks of the tiny recording."""

import pytest
from toy_atlas import atlas_from

from fnprune_core.atlas.network_atlas import NetworkAtlas


@pytest.fixture
def atlas(recording) -> NetworkAtlas:
    return atlas_from(recording)

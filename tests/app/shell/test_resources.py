"""What pages share of an atlas."""

import numpy as np
import pytest

from app.figures import raster
from app.shell import resources


@pytest.mark.parametrize("z", [1.0, 2.5, 4.0])
def test_the_strongest_colour_is_of_units_beyond_the_threshold(z, monkeypatch) -> None:
    """Its quantile is over those alone, not over units below the threshold, too."""
    maps = np.random.default_rng(0).standard_normal((4, 20_000)) * 1.5
    counts = np.bincount((np.abs(maps) / resources._STEP).astype(np.int64).ravel())
    monkeypatch.setattr(resources, "_magnitudes", lambda id: counts)
    assert resources.colour_limit("an atlas", z) == raster.colour_limit(maps, z)

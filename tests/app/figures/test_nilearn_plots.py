import io

import numpy as np
import pytest
from PIL import Image

from app.figures import nilearn_plots
from app.figures.theme import PALETTES
from app.shell.caches import nilearn
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.models.layout import UnitLayout

GRID = grid_of(UnitLayout((48, 48, 40)), None)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("mode", ["dark", "light"])
def test_a_strong_unit_is_drawn_in_the_colours_of_the_page(mode) -> None:
    values = np.zeros(GRID.layout.n_units, dtype=np.float32)
    values[60], values[70] = 9.0, -9.0
    mask = volumes.image(GRID, np.ones(GRID.layout.n_units, dtype=np.uint8))
    image = volumes.image(GRID, values)
    palette = PALETTES[mode]
    png = nilearn_plots.stat_map(image, threshold=3, limit=9, palette=palette, mask=mask)
    below = nilearn_plots.stat_map(image, threshold=20, limit=40, palette=palette, mask=mask)
    found = pixels(png)
    background = found[:, : found.shape[1] // 2].reshape(-1, 3)
    assert (background.mean() < 60) == (mode == "dark")
    left = slice(0, int(0.85 * found.shape[1]))  # without the colour bar
    strongest = [int(palette.hot[-1][i : i + 2], 16) for i in (1, 3, 5)]
    assert (np.abs(found[:, left] - strongest).sum(-1) < 30).sum() > 50
    assert np.ptp(pixels(below)[:, left], axis=-1).max() < 30  # nothing but grey
    assert nilearn_plots.peak_of(image) == pytest.approx(
        tuple((GRID.affine @ [*GRID.voxel_of_unit[60], 1])[:3])
    )


def test_no_figure_stays_open_and_the_lock_is_free_after_an_error(monkeypatch) -> None:
    from matplotlib import pyplot as plt

    def fails(*args, **kwargs):
        raise RuntimeError("nilearn gave up")

    with monkeypatch.context() as patch:
        patch.setattr(nilearn_plots.plotting, "plot_matrix", fails)
        with pytest.raises(RuntimeError, match="gave up"):
            nilearn_plots.matrix(np.eye(3), palette=PALETTES["dark"])
    assert plt.get_fignums() == []
    assert nilearn_plots.matrix(np.eye(3), palette=PALETTES["dark"])
    assert plt.get_fignums() == []


def test_the_real_motor_map_is_bundled_and_says_left_against_right() -> None:
    image = nilearn_plots.motor_map()
    values = np.asanyarray(image.dataobj)
    places = np.argwhere(np.abs(values) > 6) @ image.affine[:3, :3].T + image.affine[:3, 3]
    assert values.max() > 6
    assert values.min() < -6  # a contrast of two hands: both hemispheres, opposite signs
    assert places[:, 0].min() < -30
    assert places[:, 0].max() > 30


def test_strongest_units_of_several_networks_share_none() -> None:
    maps = np.array([[5.0, 4, 3, 0], [6.0, 1, 2, 0]])
    units, groups = nilearn.strongest_units(maps, (0, 1))
    assert units.tolist() == [0, 1, 2]
    assert groups.tolist() == [0, 0, 0]
    units, groups = nilearn.strongest_units(np.repeat(maps, 40, axis=1), (1, 0))
    assert len(np.unique(units)) == len(units) == 120
    assert np.bincount(groups).tolist() == [60, 60]

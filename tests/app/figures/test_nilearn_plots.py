import io

import numpy as np
import pyarrow
import pytest
from PIL import Image

from app.figures import nilearn_plots
from app.figures.nilearn_plots import Overlay
from app.figures.theme import PALETTES
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.anatomy import anatomy_image
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.models.layout import UnitLayout

GRID = grid_of(UnitLayout((48, 48, 40)), None)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_overlays_are_drawn_over_the_anatomy_in_their_own_colours() -> None:
    values = np.zeros(GRID.layout.n_units, dtype=np.float32)
    near = np.abs(GRID.voxel_of_unit - GRID.voxel_of_unit[60]).max(axis=1) <= 2
    values[near], values[60] = 8.0, 9.0
    image, palette = volumes.image(GRID, values), PALETTES["dark"]
    grey = anatomy_image(np.full(GRID.layout.n_units, 0.5), GRID)
    at = nilearn_plots.largest_cluster(image, threshold=3.0)
    assert at == pytest.approx(tuple((GRID.affine @ [*GRID.voxel_of_unit[60], 1])[:3]), abs=4.0)

    def drawn(*overlays) -> np.ndarray:
        found = pixels(nilearn_plots.overlaid(grey, overlays, at=at, palette=palette))
        return found[:, : int(0.85 * found.shape[1])]  # without the colour bar

    def shows(found, colour) -> bool:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        return bool((np.abs(found - wanted).sum(-1) < 30).sum() > 50)

    signed = Overlay(image=image, colours=None, low=3.0, high=9.0)
    assert shows(drawn(signed), palette.hot[-1])
    single = Overlay(image=image, colours=("#00ff00", "#00ff00"), low=3.0, high=9.0)
    assert shows(drawn(single), "#00ff00")
    alone = drawn()
    assert np.ptp(alone, axis=-1).max() < 30  # nothing but grey
    assert (alone.max(axis=-1) > 60).sum() > 1000
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


def test_the_clusters_of_the_motor_map_have_columns_of_one_type() -> None:
    table = nilearn_plots.motor_peaks(threshold=3.0)
    shown = pyarrow.Table.from_pandas(table).to_pandas()
    assert list(shown["Cluster ID"][:2]) == ["1", "1a"]
    assert shown["Cluster Size (mm3)"][0] > 0
    assert np.isnan(shown["Cluster Size (mm3)"][1])  # the size is the cluster's, not the peak's

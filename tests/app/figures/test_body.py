"""Still pictures of the body: the cut through a planted peak, its colours, its page."""

import io

import numpy as np
import pytest
import toy_volumes
from PIL import Image

from app.figures.body import cuts, glass, grey, overlays
from app.figures.theme import PALETTES, READING_ROOM, rgb
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((400,) * 9)


@pytest.fixture(scope="module")
def body() -> grey.Body:
    """A body of nine layers whose units are in the order of their numbers."""
    activity = np.random.default_rng(0).random(LAYOUT.n_units).astype(np.float32)
    return grey.body_of(activity, grid_of(LAYOUT, None))


def planted(body: grey.Body, unit: int, z: float) -> np.ndarray:
    """Return a map of z in the units around one, within a few voxels."""
    voxels = body.grid.voxel_of_unit
    near = np.linalg.norm((voxels - voxels[unit]) * body.millimetres, axis=1) < 9
    return np.where(near, z, 0.1).astype(np.float32)


def overlay(body, values, *, palette=READING_ROOM, threshold=3.0) -> overlays.MapOverlay:
    return overlays.map_overlay(body, values, threshold=threshold, limit=8.0, palette=palette)


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def warm_and_cold(shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    red, blue = shown[..., 0], shown[..., 2]
    return red > blue + 70, blue > red + 70


@pytest.mark.parametrize("unit", [4 * 400 + 120, 2 * 400 + 300])
def test_a_thumbnail_is_cut_where_the_map_is_strongest(body, unit) -> None:
    values = planted(body, unit, 9.0)
    values[unit] = 9.5  # the strongest of a region that spans several layers
    shown = overlay(body, values)
    assert shown.peak[2] - body.low[2] == LAYOUT.layer_of_unit[unit]
    warm, cold = warm_and_cold(pixels(cuts.thumbnail(body, shown, READING_ROOM)))
    assert not cold.any()
    assert 40 < warm.sum() < 0.3 * warm.size
    # The place in the picture is that of the unit: x to the right, the front up.
    rows, columns = np.nonzero(warm)
    x, y, _ = body.grid.voxel_of_unit[unit] * body.millimetres
    middle_x, middle_y = (np.array(body.grid.shape[:2]) - 1) / 2 * body.millimetres[:2]
    assert np.sign(columns.mean() - (warm.shape[1] - 1) / 2) == np.sign(x - middle_x)
    assert np.sign((warm.shape[0] - 1) / 2 - rows.mean()) == np.sign(y - middle_y)


def test_sign_and_threshold_decide_what_is_coloured(body) -> None:
    unit = 4 * 400 + 120
    warm, cold = warm_and_cold(
        pixels(cuts.thumbnail(body, overlay(body, planted(body, unit, -9.0)), READING_ROOM))
    )
    assert cold.sum() > 40
    assert not warm.any()
    above = overlay(body, planted(body, unit, 9.0), threshold=60.0)
    shown = pixels(cuts.thumbnail(body, above, READING_ROOM))
    assert not np.any(warm_and_cold(shown))
    assert np.ptp(shown, axis=-1).max() < 30
    assert shown.max() > 150  # the grey is there


@pytest.mark.parametrize("mode", ["dark", "light"])
def test_a_picture_stands_on_its_page_and_has_all_its_parts(body, mode) -> None:
    palette = PALETTES[mode]
    shown = overlay(body, planted(body, 4 * 400 + 120, 9.0), palette=palette)
    for picture in (cuts.cuts(body, shown, palette), cuts.thumbnail(body, shown, palette)):
        corner = pixels(picture)[0, 0]
        assert np.abs(corner - rgb(palette.canvas)).max() <= 6
        assert np.any(warm_and_cold(pixels(picture))[0])
    few, many = (pixels(cuts.layers(body, shown, palette, n=n, n_rows=1)) for n in (3, 9))
    assert many.shape[1] == pytest.approx(3 * few.shape[1], abs=20)


def test_parcels_have_their_networks_colours(body) -> None:
    is_odd = LAYOUT.layer_of_unit % 2 == 1
    maps = np.stack([np.where(is_odd, 1.0, 2.0), np.where(is_odd, 9.0, 1.0)])
    parcels = overlays.parcel_overlay(body, maps, threshold=3.0, networks=["#ff0000", "#0000ff"])
    shown = pixels(cuts.layers(body, parcels, READING_ROOM, n=9, n_rows=1))
    _, width = shown.shape[:2]
    warm, cold = warm_and_cold(shown)
    assert not warm.any()
    by_layer = [part.mean() for part in np.array_split(cold, 9, axis=1)]
    assert min(by_layer[1::2]) > 0.2 > max(by_layer[::2])
    assert width > 900


def test_small_layouts_have_a_picture_too() -> None:
    """A body of three ragged layers, of which one has five units."""
    grid = grid_of(toy_volumes.RAGGED, toy_volumes.cortex())
    n_units = toy_volumes.RAGGED.n_units
    small = grey.body_of(np.linspace(0, 1, n_units, dtype=np.float32), grid)
    shown = overlay(small, np.linspace(-9, 9, n_units, dtype=np.float32))
    for picture in (
        cuts.thumbnail(small, shown, READING_ROOM),
        cuts.cuts(small, shown, READING_ROOM),
        cuts.layers(small, shown, READING_ROOM),
    ):
        assert pixels(picture).max() > 100


def test_the_rendering_is_seen_from_where_the_viewer_stands(body) -> None:
    # NiiVue opens at an azimuth of 110°: from the side of the highest x, slightly from the front.
    voxels = body.grid.voxel_of_unit
    middle = (np.array(body.grid.shape) - 1) / 2

    def place_of(unit: int) -> tuple[float, float, int]:
        values, colour = planted(body, unit, 9.0), "#ff0000"
        picture = glass.rendering(
            body, [(values, colour)], threshold=3.0, limit=8.0, solid=0.35, side=96
        )
        shown = pixels(picture)
        rows, columns = np.nonzero(shown[..., 0] > shown[..., 1] + 60)
        return columns.mean() - 47.5, 47.5 - rows.mean(), len(rows)

    in_layer = np.flatnonzero(LAYOUT.layer_of_unit == 4)
    front = int(in_layer[voxels[in_layer, 1].argmax()])
    back = int(in_layer[voxels[in_layer, 1].argmin()])
    top, bottom = 8 * 400 + 200, 200
    assert voxels[top, 2] > middle[2] > voxels[bottom, 2]
    assert place_of(top)[1] > 5 > -5 > place_of(bottom)[1]
    assert abs(place_of(front)[0]) > 5
    assert np.sign(place_of(front)[0]) == -np.sign(place_of(back)[0])

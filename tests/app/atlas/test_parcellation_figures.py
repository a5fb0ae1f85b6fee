import numpy as np
import pytest
from drawings import EVIL, sent

from app.atlas.parcellation.figures import (
    Look,
    Parcels,
    parcel_sides,
    parcel_slices,
    parcel_surfaces,
    pooled,
)
from app.figures.maps import cell_at
from app.figures.networks import parcellation_map
from app.figures.theme import PALETTES, PAPER, READING_ROOM, qualitative, rgb
from fnprune_core.atlas import cortex


def parcels(shape: tuple[int, int, int], k: int, seed: int = 0) -> Parcels:
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 4, shape).astype(np.float32)
    label = np.where(np.abs(strength) > 3, rng.integers(0, k, shape), -1)
    unit = np.broadcast_to(np.arange(shape[1] * shape[2]).reshape(shape[1:]), shape).copy()
    label[-1, -1, -1], unit[-1, -1, -1], strength[-1, -1, -1] = -2, -1, np.nan
    return Parcels(label=label, strength=strength, unit=unit)


def look(k: int, palette=READING_ROOM, *, only: int | None = None) -> Look:
    names = tuple(f"c++ · {EVIL} {i}" for i in range(k))
    return Look(colours=tuple(qualitative(palette, k)), names=names, only=only)


def colour_at(heatmap, value: float) -> str:
    """The colour that plotly gives a value: that of the last stop at or below it."""
    place = (value - heatmap.zmin) / (heatmap.zmax - heatmap.zmin)
    return [colour for stop, colour in heatmap.colorscale if stop <= place][-1]


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_slices_give_each_unit_its_networks_colour_and_tell_its_numbers(palette) -> None:
    given, worn = parcels((4, 6, 9), 5), look(5, palette)
    picture = parcel_slices(given, worn, palette=palette, threshold=3.0)
    (heatmap,) = picture.figure.data
    shown = np.asarray(heatmap.z)
    assert np.isnan(shown).sum() == shown.size - (given.label != -2).sum()
    for network in range(5):
        assert (shown == network).sum() == (given.label == network).sum()
        assert colour_at(heatmap, network) == worn.colours[network]
    assert colour_at(heatmap, -1) == palette.silhouette
    for y, x in np.argwhere(~np.isnan(shown))[::17]:
        cell = cell_at(given.label.shape, x, y)
        layer, unit, z = heatmap.customdata[y, x]
        assert (layer, unit) == (cell[0], given.unit[cell])
        assert z == pytest.approx(given.strength[cell], abs=0.051)
        text = "none" if given.label[cell] < 0 else f"{given.label[cell]}: c++"
        assert heatmap.text[y, x].startswith(text)
    numbers = picture.figure.layout.annotations
    assert [each.text for each in numbers] == ["0", "1", "2", "3"]
    assert all(
        (each.bgcolor, each.font.color) == (palette.canvas, palette.text) for each in numbers
    )
    assert "<img" not in sent(picture.figure)
    assert picture.table["units"].sum() == (given.label >= 0).sum()


def test_all_but_the_selected_network_fade() -> None:
    worn = look(4, only=2)
    picture = parcel_slices(parcels((2, 6, 9), 4), worn, palette=READING_ROOM, threshold=3.0)
    (heatmap,) = picture.figure.data
    assert colour_at(heatmap, 2) == worn.colours[2]
    faint = np.array(rgb(colour_at(heatmap, 1))) - rgb(READING_ROOM.silhouette)
    full = np.array(rgb(worn.colours[1])) - rgb(READING_ROOM.silhouette)
    assert np.abs(faint).max() < 0.25 * np.abs(full).max()


def test_pooled_squares_show_their_strongest_unit() -> None:
    given = parcels((3, 7, 10), 4)
    small = pooled(given, 3 * 4 * 5)
    assert small.side == 2
    assert small.label.shape == (3, 4, 5)
    square = np.abs(np.nan_to_num(given.strength[1, 2:4, 4:6]))
    assert abs(small.strength[1, 1, 2]) == square.max()
    row, column = np.unravel_index(square.argmax(), (2, 2))
    assert small.unit[1, 1, 2] == given.unit[1, 2 + row, 4 + column]
    assert (small.label == -2).sum() == 0, "a square with any unit shows it"
    assert pooled(given) is given


def test_sides_show_the_network_of_largest_z_on_each_line_of_sight() -> None:
    given = parcels((4, 6, 9), 5)
    picture = parcel_sides(given, look(5), palette=READING_ROOM, threshold=3.0)
    front, side, above = (t for t in picture.figure.data if t.type == "heatmap")
    magnitude = np.abs(np.nan_to_num(given.strength))
    assert np.asarray(front.z)[2, 3] == given.label[2, magnitude[2, :, 3].argmax(), 3]
    assert np.asarray(side.z)[1, 4] == given.label[1, 4, magnitude[1, 4].argmax()]
    assert np.asarray(above.z)[5, 2] == given.label[magnitude[:, 5, 2].argmax(), 5, 2]


def soft(shape: tuple[int, int, int], centre: tuple[int, int, int]) -> np.ndarray:
    volume = np.zeros(shape, dtype=np.float32)
    ball = np.sum((np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))) ** 2, axis=0) < 16
    volume[ball] = 1.0
    return cortex.smoothed(volume)


def test_surfaces_are_closed_around_their_parcels_in_their_colours() -> None:
    shape = (12, 14, 20)
    worn = look(6, PAPER, only=4)
    empty = np.zeros(shape, dtype=np.float32)
    picture = parcel_surfaces(
        [soft(shape, (6, 7, 6)), soft(shape, (6, 7, 14)), empty], [4, 1, 5], worn,
        palette=PAPER, level=0.35,
    )  # fmt: skip
    meshes = [t for t in picture.figure.data if t.type == "mesh3d"][:2]
    assert [m.color for m in meshes] == [worn.colours[4], worn.colours[1]]
    assert meshes[0].opacity == 1.0 > meshes[1].opacity
    for mesh, column in zip(meshes, (6, 14), strict=True):
        assert np.mean(mesh.x) == pytest.approx(column, abs=0.5)
        edges = np.sort(np.concatenate([np.stack(p, 1) for p in (
            (mesh.i, mesh.j), (mesh.j, mesh.k), (mesh.k, mesh.i))]), axis=1)  # fmt: skip
        _, count = np.unique(edges, axis=0, return_counts=True)
        assert (count == 2).all(), "every edge is shared by two triangles"
    assert "1 of them are too scattered" in picture.alternative
    assert picture.table["cells inside"].tolist()[2] == 0


SIZES = {"embedded": (30, 32, 48), "7B": (32, 86, 128)}


@pytest.mark.parametrize("size", SIZES)
def test_payloads_stay_under_three_megabytes(size) -> None:
    """As sent: plotly's JSON, of 64 networks with long names, every unit in one."""
    shape, k = SIZES[size], 64
    given, worn = parcels(shape, k), look(k)
    given.label[given.label == -1] = 7  # a low threshold: every unit belongs to a network
    pictures = {
        "slices": parcel_slices(given, worn, palette=READING_ROOM, threshold=3.0),
        "sides": parcel_sides(given, worn, palette=READING_ROOM, threshold=3.0),
        "layers": parcellation_map(
            given.label.reshape(shape[0], -1), n_networks=k, palette=READING_ROOM,
            colours=worn.colours, names=worn.names,
        ),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    centres = rng.integers(0, shape, (32, 3))
    reach = 5 * np.cbrt(np.prod(shape) / np.prod(SIZES["embedded"]))
    gaps = np.indices(shape).astype(np.float32)
    balls = [
        np.exp(-np.sum((gaps - c.reshape(3, 1, 1, 1)) ** 2, axis=0) / reach**2) for c in centres
    ]
    pictures["surfaces"] = parcel_surfaces(
        balls, list(range(32)), worn, palette=READING_ROOM, level=0.35
    )
    sizes = {name: len(picture.figure.to_json()) for name, picture in pictures.items()}
    assert max(sizes.values()) < 3e6, sizes

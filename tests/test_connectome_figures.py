"""Pictures of the connectome and of the parcellation as data; payloads of real sizes."""

import json

import numpy as np
import pytest

from app.atlas.connectome.dynamics_figures import Course, dynamic_course, state_strip, states
from app.atlas.connectome.graph_figures import Nodes, graph, spaced, tree
from app.atlas.parcellation.figures import (
    Look,
    Parcels,
    parcel_sides,
    parcel_slices,
    parcel_surfaces,
    pooled,
)
from app.figures.maps import cell_at
from app.figures.matrix import Arrangement, Measure, limit_of, matrix, pair_scale
from app.figures.networks import parcellation_map
from app.figures.theme import PALETTES, PAPER, READING_ROOM, qualitative, rgb
from fnprune_core.atlas import connectome, cortex

FNC = Measure(title="Connectivity", says="r", is_signed=True)
EVIL = "<img src=x onerror=alert(1)>"


def sent(figure) -> str:
    """What the browser reads: plotly's own JSON hides every < behind an escape of JSON's."""
    return json.dumps(json.loads(figure.to_json()))


def similarity(k: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drivers = rng.standard_normal((3, 300))
    return np.corrcoef(drivers[np.arange(k) % 3] + rng.standard_normal((k, 300)))


def arrangement(k: int) -> Arrangement:
    order = tuple(reversed(range(k)))
    return Arrangement(order=order, blocks=(("a", 0, 2), (EVIL, 2, k)), said="ordered by group")


def a_matrix(k: int = 6, palette=READING_ROOM, **options):
    names = [f"{EVIL}{i}" for i in range(k)]
    settings = {"names": names, "measure": FNC, "selected": 1, **options}
    return matrix(similarity(k), arrangement(k), palette=palette, **settings)


def nodes(k: int) -> Nodes:
    angle = np.linspace(0, 6, k)
    return Nodes(
        places=np.stack([np.cos(angle), np.sin(angle)], axis=1),
        size=np.linspace(0.1, 1, k),
        class_of=tuple(i % 2 for i in range(k)),
        classes=("prose", EVIL),
        names=tuple(EVIL for _ in range(k)),
    )


def a_graph(k: int = 6, palette=READING_ROOM):
    values = similarity(k)
    edges = connectome.strongest_edges(values, share=0.4)
    return graph(values, edges, nodes(k), measure=FNC, selected=2, palette=palette)


def course(n_windows: int = 20) -> Course:
    values = np.zeros((2, n_windows))
    values[1, 5:8] = 0.9
    return Course(
        network=0,
        partners=(1, 2),
        values=values,
        low=np.array([-0.5, -0.4]),
        high=np.array([0.5, 0.4]),
        position=np.arange(n_windows) * 4 + 30,
        texts=tuple(EVIL for _ in range(n_windows)),
        width=64,
    )


def a_tree(k: int = 6, palette=READING_ROOM):
    groups = connectome.group_networks(similarity(k))
    names = [EVIL] * k
    return tree(groups.tree, groups.label.tolist(), names=names, selected=1, palette=palette)


PICTURES = {
    "matrix": a_matrix,
    "graph": a_graph,
    "tree": a_tree,
    "course": lambda palette=READING_ROOM: dynamic_course(
        course(), names=[EVIL] * 3, palette=palette, token=40
    ),
    "states": lambda palette=READING_ROOM: states(
        np.stack([similarity(6), similarity(6, 1)]), np.array([0.7, 0.3]), arrangement(6),
        where=["70% of it in prose", EVIL], palette=palette,
    ),
    "strip": lambda palette=READING_ROOM: state_strip(
        np.array([0, 1, 1]), np.array([3, 7, 11]), n_states=2, palette=palette
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_picture_has_a_sentence_numbers_and_no_markup_of_others(name, palette) -> None:
    picture = PICTURES[name](palette=palette)
    assert picture.alternative.endswith(".")
    assert len(picture.table)
    assert picture.figure.layout.font.color == palette.quiet
    assert "<img" not in sent(picture.figure)


def test_matrix_stands_in_the_order_and_leaves_the_diagonal_out() -> None:
    heatmap = a_matrix().figure.data[0]
    shown, values = np.asarray(heatmap.z), similarity(6)
    assert np.isnan(np.diag(shown)).all()
    assert shown[0, 2] == pytest.approx(values[5, 3])
    assert heatmap.zmin == -heatmap.zmax == pytest.approx(-limit_of(values))
    assert heatmap.text[0, 2].startswith("5 · ")
    boxes = [shape.x0 for shape in a_matrix().figure.layout.shapes]
    assert boxes == [-0.5, 3.5, -0.5, 1.5], "the selected network's row, column, then blocks"
    table = a_matrix().table
    assert abs(table["Connectivity"].iloc[0]) == np.abs(table["Connectivity"]).max()


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_scale_of_pairs_is_grey_at_zero_and_symmetric_if_signed(palette) -> None:
    signed, plain = (pair_scale(palette, is_signed=s) for s in (True, False))
    assert dict(signed)[0.5] == plain[0][1] == palette.silhouette
    assert (signed[0][1], signed[-1][1]) == (palette.cold[-1], palette.hot[-1])
    stops = np.array([stop for stop, _ in signed])
    np.testing.assert_allclose(stops + stops[::-1], 1.0)


def test_matrix_of_many_networks_stays_small() -> None:
    assert len(a_matrix(128).figure.to_json()) < 3e6
    assert len(a_matrix(100).figure.to_json()) < 3e6


def test_graph_draws_each_edge_once_and_its_nodes_carry_their_networks() -> None:
    picture = a_graph()
    lines = [t for t in picture.figure.data if t.mode == "lines"]
    assert sum(int(np.isnan(t.x).sum()) for t in lines) == len(picture.table) == 6
    markers = [t for t in picture.figure.data if t.mode == "markers"]
    assert picture.figure.data[-1].mode == "text", "no node lies on a number"
    assert sorted(np.concatenate([t.customdata for t in markers]).tolist()) == list(range(6))
    assert {t.line.dash for t in lines} <= {"solid", "dot"}
    widths = dict(zip(markers[0].customdata.tolist(), markers[0].marker.line.width, strict=True))
    assert widths == {0: 1, 2: 3, 4: 1}, "the selected network is ringed"


def test_nodes_of_a_dense_group_are_pushed_apart_and_those_with_room_stay() -> None:
    rng = np.random.default_rng(0)
    dense = 0.5 + 0.01 * rng.standard_normal((20, 2))
    corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    held = spaced(np.concatenate([dense, dense[:1], corners]))
    gap = np.linalg.norm(held[:, None] - held[None, :], axis=-1) + np.eye(len(held))
    assert gap.min() > 0.05
    assert np.allclose(held[-4:], corners)
    assert np.abs(held[:-4] - 0.5).max() < 0.3, "the group stays one"


def test_tree_has_every_network_as_a_leaf_in_its_groups_colour() -> None:
    groups = connectome.group_networks(similarity(9))
    picture = tree(groups.tree, groups.label.tolist(), names=["n"] * 9, selected=0, palette=PAPER)
    leaves = picture.figure.data[-1]
    assert leaves.customdata.tolist() == groups.order.tolist()
    colours = qualitative(PAPER, groups.n_groups)
    assert list(leaves.marker.color) == [colours[g] for g in groups.label[groups.order]]
    joins = [trace.line.color for trace in picture.figure.data[:-1]]
    assert len(joins) == 8
    assert joins.count(PAPER.quiet) == groups.n_groups - 1, "joins between groups are grey"


def test_course_stands_out_only_beyond_its_band() -> None:
    picture = PICTURES["course"]()
    accent = [t for t in picture.figure.data if t.line.color == READING_ROOM.accent]
    assert np.isnan(accent[0].y).all()
    assert np.flatnonzero(~np.isnan(accent[1].y)).tolist() == [5, 6, 7]
    bands = [(s.y0, s.y1) for s in picture.figure.layout.shapes if s.type == "rect"]
    assert bands == [(-0.5, 0.5), (-0.4, 0.4)]
    assert "leaves the band of a constant coupling with network 2" in picture.alternative
    assert "onerror" in picture.table["text"].iloc[0], "the table gives the text as it is"


# Parcellation ----------------------------------------------------------------------------------


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

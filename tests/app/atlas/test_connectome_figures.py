"""Pictures of the connectome as data: sentences, numbers, edges, leaves and bands."""

import numpy as np
import pytest
from drawings import EVIL, FNC, a_matrix, arrangement, sent, similarity

from app.atlas.connectome.dynamics_figures import Course, dynamic_course, state_strip, states
from app.atlas.connectome.graph_figures import Nodes, graph, spaced, tree
from app.figures.distinct import qualitative
from app.figures.theme import PALETTES, PAPER, READING_ROOM
from fnprune_core.atlas import connectome


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
    colours = qualitative(groups.n_groups)
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

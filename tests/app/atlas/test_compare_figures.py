import numpy as np
import pytest

from app.atlas.compare.figures import Side, pair_domains, pair_maps
from app.atlas.compare.likeness_figures import (
    likeness_chart,
    matrix_order,
    r_histogram,
    similarity_matrix,
)
from app.figures.theme import PAPER


def half(network: int, name: str, share) -> Side:
    values = np.zeros((3, 4), dtype=np.float32)
    values[network % 3, 1] = 5.0 + network
    return Side(
        network=network,
        name=name,
        values=values,
        domains=("prose", "<i>code</i>"),
        share=np.array(share),
        has_places=True,
    )


def test_figures_say_what_they_show_and_escape_names() -> None:
    left, right = half(1, "a", (0.9, 0.1)), half(2, "b", (0.2, 0.8))
    maps = pair_maps(left, right, r=-0.81, by="maps", z=(3.0, 8.0), palette=PAPER)
    assert "r −0.81 by maps; their strongest units are in layers 1 and 2" in maps.alternative
    assert "No unit" not in maps.alternative
    high = pair_maps(left, right, r=0.5, by="maps", z=(6.5, 8.0), palette=PAPER)
    assert high.alternative.endswith("No unit of the first has |z| above 6.5.")
    assert maps.figure.data[0].zmax == maps.figure.data[1].zmax == 8.0
    domains = pair_domains(left, right, palette=PAPER)
    assert "most of its energy in prose, network 2 in <i>code</i>" in domains.alternative
    assert all("<i>" not in str(label) for bar in domains.figure.data for label in bar.y)
    histogram = r_histogram(np.array([0.72, -0.95, 0.3]), threshold=0.7, by="maps", palette=PAPER)
    assert "2 of 3 pairs have |r| of at least 0.7" in histogram.alternative
    colours = dict(
        zip(histogram.table["|r| from"], histogram.figure.data[0].marker.color, strict=True)
    )
    assert colours[0.7] == PAPER.accent != colours[0.65]
    chart = likeness_chart(
        np.array([-0.9, 0.6, 0.05]), np.full(19, 0.03), chance_rho=0.1, mark=0.5, palette=PAPER
    )
    assert "2 of 3 pairs are above chance, 2 above 0.5" in chart.alternative
    assert np.all(np.diff(chart.figure.data[0].y) <= 0)


def test_matrix_puts_the_pairs_on_its_diagonal_strongest_first() -> None:
    similarity = np.array([[0.1, -0.2, 0.5, 0.0], [-0.9, 0.1, 0.3, 0.2], [0.2, 0.7, 0.1, 0.3]])
    pairs = np.array([[0, 2], [1, 0], [2, 1]])
    rows, columns = matrix_order(similarity, pairs)
    assert (rows.tolist(), columns.tolist()) == ([1, 2, 0], [0, 1, 2, 3])
    picture = similarity_matrix(similarity, pairs, selected=0, by="maps", palette=PAPER)
    shown = picture.figure.data[0]
    assert np.diag(shown.z).tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert shown.customdata[2, 3].tolist() == [0, 3]
    assert picture.figure.layout.shapes[0].y0 == 1.5  # the row of network 0
    assert "mean of 0.70, all others have a mean of 0.17" in picture.alternative

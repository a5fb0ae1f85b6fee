import numpy as np
import pytest
from drawings import ball

from app.figures.cortex import cortex_surfaces
from app.figures.theme import PAPER


def test_surfaces_of_several_networks_have_their_own_colours_a_legend_and_few_bytes():
    volumes = [np.maximum(ball(r), 0) for r in (4.0, 8.0)]
    picture = cortex_surfaces(
        volumes, networks=[1, 4], n_networks=8, palette=PAPER, share=0.9, names=["a<b>", "c"]
    )
    first, second, body, _, *profiles = picture.figure.data
    assert first.color != second.color
    assert [trace.line.color for trace in profiles] == [first.color, second.color]
    assert (first.name, first.showlegend) == ("a&lt;b&gt;", True)
    # The smaller ball has less than a tenth of the cells: its surface is the ball's own.
    assert np.ptp(first.z) == pytest.approx(9.0, abs=0.5)  # the first empty cells
    assert (volumes[1] > 0).mean() > 0.1
    assert np.ptp(second.z) == pytest.approx(2 * (0.1 * 8000 * 3 / 4 / np.pi) ** (1 / 3), rel=0.1)
    assert np.asarray(body.i).max() < len(body.x)
    assert len(picture.figure.to_json()) < 3e6
    alone = cortex_surfaces(volumes[:1], networks=[1], n_networks=8, palette=PAPER)
    assert not alone.figure.data[0].showlegend


def test_each_surface_holds_its_own_share_and_the_sentence_says_it():
    volumes = [ball(20.0) + 1e-6 * np.arange(8000).reshape(20, 20, 20)] * 2  # without ties
    picture = cortex_surfaces(
        volumes, networks=[1, 4], n_networks=8, palette=PAPER, share=[0.99, 0.9]
    )
    inside = picture.table.groupby("network")["% of the sheet inside"].mean()
    assert inside.tolist() == pytest.approx([1.0, 10.0], abs=0.1)
    assert "strongest 1.0% to 10.0% of cells" in picture.alternative
    empty = cortex_surfaces([np.zeros((3, 4, 5))], networks=[0], n_networks=2, palette=PAPER)
    assert len(empty.figure.data[0].x) == 0

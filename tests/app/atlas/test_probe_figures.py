import numpy as np
import pytest

from app.atlas.probe.figures import LIMIT, networks_over_tokens
from app.figures.theme import READING_ROOM


def drawn(n_tokens: int):
    """Return the picture of three networks over some tokens, the first of them left out."""
    relative = np.outer([1.0, 3.0, 2.0], np.ones(n_tokens))
    return networks_over_tokens(
        relative,
        [" <b>", "\n", *[" the"] * (n_tokens - 2)],
        names=["a", "b", "c"],
        is_dummy=np.arange(n_tokens) == 0,
        selected=2,
        palette=READING_ROOM,
    ).figure


def test_words_stand_at_their_tokens_as_many_as_have_room() -> None:
    figure = drawn(64)
    words = list(figure.data[0].x)
    assert words[:3] == ["0 &lt;b&gt;", "1 ↵", "2 the"]
    assert len(set(words)) == 64  # one column each: of equal ones plotly makes one
    assert figure.layout.xaxis.type == "category"
    assert figure.layout.xaxis.tickvals is None  # the browser leaves out what has no room
    assert figure.layout.xaxis.tickangle == -90


@pytest.mark.parametrize(("n", "step"), [(65, 10), (369, 50), (1000, 200), (4096, 1000)])
def test_long_texts_have_few_round_numbers(n, step) -> None:
    assert list(drawn(n).layout.xaxis.tickvals) == list(range(0, n, step))


def test_the_colour_bar_says_what_a_colour_means() -> None:
    heatmap = drawn(5).data[0]
    assert heatmap.showscale is not False
    assert list(heatmap.colorbar.tickvals) == [heatmap.zmin, 0, heatmap.zmax] == [-LIMIT, 0, LIMIT]
    assert heatmap.colorbar.ticktext[-1].endswith("× its usual")
    assert heatmap.y[-1].startswith("1 · b")  # most energy on top

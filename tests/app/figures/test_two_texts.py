import numpy as np

from app.figures.theme import READING_ROOM
from app.figures.two_texts import divergence_course, next_tokens, word_label


def test_pictures_say_what_they_show() -> None:
    course = divergence_course(
        np.array([0.1, 2.5, 0.4], np.float32),
        [" the", "<b>", ""],
        np.full((2, 3), 0.5, np.float32),
        selected=0,
        difference=1,
        palette=READING_ROOM,
    )
    assert "most at token 1, “<b>” (2.50 nats)" in course.alternative
    assert "1.00 nats on average over 3 tokens. The texts part at token 1." in course.alternative
    assert course.figure.data[0].y.dtype == np.float32
    assert list(course.figure.data[0].customdata) == [" the", "&lt;b&gt;", "␣"]
    expected = next_tokens(
        [" is", "\n", "<i>"],
        np.array([[0.6, 0.2, 0.1], [0.1, 0.3, 0.5]], np.float32),
        written="\n",
        palette=READING_ROOM,
    )
    assert "dense model expects “is” (60.0 %), the plan “<i>” (50.0 %)" in expected.alternative
    plan, dense = expected.figure.data
    assert (plan.name, dense.name) == ("plan", "dense")
    assert np.allclose(dense.x, [60, 20, 10])
    assert expected.figure.layout.yaxis.ticktext == (" is", "↵", "&lt;i&gt;")
    assert list(expected.table["next token"]) == [" is", "\n", "<i>"]


def test_labels_show_what_cannot_be_seen() -> None:
    assert word_label("  ") == "␣␣"
    assert word_label("") == "␣"
    assert word_label("a\tb\u202e") == "a⇥b\u2039202E\u203a"
    assert len(word_label("x" * 100)) == 24

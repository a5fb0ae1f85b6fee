import numpy as np

from app.figures.markup import token_strip, visible
from app.figures.theme import READING_ROOM


def test_strips_show_controls_and_escape_markup() -> None:
    html = token_strip(
        ["<i>", "\u202e\x1b"], np.array([1.0, -1.0]), limit=1.0, palette=READING_ROOM
    )
    assert "&lt;i&gt;" in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert visible("é\t\n\u200d\u0627") == "é\t\n\u200d\u0627"


def test_strip_is_coloured_and_underlined_by_strength() -> None:
    strip = token_strip(
        ["none", "warm", "cold", "dummy"],
        np.array([0.0, 1.0, -1.0, np.nan]),
        limit=1.0,
        palette=READING_ROOM,
        centre=1,
    )
    none, warm, cold, dummy = strip.split("<span")[1:]
    assert "background" not in none
    assert "solid" in warm
    assert "font-weight:700" in warm
    assert "dashed" in cold
    assert READING_ROOM.hot[1] in warm
    assert READING_ROOM.cold[1] in cold
    assert "left out" in dummy
    assert "background" not in dummy

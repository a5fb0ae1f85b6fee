"""Text of the models' own as HTML: every piece is escaped, coloured and underlined."""

import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.figures.theme import Palette, rgba
from fnprune_core.foreign_text import visible as visible

#: Of a colour behind a word, so that the word keeps a contrast of 4.5: warm and cold, networks.
MAX_OPACITY, HUE_OPACITY = 0.62, 0.35
LEAST_SHARE, STRONG_SHARE = 0.05, 0.35


def signed(value: float, form: str) -> str:
    """Return a number in a sentence, with a true minus: −1.3."""
    return format(float(value), form).replace("-", "−")


def short(text: str, most: int) -> str:
    """Return a text in one line of at most so many letters, what cannot be seen shown."""
    text = visible(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def token_strip(
    pieces: Sequence[str],
    values: NDArray[np.floating],
    *,
    limit: float,
    palette: Palette,
    centre: int | None = None,
    first: int | None = None,
) -> str:
    """Return tokens coloured by `values`: warm above zero, cold below, underlined when strong.

    Parameters
    ----------
    values : ndarray
        Strengths; NaN on dummy tokens, which stay without colour.
    limit : float
        The strength of full colour.
    centre : int, optional
        The token to be set in bold: the peak of a passage.
    first : int, optional
        Position of the first token; given, tooltips tell positions.
    """
    spans = [
        _token(
            piece,
            float(value),
            limit=limit,
            palette=palette,
            is_centre=i == centre,
            place="" if first is None else f"token {first + i}: ",
        )
        for i, (piece, value) in enumerate(zip(pieces, values, strict=True))
    ]
    return (
        '<div style="font-family:IBM Plex Mono,ui-monospace,monospace;font-size:0.9rem;'
        f'line-height:1.9;white-space:pre-wrap;overflow-wrap:anywhere;color:{palette.text}">'
        + "".join(spans)
        + "</div>"
    )


def _token(
    piece: str, value: float, *, limit: float, palette: Palette, is_centre: bool, place: str
) -> str:
    is_dummy = value != value
    share = min(abs(value) / limit, 1.0) if limit > 0 and not is_dummy else 0.0
    colour = (palette.hot if value > 0 else palette.cold)[1]
    style = []
    if share > LEAST_SHARE:
        style.append(f"background:{rgba(colour, share * MAX_OPACITY)}")
    if share > STRONG_SHARE:
        style.append(f"border-bottom:2px {'solid' if value > 0 else 'dashed'} {colour}")
    if is_centre:
        style.append("font-weight:700")
    text = html.escape(visible(piece)).replace("\n", "<span style='opacity:.9'>↵</span>\n")
    attributes = f' style="{";".join(style)}"' if style else ""
    title = "left out: dummy token" if is_dummy else f"{place}{value:.2f}"
    return f'<span title="{title}"{attributes}>{text}</span>'


def joined(pieces: Sequence[str]) -> str:
    """Return pieces as one line of plain text, for labels."""
    return " ".join("".join(pieces).split())

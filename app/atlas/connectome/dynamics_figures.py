"""Pictures of connectivity over time: one network with its partners, and states."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, safe, style
from app.figures.distinct import qualitative
from app.figures.marks import cells, line, note, rule
from app.figures.matrix import Arrangement, hover_name, limit_of, pair_scale
from app.figures.theme import Palette, rgba, steps

_ROW, _TITLE = 96, 30  # pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """A network's connectivity with some partners over a session.

    Parameters
    ----------
    network : int
    partners : tuple of int
    values : ndarray (n_partners, n_windows)
    low, high : ndarray (n_partners,)
        What a coupling that never changes stays between, in all windows of 95 of 100 surrogates.
    position : ndarray (n_windows,)
        Each window's middle token.
    texts : tuple of str
        What stands there, a few tokens.
    width : int
        Tokens of a window.
    """

    network: int
    partners: tuple[int, ...]
    values: NDArray[np.floating]
    low: NDArray[np.floating]
    high: NDArray[np.floating]
    position: NDArray[np.integer]
    texts: tuple[str, ...]
    width: int

    @property
    def leaves_band(self) -> NDArray[np.bool_]:
        """Windows beyond their partner's band: (n_partners, n_windows)."""
        return (self.values < self.low[:, None]) | (self.values > self.high[:, None])


def dynamic_course(
    course: Course, *, names: Sequence[str], palette: Palette, token: int = -1
) -> Picture:
    """Draw a network's connectivity with each partner over a session, one above the other.

    The grey band is what a coupling that never changes would stay in; windows beyond it stand
    out. `token` is marked by a line.
    """
    n = len(course.partners)
    gap = _TITLE / (_ROW * n) if n > 1 else 0.0
    figure = make_subplots(rows=n, cols=1, shared_xaxes=True, vertical_spacing=gap)
    texts = [safe(text) for text in course.texts]
    x = course.position
    outside = course.leaves_band
    for row, partner in enumerate(course.partners, start=1):
        values = course.values[row - 1]
        place: dict[str, Any] = {"row": row, "col": 1}
        for y, colour, width in (
            (values, palette.quiet, 1.5),
            (np.where(outside[row - 1], values, np.nan), palette.accent, 3),
        ):
            line(
                figure, x, y, colour=colour, width=width, customdata=texts,
                hover="around token %{x}: “%{customdata}”<br>r %{y:.2f}", **place,
            )  # fmt: skip
        # after the lines: plotly leaves shapes out of a plot that is still empty
        figure.add_hrect(
            y0=float(course.low[row - 1]), y1=float(course.high[row - 1]), layer="below",
            fillcolor=rgba(palette.quiet, 0.16),
            line={"color": rgba(palette.quiet, 0.6), "width": 1, "dash": "dot"}, **place,
        )  # fmt: skip
        rule(figure, palette.line, y=0, **place)
        number = "" if row == 1 else str(row)
        note(
            figure, f"with {hover_name(names, partner, longest=44)}", 0, 1.0, colour=palette.text,
            xref=f"x{number} domain", yref=f"y{number} domain", xanchor="left", yanchor="bottom",
        )  # fmt: skip
    style(
        figure, palette, height=60 + _ROW * n, margin={"t": 24},
        hovermode="x",  # a moment is picked at any height
        x={"showticklabels": False, "ticks": ""},
        y={"range": [-1, 1], "tickvals": [-0.5, 0, 0.5], "title": "", "showgrid": False},
    )  # fmt: skip
    title = "middle token of the window"
    figure.update_xaxes(title_text=title, showticklabels=True, ticks="outside", row=n, col=1)
    if token >= 0:
        rule(figure, palette.text, x=token, dash="dot")
    return Picture(
        figure=figure,
        alternative=_describe(course, names),
        table=pd.DataFrame(
            {
                "token": x,
                "text": list(course.texts),
                **{
                    f"with network {k}": course.values[i].round(3)
                    for i, k in enumerate(course.partners)
                },
            }
        ),
    )


def _describe(course: Course, names: Sequence[str]) -> str:
    changing = [str(k) for i, k in enumerate(course.partners) if course.leaves_band[i].any()]
    sentence = (
        f"it leaves the band of a constant coupling with network{'s' if len(changing) > 1 else ''} "
        f"{', '.join(changing)}"
        if changing
        else "it never leaves the band of a constant coupling: no change is shown"
    )
    return (
        f"Connectivity of network {course.network} ({names[course.network]}) with "
        f"{len(course.partners)} networks in windows of {course.width} tokens, from "
        f"{course.values.min():.2f} to {course.values.max():.2f}; {sentence}."
    )


def states(
    centres: NDArray[np.floating],
    share: NDArray[np.floating],
    arrangement: Arrangement,
    *,
    where: Sequence[str],
    palette: Palette,
) -> Picture:
    """Draw the connectivity of each state, the most frequent first.

    Parameters
    ----------
    centres : ndarray (n_states, K, K)
    share : ndarray (n_states,)
        Of all windows.
    where : sequence of str
        In what texts each state is found most.
    """
    n, order = len(centres), np.array(arrangement.order)
    figure = make_subplots(
        rows=1,
        cols=n,
        subplot_titles=[
            f"state {i}: {100 * fraction:.0f} %<br>{safe(domain_text)}"
            for i, (fraction, domain_text) in enumerate(zip(share, where, strict=True))
        ],
        horizontal_spacing=0.02,
    )
    limit = max(limit_of(centre) for centre in centres)
    for column, centre in enumerate(centres, start=1):
        matrix = centre[np.ix_(order, order)].astype(np.float32)
        np.fill_diagonal(matrix, np.nan)
        cells(
            figure, matrix, span=(-limit, limit), scale=pair_scale(palette, is_signed=True),
            row=1, col=column,
        )  # fmt: skip
    style(
        figure, palette, height=340, margin={"l": 4, "t": 52, "b": 4}, x={"visible": False},
        y={"visible": False, "autorange": "reversed"},
    )  # fmt: skip
    figure.update_annotations(font={"size": 13, "color": palette.text})
    mean = [float(np.abs(c[np.triu_indices(len(c), 1)]).mean()) for c in centres]
    return Picture(
        figure=figure,
        alternative=(
            f"{n} states of connectivity, {arrangement.said}; the most frequent holds "
            f"{100 * share[0]:.0f} % of windows ({where[0]}), the rarest {100 * share[-1]:.0f} %; "
            f"the mean |r| is {min(mean):.2f} to {max(mean):.2f}."
        ),
        table=pd.DataFrame(
            {
                "state": np.arange(n),
                "share of windows": share.round(4),
                "mean |r|": mean,
                "most of it in": list(where),
            }
        ),
    )


def state_strip(
    label: NDArray[np.integer],
    position: NDArray[np.integer],
    *,
    n_states: int,
    palette: Palette,
) -> Picture:
    """Draw which state each window of a session is in."""
    figure = cells(
        go.Figure(), label[None], x=position, span=(-0.5, n_states - 0.5),
        scale=steps(qualitative(n_states)), hover="around token %{x}: state %{z}",
    )  # fmt: skip
    style(figure, palette, height=84, x="middle token of the window", y={"visible": False})
    counts = np.bincount(label, minlength=n_states)
    shares_text = ", ".join(
        f"state {i} in {100 * (c / len(label)):.0f} %" for i, c in enumerate(counts) if c
    )
    return Picture(
        figure=figure,
        alternative=f"States over this session: {shares_text} of its windows.",
        table=pd.DataFrame({"token": position, "state": label}),
    )

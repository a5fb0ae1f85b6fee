"""Carpets of units × tokens with the text on the axis, grouped by layer or by network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, safe, style
from app.figures.distinct import network_colours, qualitative
from app.figures.marks import UNCHANGED, cells, note, points, rule, ticks
from app.figures.raster import to_int8
from app.figures.theme import Palette, greys, steps

LIMIT = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CarpetRows:
    """The units of a carpet, first at the bottom.

    Parameters
    ----------
    layer, index, network : ndarray (rows,)
        Network is the strongest; −1 where none is known.
    by : str
        ``layer`` or ``network``: what the rows are grouped by.
    n_units : int
        Units from which they were taken.
    selected : int
        The network whose rows are framed.
    """

    layer: NDArray[np.integer]
    index: NDArray[np.integer]
    network: NDArray[np.integer]
    by: str
    n_units: int
    selected: int = -1

    @property
    def group(self) -> NDArray[np.integer]:
        """Number of each row's group."""
        return self.layer if self.by == "layer" else self.network

    def labels(self) -> list[str]:
        """Return the hover text of each row; no two are alike."""
        return [
            f"layer {a}, unit {i}" + (f", network {k}" if k >= 0 else "")
            for a, i, k in zip(
                self.layer.tolist(), self.index.tolist(), self.network.tolist(), strict=True
            )
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of columns with a name: a session, a domain."""

    name: str
    first: int
    last: int


def _words(pieces: Sequence[str], first: int) -> list[str]:
    """Return the hover text of each token; no two are alike."""
    return [f"{first + i} “{safe(_axis_text(p))}”" for i, p in enumerate(pieces)]


def _axis_text(piece: str) -> str:
    """Return a token's text for an axis: one line, blanks visible where it has nothing else."""
    text = piece.replace("\n", "⏎").replace("\t", "⇥")
    return text if text.strip() else text.replace(" ", "␣")


def _short_axis_text(piece: str, n: int = 12) -> str:
    text = _axis_text(piece).strip() or _axis_text(piece)
    return safe(text if len(text) <= n else text[: n - 1] + "…")


def _carpet(
    values: NDArray[np.floating],
    columns: Any,
    rows: CarpetRows,
    palette: Palette,
    *,
    column: str = "token",
) -> go.Figure:
    """Draw rows × columns in greys, and left of them a strip that tells the groups."""
    labels = rows.labels()
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.02, 0.98], horizontal_spacing=0.004
    )
    n_groups = int(rows.group.max()) + 1
    colours = list(network_colours(palette, n_groups))
    if rows.by == "layer":
        colours = [palette.line, palette.quiet] * n_groups
    cells(
        figure, rows.group.astype(np.int16)[:, None], x=[rows.by], y=labels,
        span=(-0.5, n_groups - 0.5), scale=steps(colours[:n_groups]),
        hover=f"{rows.by} %{{z}}", row=1, col=1,
    )  # fmt: skip
    cells(
        figure, to_int8(values, LIMIT), x=columns, y=labels, span=(-127, 127),
        scale=greys(palette), hover=f"%{{y}}<br>{column} %{{x}}", row=1, col=2,
    )  # fmt: skip
    style(figure, palette, height=520, margin={"l": 52}, y={"type": "category", "showgrid": False})
    starts = np.flatnonzero(np.diff(rows.group, prepend=-2))
    starts = starts[:: max(1, -(-len(starts) // 24))]
    groups = ticks([str(rows.group[start]) for start in starts], [labels[i] for i in starts])
    figure.update_xaxes(visible=False, row=1, col=1)
    figure.update_yaxes(tickmode="array", title_text=rows.by, row=1, col=1, **groups)
    selected_rows = np.flatnonzero(rows.group == rows.selected)
    if rows.by == "network" and len(selected_rows):
        frame = {"color": palette.accent, "width": 1}
        figure.add_hrect(
            y0=selected_rows[0] - 0.5, y1=selected_rows[-1] + 0.5, line=frame, row=1, col=2
        )
    figure.update_yaxes(showticklabels=False, ticks="", col=2)
    return figure


def _rows_sentence(rows: CarpetRows) -> str:
    n = len(rows.layer)
    if rows.by == "layer":
        return f"{n:,} of {rows.n_units:,} units, evenly spaced in each layer, first layer below"
    return (
        f"{n:,} of {rows.n_units:,} units: the strongest of each network among those that have "
        "it as their strongest, networks sorted by the domain in which they are strongest"
    )


def session_carpet(
    values: NDArray[np.floating],
    pieces: Sequence[str],
    rows: CarpetRows,
    *,
    n_dummy_tokens: int,
    stretch: Span | None,
    palette: Palette,
) -> Picture:
    """Draw a whole session; `stretch` is the part that is drawn large elsewhere.

    Parameters
    ----------
    values : ndarray (rows, n_tokens)
        z of each unit over the recording.
    """
    n_tokens = values.shape[1]
    figure = _carpet(values, _words(pieces, 0), rows, palette)
    places = range(0, n_tokens, max(1, 2 ** int(np.log2(max(n_tokens // 8, 1)))))
    figure.update_xaxes(
        type="category", tickmode="array", tickangle=0, title_text="token in the session",
        row=1, col=2, **ticks([str(place) for place in places], places),
    )  # fmt: skip
    if n_dummy_tokens:
        rule(figure, palette.accent, x=n_dummy_tokens - 0.5, dash="dot", row=1, col=2)
    if stretch is not None:
        line = {"color": palette.accent, "width": 1}
        figure.add_vrect(x0=stretch.first - 0.5, x1=stretch.last + 0.5, line=line, col=2, row=1)
    mean_magnitude = np.abs(values).mean(axis=0)
    usable = mean_magnitude[n_dummy_tokens:]
    peak = int(usable.argmax()) + n_dummy_tokens if len(usable) else 0
    return Picture(
        figure=figure,
        alternative=(
            f"Carpet of {_rows_sentence(rows)}, over {n_tokens} tokens, z clipped at ±{LIMIT:g}; "
            f"activity is most widespread at token {peak}, “{_axis_text(pieces[peak]).strip()}”."
        ),
        table=pd.DataFrame(
            {
                "token": np.arange(n_tokens),
                "text": list(pieces),
                "mean |z| of units": mean_magnitude.round(3),
                "left out": np.arange(n_tokens) < n_dummy_tokens,
            }
        ),
    )


def stretch_carpet(
    values: NDArray[np.floating],
    pieces: Sequence[str],
    rows: CarpetRows,
    *,
    first: int,
    palette: Palette,
) -> Picture:
    """Draw a short stretch of a session with each token's text on the axis.

    Parameters
    ----------
    values : ndarray (rows, n_tokens)
        Of the stretch alone.
    first : int
        Position of its first token.
    """
    words = [f"{first + i} {_short_axis_text(piece)}" for i, piece in enumerate(pieces)]
    figure = _carpet(values, words, rows, palette)
    # No ticks are set: of categories the browser shows as many as have room, at any width.
    font = {"size": 12, "color": palette.text, "family": "IBM Plex Mono, monospace"}
    figure.update_xaxes(type="category", tickangle=-90, tickfont=font, row=1, col=2)
    means = {k: values[rows.group == k].mean(axis=0) for k in np.unique(rows.group).tolist()}
    strongest = max(means, key=lambda k: float(np.abs(means[k]).max()))
    peak = int(np.abs(means[strongest]).argmax())
    return Picture(
        figure=figure,
        alternative=(
            f"Tokens {first} to {first + len(words) - 1}: on average the units of {rows.by} "
            f"{strongest} move most, at “{_axis_text(pieces[peak]).strip()}” (mean z "
            f"{means[strongest][peak]:.1f})."
        ),
        table=pd.DataFrame(
            {
                "token": first + np.arange(len(words)),
                "text": list(pieces),
                **{f"{rows.by} {k}": mean.round(2) for k, mean in means.items()},
            }
        ),
    )


def overview_carpet(
    values: NDArray[np.floating],
    rows: CarpetRows,
    *,
    sessions: Sequence[Span],
    numbers: Sequence[int],
    domains: Sequence[Span],
    selected: int,
    palette: Palette,
) -> Picture:
    """Draw all sessions side by side, tokens pooled by mean, with the domains marked.

    Above the carpet is one square for each session, which can be picked; its number is the
    point's customdata.

    Parameters
    ----------
    values : ndarray (rows, columns)
        Mean z over a few tokens; no column joins two sessions.
    sessions : sequence of Span
        In the order of the columns; `numbers` are their numbers in the recording.
    """
    columns = np.arange(values.shape[1], dtype=np.int16)
    figure = _carpet(values, columns, rows, palette, column="column")
    top = len(rows.layer)
    colours = qualitative(len(domains))
    for span, colour in zip(domains, colours, strict=True):
        figure.add_shape(
            type="rect", x0=span.first - 0.5, x1=span.last + 0.5, y0=top * 1.055, y1=top * 1.085,
            fillcolor=colour, line_width=0, row=1, col=2,
        )  # fmt: skip
        note(
            figure, safe(span.name), (span.first + span.last) / 2, top * 1.085,
            colour=palette.text, yanchor="bottom", row=1, col=2,
        )  # fmt: skip
    for span in domains[1:]:
        rule(figure, palette.accent, x=span.first - 0.5, row=1, col=2)
    points(
        figure, [(span.first + span.last) / 2 for span in sessions], [top * 1.03] * len(sessions),
        colour=[palette.accent if k == selected else palette.quiet for k in numbers], size=11,
        marker={"symbol": "square"}, customdata=list(numbers),
        hovertext=[safe(span.name) for span in sessions], hover="%{hovertext}", row=1, col=2,
        **UNCHANGED,
    )  # fmt: skip
    figure.update_xaxes(
        range=[-0.5, len(columns) - 0.5], showticklabels=False, ticks="",
        title_text="sessions, by domain", row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(range=[-0.5, top * 1.15])
    means = _domain_means(values, rows, domains)
    contrast = means.max(axis=1) / means.median(axis=1).clip(lower=1e-9)
    clearest = int(contrast.argmax())
    return Picture(
        figure=figure,
        alternative=(
            f"All {len(sessions)} sessions over {_rows_sentence(rows)}, tokens pooled by mean, z "
            f"clipped at ±{LIMIT:g}; domains differ most in {rows.by} {means.index[clearest]}, "
            f"strongest in {means.iloc[clearest].idxmax()}."
        ),
        table=means.round(3).reset_index(),
    )


def _domain_means(
    values: NDArray[np.floating], rows: CarpetRows, domains: Sequence[Span]
) -> pd.DataFrame:
    """Return the mean |z| of each group of rows (the index) in each domain (a column)."""
    magnitude = np.abs(values)
    means = {d.name: magnitude[:, d.first : d.last + 1].mean(axis=1) for d in domains}
    return pd.DataFrame(means, dtype=np.float64).groupby(rows.group).mean().rename_axis(rows.by)

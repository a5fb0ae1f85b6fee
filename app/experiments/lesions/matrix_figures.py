"""The picture of a study of lesions: a row per lesion, a column per domain."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.experiments.lesions.figures import NAME, ROW, Shown, values_of, with_error
from app.figures.base import Picture, safe, style
from app.figures.marks import (
    cells,
    colour_bar,
    named,
    points,
    ticks,
)
from app.figures.markup import short, signed
from app.figures.matrix import pair_scale
from app.figures.theme import Palette
from fnprune_core.lesions.study import LEVEL, LesionStudy
from fnprune_core.probability import p_text


def lesion_matrix(
    study: LesionStudy,
    rows: Sequence[int],
    *,
    names: Sequence[str],
    shown: Shown,
    selected: tuple[int, int] | None,
    is_narrow: bool = False,
    palette: Palette,
) -> Picture:
    """Draw loss changes of lesions by column, marked where they are significant.

    Parameters
    ----------
    rows : sequence of int
        Lesions from top to bottom.
    names : sequence of str (L,)
        Of all lesions.
    selected : (lesion, column) or None
        Framed.
    is_narrow : bool
        Whether the names of columns must stand askew.
    """
    is_steep = is_narrow or sum(map(len, study.columns)) > 80
    values, q = values_of(study, shown), study.effects.q
    shown_rows = list(rows)
    limit = _limit(values)
    columns = [safe(name) for name in study.columns]
    bar = colour_bar(
        len=1 if is_narrow else 0.6, x=1, xanchor="right", y=0.0, nticks=5, ticksuffix=" nats",
        showticksuffix="last",
    )  # fmt: skip
    figure = cells(
        go.Figure(), values[shown_rows], span=(-limit, limit),
        scale=pair_scale(palette, is_signed=True), xgap=2, ygap=2, colorbar=bar, hover="%{text}",
        text=[[_hover(study, i, c, names[i]) for c in range(len(columns))] for i in shown_rows],
    )  # fmt: skip
    _add_marks(figure, study, shown_rows, palette)
    # askew, the last name leans out to the right, and would be left out
    right = 12 + 6 * min(len(columns[-1]), 14) * is_steep
    style(
        figure, palette, height=96 + 56 + ROW * len(shown_rows),
        margin={"l": 30, "r": right, "t": 90 if is_steep else 40, "b": 64},
        x=named(palette, side="top", showline=False, range=[-0.5, len(columns) - 0.5],
                tickangle=-40 if is_steep else 0) | ticks(columns),
        y=named(palette, showline=False, range=[len(shown_rows) - 0.5, -0.5])
        | ticks([safe(short(names[i], NAME)) for i in shown_rows]),
    )  # fmt: skip
    if selected is not None and selected[0] in shown_rows:
        y, x = shown_rows.index(selected[0]), selected[1]
        figure.add_shape(
            type="rect", x0=x - 0.5, x1=x + 0.5, y0=y - 0.5, y1=y + 0.5,
            line={"color": palette.accent, "width": 2.5},
        )  # fmt: skip
    n_sure = int((q <= LEVEL).sum())
    worst_cell = _worst_cell(values)
    sentence = (
        f"Loss change {shown.title} of {len(study.lesions)} lesions in {len(columns)} columns"
    )
    if worst_cell is not None:
        i, c = worst_cell
        sentence += (
            f"; the largest is {signed(values[i, c], '+.2f')} nats per token, "
            f"{names[i]} in {study.columns[c]}"
        )
    sentence += (
        f". Of {int(np.isfinite(q).sum())} tested effects, those that stand out from matched "
        f"random lesions and hold over the texts (q ≤ {LEVEL:g}) are marked: {n_sure}."
        if np.isfinite(q).any()
        else ". Not yet tested against random lesions."
    )
    return Picture(figure=figure, alternative=sentence, table=_table(study, names))


def _add_marks(
    figure: go.Figure,
    study: LesionStudy,
    lesion_rows: Sequence[int],
    palette: Palette,
) -> None:
    """Put a diamond on effects that survive the correction, a ring on those that do not."""
    q, p = study.effects.q[lesion_rows], study.effects.p[lesion_rows]
    for is_marked, symbol in (
        (q <= LEVEL, "diamond"),
        ((p <= LEVEL) & ~(q <= LEVEL), "circle-open"),
    ):
        y, x = np.nonzero(is_marked)
        outline = palette.canvas if symbol == "diamond" else palette.text
        points(
            figure, x, y, colour=palette.text,
            marker={"symbol": symbol, "line": {"color": outline, "width": 1.5}},
        )  # fmt: skip


def _hover(study: LesionStudy, i: int, c: int, name: str) -> str:
    effects = study.effects
    if not np.isfinite(study.change[i, 0, c]):
        return f"{safe(name)}<br>not read yet"
    text = (
        f"{safe(name)}<br>{safe(study.columns[c])}: "
        f"{with_error(study.change[i, 0, c], study.change_error[i, 0, c])} nats from healthy"
    )
    if np.isfinite(effects.excess[i, c]):
        text += f"<br>{signed(effects.excess[i, c], '+.3f')} beyond random lesions"
    if np.isfinite(effects.p[i, c]):
        p, q = (safe(p_text(values[i, c])) for values in (effects.p, effects.q))
        text += f"<br>p {p}, corrected q {q}"
    return text


def _limit(values: NDArray[np.float64]) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(max(np.quantile(finite, 0.99), 0.01)) if finite.size else 1.0


def _worst_cell(values: NDArray[np.float64]) -> tuple[int, int] | None:
    if not np.isfinite(values).any():
        return None
    i, c = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return int(i), int(c)


def _table(study: LesionStudy, names: Sequence[str]) -> pd.DataFrame:
    table = study.table()
    table.insert(1, "name", np.repeat(list(names), len(study.columns)))
    return table.round(5)

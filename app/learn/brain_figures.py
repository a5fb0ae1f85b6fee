"""Pictures of the lesson's simulated brain: planted maps, recovered maps, and their match."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.figures.marks import bars, cells, rule
from app.figures.theme import Palette

_GAP = 2
#: Of a map's own largest value: what is below stays in the colour of the head.
_FROM = 0.3


def _seen_from_above(volume: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the largest value along each line downward, from 0 to 1; NaN outside the head."""
    outside = np.isnan(volume).all(axis=2)
    top = np.where(np.isnan(volume), -np.inf, volume).max(axis=2)
    scaled_top = np.clip(top / max(float(np.nanmax(volume)), 1e-12), 0, 1)
    return np.where(outside, np.nan, np.where(scaled_top < _FROM, 0.0, scaled_top)).T


def found_maps(
    rows: Mapping[str, Sequence[NDArray[np.floating]]],
    names: Sequence[str],
    r: Mapping[str, NDArray[np.floating]],
    *,
    palette: Palette,
) -> Picture:
    """Draw networks of a brain from above, one a column: planted first, found below.

    Parameters
    ----------
    rows : mapping
        Title of a row → volumes (x, y, z), one a network.
    r : mapping
        Title of a row → |r| to what was planted; a row without is what was planted.
    """
    views = {title: [_seen_from_above(v) for v in volumes] for title, volumes in rows.items()}
    height, width = next(iter(views.values()))[0].shape
    step_y, step_x = height + 3 * _GAP, width + _GAP
    canvas = np.full((step_y * len(views), step_x * len(names)), np.nan)
    annotations = []
    for row, (title, images) in enumerate(views.items()):
        bottom = step_y * (len(views) - 1 - row)
        annotations.append(
            {"x": 0, "y": bottom + height, "text": title, "xanchor": "left", "yanchor": "bottom"}
        )
        for column, image in enumerate(images):
            left = step_x * column
            canvas[bottom : bottom + height, left : left + width] = image
            label = f"|r| {r[title][column]:.2f}" if title in r else names[column]
            annotations.append(
                {"x": left + width / 2, "y": bottom - 0.5, "text": label, "yanchor": "top"}
            )
    scale = [(0.0, palette.line), (_FROM - 1e-6, palette.line)]
    scale += [
        (float(level), colour)
        for level, colour in zip(np.linspace(_FROM, 1, len(palette.hot)), palette.hot, strict=True)
    ]
    figure = cells(go.Figure(), canvas, span=(0, 1), scale=scale)
    font = {"color": palette.text, "size": 11}
    plain = {"showarrow": False, "xref": "x", "yref": "y", "font": font}
    style(
        figure, palette, height=170 * len(views), margin={"l": 8, "b": 24},
        annotations=[note | plain for note in annotations], x={"visible": False},
        y={"visible": False, "scaleanchor": "x", "range": [-6, len(canvas) + 2]},
    )  # fmt: skip
    mean_r = {title: float(np.mean(values)) for title, values in r.items()}
    mean_r_text = "; ".join(f"{title} {value:.2f}" for title, value in mean_r.items())
    return Picture(
        figure=figure,
        alternative=(
            f"Rows: {', '.join(rows)}. Columns: {', '.join(names)}; seen from above, front of "
            f"the head up. Mean |r| to what was planted: {mean_r_text}."
        ),
        table=pd.DataFrame(
            {"network": names} | {f"|r|, {title}": v.round(3) for title, v in r.items()}
        ),
    )


def match_bars(
    r: Mapping[str, NDArray[np.floating]],
    names: Sequence[str],
    *,
    found_from: float,
    palette: Palette,
) -> Picture:
    """Draw |r| of each planted network and what was found for it, by method."""
    figure = go.Figure()
    for (title, values), colour in zip(r.items(), (palette.hot[1], palette.quiet), strict=False):
        bars(
            figure, list(names), values, colour=colour, name=title,
            hover=f"{title}, %{{x}}: |r| %{{y:.2f}}",
        )  # fmt: skip
    rule(figure, palette.text, y=found_from, dash="dash")
    style(
        figure, palette, height=260, legend=True, barmode="group",
        y={"title": "|r| to the truth", "range": [0, 1]},
    )  # fmt: skip
    counts = ", ".join(
        f"{title} {int((values > found_from).sum())} of {len(names)}" for title, values in r.items()
    )
    return Picture(
        figure=figure,
        alternative=f"Networks found, |r| above {found_from:g} (dashed): {counts}.",
        table=pd.DataFrame({"network": list(names)} | {k: v.round(3) for k, v in r.items()}),
    )

"""Pictures of the lesson's simulated brain: planted maps, recovered maps, and their match."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, legend_on_top, style
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
    figure = go.Figure(
        go.Heatmap(
            z=canvas.astype(np.float32), zmin=0, zmax=1, colorscale=scale, showscale=False,
            hoverinfo="skip", hoverongaps=False,
        )
    )  # fmt: skip
    style(figure, palette, height=170 * len(views), left=8, bottom=24)
    figure.update_layout(
        annotations=[
            note
            | {"showarrow": False, "xref": "x", "yref": "y"}
            | {"font": {"color": palette.text, "size": 11}}
            for note in annotations
        ]
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x", range=[-6, len(canvas) + 2])
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
        figure.add_bar(
            x=list(names), y=values.astype(np.float32), name=title,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"{title}, %{{x}}: |r| %{{y:.2f}}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=found_from, line={"color": palette.text, "width": 1, "dash": "dash"})
    style(figure, palette, height=260)
    legend_on_top(figure, palette)
    figure.update_layout(barmode="group")
    figure.update_yaxes(title_text="|r| to the truth", range=[0, 1])
    counts = ", ".join(
        f"{title} {int((values > found_from).sum())} of {len(names)}" for title, values in r.items()
    )
    return Picture(
        figure=figure,
        alternative=f"Networks found, |r| above {found_from:g} (dashed): {counts}.",
        table=pd.DataFrame({"network": list(names)} | {k: v.round(3) for k, v in r.items()}),
    )

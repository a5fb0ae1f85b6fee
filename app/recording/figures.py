"""Pictures of recordings: the carpet plot and per-layer statistics."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.figures.marks import cells, line, rule, ticks
from app.figures.raster import to_int8
from app.figures.theme import Palette, greys


def carpet_plot(
    values: NDArray[np.floating],
    layers: NDArray[np.integer],
    *,
    palette: Palette,
    limit: float = 3.0,
    n_dummy_tokens: int = 0,
) -> Picture:
    """Draw a carpet plot: sampled units by layer (rows) over the tokens of a session (columns).

    Parameters
    ----------
    values : ndarray (rows, n_tokens)
        Signals scaled by each unit's own mean and deviation.
    layers : ndarray (rows,)
        The layer of each row, ascending.
    """
    figure = cells(
        go.Figure(), to_int8(values, limit), span=(-127, 127), scale=greys(palette),
        customdata=np.repeat(layers.astype(np.int16)[:, None], values.shape[1], axis=1),
        hover="layer %{customdata}, token %{x}",
    )  # fmt: skip
    starts = np.flatnonzero(np.diff(layers, prepend=-1))
    starts = starts[:: max(1, len(starts) // 8)]
    named = ticks([str(layers[start]) for start in starts], starts)
    style(
        figure, palette, height=420, x="token in the session",
        y={"title": "units, by layer", "showgrid": False, **named},
    )  # fmt: skip
    if n_dummy_tokens:
        rule(figure, palette.accent, x=n_dummy_tokens - 0.5)
    mean_magnitude = np.abs(values).mean(axis=0)
    peak = int(mean_magnitude[n_dummy_tokens:].argmax()) + n_dummy_tokens if values.size else 0
    table = pd.DataFrame(
        {
            "token": np.arange(values.shape[1]),
            "mean |z| of units": mean_magnitude.round(3),
            "left out": np.arange(values.shape[1]) < n_dummy_tokens,
        }
    )
    return Picture(
        figure=figure,
        alternative=(
            f"Carpet plot of {values.shape[0]} sampled units over {values.shape[1]} tokens; the "
            f"most widespread activity after the dummy tokens is at token {peak}."
        ),
        table=table,
    )


def layer_lines(
    frame: pd.DataFrame, columns: dict[str, str], *, title: str, palette: Palette
) -> Picture:
    """Draw per-layer numbers on a logarithmic axis.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, with a column ``layer``.
    columns : dict
        Column → its name for people, most important first.
    """
    colours = (palette.accent, palette.text, palette.quiet)
    figure = go.Figure()
    for (column, name), colour in zip(columns.items(), colours, strict=False):
        line(
            figure, frame["layer"], frame[column].astype(float), colour=colour, width=1.5,
            mode="lines+markers", marker={"size": 5}, name=name,
            hover=f"layer %{{x}}: %{{y:.3g}} {name}",
        )  # fmt: skip
    power = {"title": title, "type": "log", "dtick": 1, "exponentformat": "power"}
    style(figure, palette, height=300, legend=True, x="layer", y=power)
    first_column, name = next(iter(columns.items()))
    top = int(frame[first_column].to_numpy().argmax())
    return Picture(
        figure=figure,
        alternative=f"By layer, {name} is largest in layer {frame['layer'].iloc[top]}.",
        table=frame[["layer", *columns]].rename(columns=columns),
    )

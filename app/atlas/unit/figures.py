"""Pictures of one unit: the networks it loads on, the domains it serves, its place."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, cells, error, named, points, rule
from app.figures.markup import signed, visible
from app.figures.theme import Palette, diverging_scale


def unit_loadings(
    z: NDArray[np.floating],
    *,
    names: Sequence[str],
    selected: int,
    threshold: float,
    palette: Palette,
) -> Picture:
    """Draw a unit's z in every network; those beyond the threshold in colour.

    Parameters
    ----------
    z : ndarray (K,)
    names : sequence of str (K,)
        What the networks are called.
    selected : int
        The network whose bar has an outline.
    """
    is_beyond = np.abs(z) > threshold
    colours = np.where(z > 0, palette.hot[1], palette.cold[1])
    outline = (np.arange(len(z)) == selected).astype(int)
    figure = bars(
        go.Figure(), np.arange(len(z)), z,
        colour=np.where(is_beyond, colours, palette.quiet).tolist(),
        marker={"line": {"color": palette.text, "width": outline}},
        customdata=[safe(visible(name)) for name in names],
        hover="network %{x} · %{customdata}<br>z %{y:.2f}",
    )  # fmt: skip
    for level in (-threshold, threshold):
        rule(figure, palette.line, y=level, dash="dot")
    style(
        figure, palette, height=220, x={"title": "network", "nticks": 12},
        y={"title": "z", "nticks": 5},
    )  # fmt: skip
    top = int(np.abs(z).argmax())
    return Picture(
        figure=figure,
        alternative=(
            f"This unit loads the most on network {top}, {names[top]}, with z "
            f"{signed(z[top], '.1f')}; {int(is_beyond.sum())} of {len(z)} networks have |z| above "
            f"{threshold:g}."
        ),
        table=pd.DataFrame(
            {"network": np.arange(len(z)), "name": list(names), "z": np.round(z, 3)}
        ).sort_values("z", key=np.abs, ascending=False),
    )


def unit_domains(frame: pd.DataFrame, *, palette: Palette) -> Picture:
    """Draw a unit's mean activation by domain, with the standard error over documents.

    Parameters
    ----------
    frame : DataFrame
        As `units.activation_by_domain` makes it.
    """
    sorted_domains = frame.sort_values("mean").reset_index(drop=True)
    mean = sorted_domains["mean"].to_numpy()
    figure = bars(
        go.Figure(), mean, [safe(visible(str(name))) for name in sorted_domains["domain"]],
        orientation="h", colour=[palette.hot[1] if m > 0 else palette.cold[1] for m in mean],
        error_x=error(sorted_domains["standard_error"], color=palette.text),
        customdata=sorted_domains["documents"],
        hover="%{y}: %{x:.3g}, over %{customdata} documents",
    )  # fmt: skip
    style(
        figure, palette, height=70 + 28 * len(sorted_domains), y=named(palette),
        x={"title": "mean activation ± standard error", "nticks": 5},
    )  # fmt: skip
    top = sorted_domains.iloc[int(np.abs(mean).argmax())]
    return Picture(
        figure=figure,
        alternative=(
            f"Mean activation is farthest from 0 in {visible(str(top['domain']))}, "
            f"{top['mean']:.3g}; bars show the standard error over documents."
        ),
        table=sorted_domains,
    )


def unit_place(
    sheet: NDArray[np.floating],
    indices: NDArray[np.integer],
    *,
    unit: tuple[int, int],
    network: int,
    threshold: float,
    limit: float,
    palette: Palette,
) -> Picture:
    """Draw the sheet of a unit's layer with the unit marked, coloured by a network.

    Parameters
    ----------
    sheet : ndarray (rows, columns)
        z of the network, NaN where there is no unit.
    indices : ndarray (rows, columns)
        Index of each unit in its layer, −1 where there is none.
    unit : (int, int)
        Layer and index of the unit.
    """
    layer, index = unit
    row, column = (int(places[0]) for places in np.nonzero(indices == index))
    figure = cells(
        go.Figure(), sheet, span=(-limit, limit), customdata=indices.astype(np.int32),
        scale=diverging_scale(palette, threshold=threshold, limit=limit),
        hover=f"layer {layer}, unit %{{customdata}}<br>z %{{z:.1f}}",
    )  # fmt: skip
    ring = {"symbol": "circle-open", "line": {"color": palette.text, "width": 2.5}}
    points(figure, [column], [row], colour=palette.text, size=16, marker=ring)
    n_rows, n_columns = sheet.shape
    style(
        figure, palette, height=240, margin={"l": 4, "b": 4},
        x={"visible": False, "range": [-0.5, n_columns - 0.5]},
        y={"visible": False, "range": [-0.5, n_rows - 0.5]},
    )  # fmt: skip
    return Picture(
        figure=figure,
        alternative=(
            f"Unit {index} lies at x {column} of {n_columns} and y {row} of {n_rows} in the sheet "
            f"of layer {layer}, coloured by network {network}; its z there is "
            f"{sheet[row, column]:.1f}."
        ),
        table=pd.DataFrame(
            {"layer": [layer], "unit": [index], "x": [column], "y": [row],
             "z": [round(float(sheet[row, column]), 3)]}
        ),
    )  # fmt: skip

"""Pictures of one unit: the networks it loads on, the domains it serves, its place."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
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
    figure = go.Figure(
        go.Bar(
            x=np.arange(len(z), dtype=np.int32),
            y=z.astype(np.float32),
            customdata=[html.escape(visible(name), quote=False) for name in names],
            marker={
                "color": np.where(is_beyond, colours, palette.quiet).tolist(),
                "line": {
                    "color": palette.text,
                    "width": [1 if k == selected else 0 for k in range(len(z))],
                },
            },
            hovertemplate="network %{x} · %{customdata}<br>z %{y:.2f}<extra></extra>",
        )
    )
    for level in (-threshold, threshold):
        figure.add_hline(y=level, line={"color": palette.line, "dash": "dot", "width": 1})
    style(figure, palette, height=220)
    figure.update_xaxes(title_text="network", nticks=12)
    figure.update_yaxes(title_text="z", nticks=5)
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
    mean, error = sorted_domains["mean"].to_numpy(), sorted_domains["standard_error"].to_numpy()
    figure = go.Figure(
        go.Bar(
            x=mean.astype(np.float32),
            y=[html.escape(visible(str(name)), quote=False) for name in sorted_domains["domain"]],
            orientation="h",
            marker={
                "color": [palette.hot[1] if m > 0 else palette.cold[1] for m in mean],
                "line": {"width": 0},
            },
            error_x={"array": np.nan_to_num(error), "color": palette.text, "thickness": 1},
            customdata=sorted_domains["documents"],
            hovertemplate="%{y}: %{x:.3g}, over %{customdata} documents<extra></extra>",
        )
    )
    style(figure, palette, height=70 + 28 * len(sorted_domains))
    figure.update_xaxes(title_text="mean activation ± standard error", nticks=5)
    figure.update_yaxes(showgrid=False, ticks="", tickfont={"color": palette.text})
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
    figure = go.Figure(
        go.Heatmap(
            z=sheet.astype(np.float32),
            zmin=-limit,
            zmax=limit,
            colorscale=diverging_scale(palette, threshold=threshold, limit=limit),
            showscale=False,
            hoverongaps=False,
            customdata=indices.astype(np.int32),
            hovertemplate=f"layer {layer}, unit %{{customdata}}<br>z %{{z:.1f}}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=[column],
        y=[row],
        mode="markers",
        marker={
            "symbol": "circle-open",
            "size": 16,
            "color": palette.text,
            "line": {"color": palette.text, "width": 2.5},
        },
        hoverinfo="skip",
    )
    n_rows, n_columns = sheet.shape
    style(figure, palette, height=240, left=4, bottom=4)
    figure.update_xaxes(visible=False, range=[-0.5, n_columns - 0.5])
    figure.update_yaxes(visible=False, range=[-0.5, n_rows - 0.5])
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

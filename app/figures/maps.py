"""Pictures of a statistic map: slices of the cortex, and three sides of the model."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, style
from app.figures.cortex import GAP, mosaic
from app.figures.raster import group_columns, small_ints, to_int8
from app.figures.surfaces import ring, silhouette
from app.figures.theme import Palette, diverging_scale
from fnprune_core.atlas.cortex import strongest

#: Cells beyond which z goes to the browser in steps of 1/127 of the limit: a quarter of the bytes.
MOST_EXACT = 120_000
_STEPS = 127


def colour_bar(threshold: float, limit: float, *, scale: float = 1.0) -> dict[str, Any]:
    """Return a colour bar below a picture that tells the threshold and both limits.

    Parameters
    ----------
    scale : float
        What the picture's values were multiplied with.
    """
    ticks = np.array([-limit, -threshold, threshold, limit]) * scale
    return {
        "orientation": "h",
        "thickness": 8,
        "len": 0.42,
        "lenmode": "fraction",
        "x": 0,
        "xanchor": "left",
        "yref": "container",
        "y": 0.01,
        "yanchor": "bottom",
        "outlinewidth": 0,
        "tickvals": ticks.tolist(),
        "ticktext": [f"−{limit:.3g}", f"−{threshold:g}", f"{threshold:g}", f"z {limit:.3g}"],
        "tickfont": {"size": 12},
    }


def add_profile(
    figure: go.Figure,
    profile: NDArray[np.floating],
    palette: Palette,
    *,
    row: int,
    col: int,
) -> None:
    """Draw the share of each layer's units beyond the threshold as bars, layers upwards."""
    percent = profile.astype(np.float32) * 100
    figure.add_bar(
        x=percent,
        y=np.arange(len(profile), dtype=np.int16),
        orientation="h",
        marker_color=palette.quiet,
        marker_line_width=0,
        hovertemplate="layer %{y}: %{x:.2f} % of its units<extra></extra>",
        showlegend=False,
        row=row,
        col=col,
    )
    top = max(float(percent.max()), 0.1)
    figure.update_xaxes(
        title_text="% of layer",
        range=[0, top * 1.05],
        tickvals=[0, top],
        ticktext=["0", f"{top:.1f}"],
        row=row,
        col=col,
    )
    figure.update_yaxes(
        showgrid=False, range=[-0.5, len(profile) - 0.5], nticks=5, row=row, col=col
    )


def thresholded(values: NDArray[np.floating], threshold: float) -> NDArray[np.float32]:
    """Return values with those below the threshold at 0, empty cells still empty."""
    is_below = np.abs(np.nan_to_num(values)) <= threshold
    return np.where(is_below, values * 0, values).astype(np.float32)


def _heat_options(
    values: NDArray[np.float32], threshold: float, limit: float, palette: Palette
) -> Any:
    """Return the options of a heat map of z: exact values, or steps of one byte in large ones."""
    scale = diverging_scale(palette, threshold=threshold, limit=limit)
    if values.size <= MOST_EXACT:
        return {
            "z": values,
            "zmin": -limit,
            "zmax": limit,
            "colorscale": scale,
            "colorbar": colour_bar(threshold, limit),
        }
    first_stop = 1 / (2 * _STEPS + 1)  # bytes know no NaN: the lowest step is clear
    steps = to_int8(values, limit)
    steps[np.isnan(values)] = -_STEPS - 1
    clear_stops = [
        (0.0, "rgba(0,0,0,0)"),
        (first_stop / 2, "rgba(0,0,0,0)"),
        (first_stop / 2, scale[0][1]),
    ]
    return {
        "z": steps,
        "zmin": -_STEPS - 1,
        "zmax": _STEPS,
        "colorscale": clear_stops
        + [(first_stop + stop * (1 - first_stop), colour) for stop, colour in scale],
        "colorbar": colour_bar(threshold, limit, scale=_STEPS / limit),
    }


def cell_at(
    shape: tuple[int, ...], x: float, y: float, *, n_across: int = 6
) -> tuple[int, int, int] | None:
    """Return (layer, row, column) of a point of `cortex_slices`, or None between the sheets.

    Parameters
    ----------
    shape : tuple
        Of the volume: (n_layers, rows, columns).
    """
    n_layers, n_rows, n_columns = shape
    sheet_row, row = divmod(round(y), n_rows + GAP)
    sheet_column, column = divmod(round(x), n_columns + GAP)
    layer = sheet_row * n_across + sheet_column
    is_inside = row < n_rows and column < n_columns and 0 <= sheet_column < n_across
    return (layer, row, column) if is_inside and 0 <= layer < n_layers else None


def cortex_slices(
    volume: NDArray[np.floating],
    units: NDArray[np.integer],
    *,
    network: int,
    threshold: float,
    limit: float,
    palette: Palette,
    n_across: int = 6,
) -> Picture:
    """Draw a network as slices of the cortex, one sheet a layer, first layer at the bottom left.

    Beside them stands the depth profile, below them the colour bar.

    Parameters
    ----------
    volume : ndarray (n_layers, rows, columns)
        z, NaN where there is no unit.
    units : ndarray (n_layers, rows, columns)
        Index of each unit in its layer, −1 where there is none.
    """
    n_layers, n_rows, n_columns = volume.shape
    canvas, corners = mosaic(thresholded(volume, threshold), n_across)
    heat = _heat_options(canvas, threshold, limit, palette)
    figure = make_subplots(rows=1, cols=2, column_widths=[0.9, 0.1], horizontal_spacing=0.045)
    figure.add_heatmap(
        **heat,
        customdata=_places(units, n_across),
        hoverongaps=False,
        hovertemplate=(
            "layer %{customdata[0]}, unit %{customdata[1]}<br>z %{z:.1f}<extra></extra>"
            if canvas.size <= MOST_EXACT
            else "unit %{customdata} of this layer<extra></extra>"
        ),
        row=1,
        col=1,
    )
    is_above = np.abs(np.nan_to_num(volume)) > threshold
    per_layer = is_above.sum(axis=(1, 2))
    add_profile(
        figure, per_layer / np.maximum((units >= 0).sum(axis=(1, 2)), 1), palette, row=1, col=2
    )
    aspect = canvas.shape[0] / canvas.shape[1]
    style(figure, palette, height=int(min(920, max(300, 700 * aspect + 62))), left=4, bottom=62)
    # One trace of words: an annotation a layer would take the browser longer than the map.
    figure.add_scatter(
        x=[x for x, _ in corners],
        y=[y + n_rows - 1 for _, y in corners],
        text=[str(layer) for layer in range(n_layers)],
        mode="text",
        textposition="bottom right",
        textfont={"size": 11, "color": palette.quiet},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=1,
    )
    # Not locked to square cells: on a narrow screen the sheets fill the height instead.
    height, width = canvas.shape
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5], row=1, col=1)
    figure.update_yaxes(visible=False, range=[-0.5, height - 0.5], row=1, col=1)
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} on the cortex, one sheet of {n_rows} × {n_columns} units a layer: "
            f"{int(is_above.sum()):,} units have |z| above {threshold:g}, most in layer "
            f"{int(per_layer.argmax())} ({int(per_layer.max()):,})."
        ),
        table=pd.DataFrame(
            {
                "layer": np.arange(n_layers),
                f"units with |z| > {threshold:g}": per_layer,
                "largest z": np.nanmax(volume, axis=(1, 2)).round(2),
                "smallest z": np.nanmin(volume, axis=(1, 2)).round(2),
            }
        ),
    )


def mark_cell(
    picture: Picture,
    cell: tuple[int, int, int],
    shape: tuple[int, ...],
    palette: Palette,
    *,
    n_across: int = 6,
) -> None:
    """Ring a cell (layer, row, column) in a picture of `cortex_slices`."""
    sheet_row, sheet_column = divmod(cell[0], n_across)
    picture.figure.add_scatter(
        x=[sheet_column * (shape[2] + GAP) + cell[2]],
        y=[sheet_row * (shape[1] + GAP) + cell[1]],
        mode="markers",
        marker={
            "symbol": "circle-open",
            "size": 13,
            "color": palette.accent,
            "line": {"width": 2},
        },
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=1,
    )


def _places(units: NDArray[np.integer], n_across: int) -> NDArray[np.integer]:
    """Return the layer and the index of the unit in each cell of the mosaic: (…, 2).

    In large ones the index alone, (…): the browser makes a list of each pair.
    """
    index, _ = mosaic(units.astype(np.float32), n_across)
    if index.size > MOST_EXACT:
        return small_ints(np.nan_to_num(index))
    depth = np.broadcast_to(np.arange(len(units), dtype=np.float32)[:, None, None], units.shape)
    layer_of, _ = mosaic(depth, n_across)
    return small_ints(np.dstack([np.nan_to_num(layer_of), np.nan_to_num(index)]))


def cortex_projections(
    volume: NDArray[np.floating],
    *,
    network: int,
    threshold: float,
    limit: float,
    palette: Palette,
) -> Picture:
    """Draw a network seen from three sides through the whole model, as a glass brain is.

    Each point is the strongest value along the line of sight, inside the model's own outline;
    the depth profile shares the axis of the layers.
    """
    n_layers, n_rows, n_columns = volume.shape
    is_above = np.abs(np.nan_to_num(volume)) > threshold
    views = (  # title, values, name of x, name of y, outline, row, column
        (
            "from the front", strongest(volume, axis=1), "x", "layer",
            silhouette(n_columns, n_layers), 1, 1,
        ),
        (
            "from the side", strongest(volume, axis=2), "y", "layer",
            silhouette(n_rows, n_layers), 1, 2,
        ),
        ("from above", strongest(volume, axis=0), "x", "y", ring(n_rows, n_columns, 1.06), 2, 1),
    )  # fmt: skip
    figure = make_subplots(
        rows=2,
        cols=3,
        specs=[[{}, {}, {}], [{}, None, None]],
        column_widths=[0.48, 0.36, 0.16],
        horizontal_spacing=0.05,
        vertical_spacing=0.09,
    )
    for title, values, x_name, y_name, outline, row, column in views:
        _add_outline(figure, outline, palette, row=row, col=column)
        values_above = thresholded(values, threshold)
        figure.add_heatmap(
            z=np.where(values_above == 0, np.nan, values_above).astype(np.float32),
            zmin=-limit,
            zmax=limit,
            colorscale=diverging_scale(palette, threshold=threshold, limit=limit),
            colorbar=colour_bar(threshold, limit),
            showscale=row == 2,
            hoverongaps=False,
            hovertemplate=f"{x_name} %{{x}}, {y_name} %{{y}}<br>z %{{z:.1f}}<extra>{title}</extra>",
            row=row,
            col=column,
        )
        figure.update_xaxes(title_text=title, row=row, col=column)
    profile = is_above.sum(axis=(1, 2)) / np.isfinite(volume).sum(axis=(1, 2))
    add_profile(figure, profile, palette, row=1, col=3)
    style(figure, palette, height=560, left=36, bottom=62)
    _set_sides(figure, n_layers, n_rows, n_columns)
    peak = np.unravel_index(np.nanargmax(np.abs(volume)), volume.shape)
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} seen from above, the front and the side: its strongest unit is in "
            f"layer {peak[0]}, at x {peak[2]} of {n_columns} and y {peak[1]} of {n_rows}; "
            f"{is_above.sum():,} units have |z| above {threshold:g}."
        ),
        table=pd.DataFrame(
            {
                "layer": np.arange(n_layers),
                f"% of units with |z| > {threshold:g}": (profile * 100).round(3),
                "largest |z|": np.nanmax(np.abs(volume), axis=(1, 2)).round(2),
            }
        ),
    )


def _add_outline(
    figure: go.Figure, points: NDArray[np.float64], palette: Palette, *, row: int, col: int
) -> None:
    path = "M" + "L".join(f"{x:.2f},{y:.2f}" for x, y in points) + "Z"
    figure.add_shape(
        type="path",
        path=path,
        layer="below",
        fillcolor=palette.silhouette,
        line={"color": palette.quiet, "width": 1.5},
        row=row,
        col=col,
    )


def _around(n: int) -> list[float]:
    """Return an axis range that holds the body around `n` cells."""
    return [-0.5 - 0.05 * n, n - 0.5 + 0.05 * n]


def _set_sides(figure: go.Figure, n_layers: int, n_rows: int, n_columns: int) -> None:
    """Link the axes that views share, and hide labels that only repeat."""
    figure.update_xaxes(showline=False)
    figure.update_yaxes(showline=False)
    for row, col in ((1, 1), (1, 2), (2, 1)):
        figure.update_xaxes(showticklabels=False, ticks="", row=row, col=col)
        figure.update_yaxes(
            showgrid=False, showticklabels=col == 1 and row == 1, ticks="", row=row, col=col
        )
    figure.update_yaxes(title_text="layer", nticks=5, row=1, col=1)
    margin = max(1.5, 0.06 * n_layers)
    for col in (1, 2, 3):
        figure.update_yaxes(range=[-margin, n_layers - 1 + margin], row=1, col=col)
    for row, col, columns, rows in (
        (1, 1, n_columns, 0), (1, 2, n_rows, 0), (2, 1, n_columns, n_rows),
    ):  # fmt: skip
        figure.update_xaxes(range=_around(columns), row=row, col=col)
        if rows:
            figure.update_yaxes(range=_around(rows), row=row, col=col)
    figure.update_yaxes(showticklabels=False, ticks="", row=1, col=3)


def unit_at(
    values: NDArray[np.floating],
    labels: NDArray[np.integer] | None,
    layer: int,
    column: int,
    *,
    n_columns: int,
) -> int | None:
    """Return the index of the strongest unit in a column of `network_map`, or None beyond a layer.

    Parameters
    ----------
    values, labels : ndarray (n_layers, width)
        As the map was drawn with them.
    column : int
        First of the units that the column pools.
    """
    row = values[layer : layer + 1]
    index = np.where(np.isnan(row), np.nan, np.arange(row.shape[1]))
    if labels is not None:
        order = labels[layer : layer + 1]
        row, index = group_columns(row, order), group_columns(index, order)
    step = max(1, -(-row.shape[1] // n_columns))
    columns_of_bin = slice(column, column + step)
    units = index[0, columns_of_bin]
    if not np.isfinite(units).any():
        return None
    return int(
        units[int(np.where(np.isfinite(units), np.abs(row[0, columns_of_bin]), -1.0).argmax())]
    )

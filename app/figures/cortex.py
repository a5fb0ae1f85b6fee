"""Pictures of the cortex: slices, projections and surfaces of the model's volume."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, style
from app.theme import Palette, diverging_scale, parcel_scale, qualitative
from fnprune_core.topography import strongest

_GAP = 2  # empty cells between slices
_UP = {"x": 0, "y": 0, "z": 1}


def _mosaic(
    volume: NDArray[np.floating], n_across: int
) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
    """Return slices side by side, last layer on top, and the corner (x, y) of each layer."""
    n_layers, n_rows, n_columns = volume.shape
    n_down = -(-n_layers // n_across)
    height, width = n_down * (n_rows + _GAP) - _GAP, n_across * (n_columns + _GAP) - _GAP
    canvas = np.full((height, width), np.nan, dtype=np.float32)
    corners = []
    for layer in range(n_layers):
        down, across = divmod(layer, n_across)
        y, x = down * (n_rows + _GAP), across * (n_columns + _GAP)
        canvas[y : y + n_rows, x : x + n_columns] = volume[layer]
        corners.append((x, y))
    return canvas, corners


def _slices(
    volume: NDArray[np.floating],
    units: NDArray[np.integer],
    *,
    n_across: int,
    palette: Palette,
    colours: dict[str, Any],
    says: str,
) -> go.Figure:
    """Draw all sheets of a volume as one heat map; `says` is the hover's last line."""
    canvas, corners = _mosaic(volume, n_across)
    index, _ = _mosaic(units.astype(np.float32), n_across)
    depth = np.broadcast_to(np.arange(len(volume), dtype=np.float32)[:, None, None], volume.shape)
    layer_of, _ = _mosaic(depth, n_across)
    figure = go.Figure(
        go.Heatmap(
            z=canvas,
            customdata=np.dstack([np.nan_to_num(layer_of), np.nan_to_num(index)]).astype(np.int16),
            showscale=False,
            hoverongaps=False,
            hovertemplate=(
                "layer %{customdata[0]}, unit %{customdata[1]}<br>" + says + "<extra></extra>"
            ),
            **colours,
        )
    )
    aspect = canvas.shape[0] / canvas.shape[1]
    style(figure, palette, height=int(min(900, max(260, 720 * aspect))), left=4, bottom=4)
    for layer, (x, y) in enumerate(corners):
        figure.add_annotation(
            x=x + 0.5,
            y=y + volume.shape[1] - 0.5,
            text=str(layer),
            showarrow=False,
            xanchor="left",
            yanchor="top",
            font={"size": 11, "color": palette.quiet},
        )
    # Not locked to square cells: on a narrow screen the sheets fill the height instead.
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _thresholded(values: NDArray[np.floating], threshold: float) -> NDArray[np.float32]:
    """Return values with those below the threshold at 0, empty cells still empty."""
    below = np.abs(np.nan_to_num(values)) <= threshold
    return np.where(below, values * 0, values).astype(np.float32)


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

    Parameters
    ----------
    volume : ndarray (n_layers, rows, columns)
        z, NaN where there is no unit.
    units : ndarray (n_layers, rows, columns)
        Index of each unit in its layer, −1 where there is none.
    """
    figure = _slices(
        _thresholded(volume, threshold),
        units,
        n_across=n_across,
        palette=palette,
        colours={
            "zmin": -limit,
            "zmax": limit,
            "colorscale": diverging_scale(palette, threshold=threshold, limit=limit),
        },
        says="z %{z:.1f}",
    )
    n_rows, n_columns = volume.shape[1:]
    above = np.abs(np.nan_to_num(volume)) > threshold
    per_layer = above.sum(axis=(1, 2))
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} on the cortex, one sheet of {n_rows} × {n_columns} units a layer: "
            f"{int(above.sum()):,} units have |z| above {threshold:g}, most in layer "
            f"{int(per_layer.argmax())} ({int(per_layer.max()):,})."
        ),
        table=pd.DataFrame(
            {
                "layer": np.arange(len(volume)),
                f"units with |z| > {threshold:g}": per_layer,
                "largest z": np.nanmax(volume, axis=(1, 2)).round(2),
                "smallest z": np.nanmin(volume, axis=(1, 2)).round(2),
            }
        ),
    )


def cortex_projections(
    volume: NDArray[np.floating],
    *,
    network: int,
    threshold: float,
    limit: float,
    palette: Palette,
) -> Picture:
    """Draw a network seen from three sides through the whole model, as a glass brain is.

    Each point is the strongest value along the line of sight.
    """
    n_layers, n_rows, n_columns = volume.shape
    views = (
        ("from above", strongest(volume, axis=0), "x", "y"),
        ("from the front", strongest(volume, axis=1), "x", "layer"),
        ("from the side", strongest(volume, axis=2), "y", "layer"),
    )
    figure = make_subplots(rows=1, cols=3, horizontal_spacing=0.06)
    scale = diverging_scale(palette, threshold=threshold, limit=limit)
    for column, (title, values, across, up) in enumerate(views, start=1):
        figure.add_heatmap(
            z=_thresholded(values, threshold),
            zmin=-limit,
            zmax=limit,
            colorscale=scale,
            showscale=False,
            hovertemplate=f"{across} %{{x}}, {up} %{{y}}<br>z %{{z:.1f}}<extra>{title}</extra>",
            row=1,
            col=column,
        )
        figure.update_xaxes(title_text=f"{title}: {across}", row=1, col=column)
        figure.update_yaxes(title_text=up, row=1, col=column)
    style(figure, palette, height=300)
    figure.update_xaxes(showticklabels=False, ticks="", mirror=True, linewidth=1)
    figure.update_yaxes(showgrid=False, mirror=True, linewidth=1, nticks=5)
    peak = np.unravel_index(np.nanargmax(np.abs(volume)), volume.shape)
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} seen from above, the front and the side: its strongest unit is in "
            f"layer {peak[0]}, at x {peak[2]} of {n_columns} and y {peak[1]} of {n_rows}."
        ),
        table=pd.DataFrame(
            {
                "layer": np.arange(n_layers),
                "largest |z|": np.nanmax(np.abs(volume), axis=(1, 2)).round(2),
            }
        ),
    )


def cortex_surfaces(
    volumes: Sequence[NDArray[np.floating]],
    *,
    networks: Sequence[int],
    n_networks: int,
    palette: Palette,
    share: float = 0.985,
    height: int = 560,
) -> Picture:
    """Draw networks as surfaces inside the body of the model, each in its own colour.

    Parameters
    ----------
    volumes : sequence of ndarray (n_layers, rows, columns)
        Lightly smoothed abs(z): smoothing is for the eye alone.
    networks : sequence of int
        Their numbers, in the same order.
    share : float
        A surface encloses the strongest 1 − share of the cells.
    """
    n_layers, n_rows, n_columns = volumes[0].shape
    small = np.int8 if max(volumes[0].shape) < 128 else np.int16  # bytes go to the browser
    z, y, x = np.mgrid[0:n_layers, 0:n_rows, 0:n_columns].astype(small)
    colours = qualitative(palette, n_networks)
    figure = go.Figure()
    levels = []
    for volume, network in zip(volumes, networks, strict=True):
        level, largest = float(np.quantile(volume, share)), float(volume.max())
        levels.append(level)
        steps = 255 / max(largest, 1e-12)
        colour = colours[network]
        figure.add_isosurface(
            x=x.ravel(),
            y=y.ravel(),
            z=z.ravel(),
            value=np.round(volume.ravel() * steps).astype(np.uint8),
            isomin=level * steps,
            isomax=255,
            surface_count=1,
            colorscale=[(0, colour), (1, colour)],
            showscale=False,
            opacity=0.75 if len(volumes) > 1 else 0.9,
            caps={"x_show": True, "y_show": True, "z_show": True},
            lighting={"ambient": 0.55, "diffuse": 0.7, "specular": 0.15, "roughness": 0.7},
            flatshading=False,
            name=f"network {network}",
            hovertemplate=f"network {network}, layer %{{z}}<extra></extra>",
        )
    figure.add_trace(_body(n_layers, n_rows, n_columns, palette))
    style(figure, palette, height=height, left=0, bottom=0)
    hidden = {"visible": False}
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        scene={
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": {
                "title": {"text": "layer"},
                "color": palette.quiet,
                "showbackground": False,
                "showgrid": False,
                "nticks": 4,
            },
            "aspectmode": "manual",
            "aspectratio": {"x": n_columns / n_rows, "y": 1.0, "z": 1.15},
            "camera": {
                "eye": {"x": 1.6, "y": -1.85, "z": 0.8},
                "center": {"x": 0, "y": 0, "z": -0.08},
                "up": _UP,
            },
            "bgcolor": "rgba(0,0,0,0)",
            "dragmode": "orbit",
        },
        dragmode="orbit",
    )
    listed = ", ".join(str(network) for network in networks)
    return Picture(
        figure=figure,
        alternative=(
            f"Surfaces around the strongest {1 - share:.1%} of cells of network"
            f"{'s' if len(networks) > 1 else ''} {listed}, inside the outline of the model's "
            f"{n_layers} layers."
        ),
        table=pd.DataFrame({"network": list(networks), "smoothed |z| at the surface": levels}),
    )


def _body(n_layers: int, n_rows: int, n_columns: int, palette: Palette) -> go.Mesh3d:
    """Return the translucent outline of all sheets: a rounded box around every unit."""
    angle = np.linspace(0, 2 * np.pi, 65)[:-1]
    # A superellipse bulges like a body and still encloses the corners of the sheets.
    power = 0.35
    ring_x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    ring_y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    heights = np.array([-0.5, 0.0, *np.linspace(1, n_layers - 2, 5), n_layers - 1, n_layers - 0.5])
    swell = np.array([0.94, 1.02, *[1.05] * 5, 1.02, 0.94])
    xs, ys, zs = [], [], []
    for level, size in zip(heights, swell, strict=True):
        xs.append((n_columns - 1) / 2 + ring_x * size * n_columns / 2)
        ys.append((n_rows - 1) / 2 + ring_y * size * n_rows / 2)
        zs.append(np.full(len(angle), level))
    n, rings = len(angle), len(heights)
    i, j, k = [], [], []
    for ring in range(rings - 1):
        a = ring * n + np.arange(n)
        b = ring * n + (np.arange(n) + 1) % n
        i += [*a, *b]
        j += [*b, *(b + n)]
        k += [*(a + n), *(a + n)]
    return go.Mesh3d(
        x=np.concatenate(xs).astype(np.float32),
        y=np.concatenate(ys).astype(np.float32),
        z=np.concatenate(zs).astype(np.float32),
        i=np.array(i, dtype=np.int32),
        j=np.array(j, dtype=np.int32),
        k=np.array(k, dtype=np.int32),
        color=palette.quiet,
        opacity=0.07,
        hoverinfo="skip",
        flatshading=False,
    )


def parcellation_slices(
    labels: NDArray[np.integer],
    units: NDArray[np.integer],
    *,
    n_networks: int,
    palette: Palette,
    n_across: int = 6,
) -> Picture:
    """Draw each unit's strongest network on the cortex, one sheet a layer.

    Parameters
    ----------
    labels : ndarray (n_layers, rows, columns)
        Network, −1 where no |z| is above the threshold, −2 where there is no unit.
    units : ndarray (n_layers, rows, columns)
        Index of each unit in its layer.
    """
    figure = _slices(
        np.where(labels == -2, np.nan, labels).astype(np.float32),
        units,
        n_across=n_across,
        palette=palette,
        colours={
            "zmin": -1.5,
            "zmax": n_networks - 0.5,
            "colorscale": parcel_scale(palette, n_networks),
        },
        says="network %{z}",
    )
    sizes = np.bincount(labels[labels >= 0].ravel(), minlength=n_networks)
    n_units = int((labels != -2).sum())
    return Picture(
        figure=figure,
        alternative=(
            f"Parcellation of the cortex: {sizes.sum() / n_units:.0%} of {n_units:,} units belong "
            f"to one of {n_networks} networks; the largest is network {int(sizes.argmax())} with "
            f"{int(sizes.max()):,} units."
        ),
        table=pd.DataFrame({"network": np.arange(n_networks), "units": sizes}),
    )

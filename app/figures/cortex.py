"""Pictures of the cortex: sheets side by side, and surfaces in the model's volume."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, legend_on_top, safe, style
from app.figures.surfaces import Mesh, body, coarser, outline, ring, surface
from app.figures.theme import Palette, network_colours, rgba

GAP = 2  # empty cells between slices
MOST_CELLS = 240_000  # of all volumes in one picture: finer ones are drawn coarser
_UP = {"x": 0, "y": 0, "z": 1}


def mosaic(
    volume: NDArray[np.floating], n_across: int
) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
    """Return slices side by side, last layer on top, and the corner (x, y) of each layer."""
    n_layers, n_rows, n_columns = volume.shape
    n_down = -(-n_layers // n_across)
    height, width = n_down * (n_rows + GAP) - GAP, n_across * (n_columns + GAP) - GAP
    canvas = np.full((height, width), np.nan, dtype=np.float32)
    corners = []
    for layer in range(n_layers):
        sheet_row, sheet_column = divmod(layer, n_across)
        y, x = sheet_row * (n_rows + GAP), sheet_column * (n_columns + GAP)
        canvas[y : y + n_rows, x : x + n_columns] = volume[layer]
        corners.append((x, y))
    return canvas, corners


def number_sheets(
    figure: go.Figure, corners: Sequence[tuple[int, int]], n_rows: int, palette: Palette
) -> None:
    """Write each layer's number in the upper left of its sheet, on the page's own colour.

    All at once: plotly checks every annotation anew when one is added.
    """
    figure.update_layout(
        annotations=[
            {
                "x": x,
                "y": y + n_rows - 0.5,
                "text": str(layer),
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "top",
                "font": {"size": 11, "color": palette.text},
                "bgcolor": palette.canvas,
                "borderpad": 1,
            }
            for layer, (x, y) in enumerate(corners)
        ]
    )


def cortex_surfaces(  # noqa: PLR0913 - a picture's options
    volumes: Sequence[NDArray[np.floating]],
    *,
    networks: Sequence[int],
    n_networks: int,
    palette: Palette,
    share: float | Sequence[float] = 0.985,
    height: int = 480,
    names: Sequence[str] | None = None,
    profile: bool = True,
) -> Picture:
    """Draw networks as surfaces inside the body of the model, each in its own colour.

    Parameters
    ----------
    volumes : sequence of ndarray (n_layers, rows, columns)
        Lightly smoothed abs(z): smoothing is for the eye alone.
    networks : sequence of int
        Their numbers, in the same order.
    share : float or sequence of float
        A surface encloses the strongest 1 − share of the cells; one for all, or one each.
    names : sequence of str, optional
        What the legend calls them.
    profile : bool
        Whether the share of each layer that lies inside is drawn beside them.
    """
    n_layers, n_rows, n_columns = volumes[0].shape
    colours = network_colours(palette, n_networks)
    shares = [share] * len(volumes) if isinstance(share, float) else list(share)
    # Above 0, where most of a volume is empty.
    levels = [
        max(float(np.quantile(volume, quantile)), 1e-6)
        for volume, quantile in zip(volumes, shares, strict=True)
    ]
    inside_share = np.stack(
        [(v > level).mean(axis=(1, 2)) for v, level in zip(volumes, levels, strict=True)]
    )
    labels = names or [f"network {network}" for network in networks]
    figure = go.Figure()
    for volume, level, network, name in zip(volumes, levels, networks, labels, strict=True):
        small_volume, side = coarser(volume, MOST_CELLS // len(volumes))
        mesh = surface(small_volume, level)
        figure.add_trace(
            mesh3d(
                mesh,
                side=side,
                color=colours[network],
                opacity=1.0 if len(volumes) == 1 else 0.85,
                name=safe(name),
                legendgroup=str(network),
                showlegend=len(volumes) > 1,
                lighting={"ambient": 0.5, "diffuse": 0.8, "specular": 0.25, "roughness": 0.6},
                lightposition={"x": 2000, "y": -3000, "z": 4000},
                hovertemplate="%{fullData.name}, layer %{z:.0f}<extra></extra>",
            )
        )
    add_body(figure, n_layers, n_rows, n_columns, palette)
    style(figure, palette, height=height, left=0, bottom=0)
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        scene=scene(n_rows, n_columns, palette),
        scene_domain={"x": [0, 0.84 if profile else 1.0], "y": [0, 1]},
        dragmode="orbit",
    )
    if len(volumes) > 1:
        legend_on_top(figure, palette)
    if not profile:  # a picture by itself: nearer, and without the axis of layers
        figure.update_layout(
            scene_zaxis_visible=False, scene_camera_eye={"x": 1.12, "y": -1.71, "z": 0.6}
        )
    else:
        _add_inside_profile(
            figure, inside_share, [colours[network] for network in networks], palette
        )
    return Picture(
        figure=figure,
        alternative=_describe_surfaces(inside_share, networks, shares),
        table=pd.DataFrame(
            {
                "network": np.repeat(list(networks), n_layers),
                "layer": np.tile(np.arange(n_layers), len(networks)),
                "% of the sheet inside": (inside_share * 100).round(2).ravel(),
                "smoothed |z| at the surface": np.repeat(np.round(levels, 3), n_layers),
            }
        ),
    )


def _describe_surfaces(
    inside_share: NDArray[np.floating], networks: Sequence[int], shares: Sequence[float]
) -> str:
    low, high = 1 - max(shares), 1 - min(shares)
    strongest = f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"
    networks_text = ", ".join(str(network) for network in networks)
    peaks = ", ".join(str(layer) for layer in inside_share.argmax(axis=1))
    is_plural = len(networks) > 1
    return (
        f"Surfaces around the strongest {strongest} of cells of network"
        f"{'s' if is_plural else ''} {networks_text}, inside the outline of the model's "
        f"{inside_share.shape[1]} layers; largest in layer{'s' if is_plural else ''} {peaks}."
    )


def mesh3d(mesh: Mesh, *, side: int = 1, **options: Any) -> go.Mesh3d:
    """Return a mesh as a trace; `side` undoes what `coarser` did to the sheets."""
    x, y, z = mesh.points.T
    i, j, k = mesh.triangles.T
    half = np.float32((side - 1) / 2)
    return go.Mesh3d(
        x=x * side + half, y=y * side + half, z=z, i=i, j=j, k=k, flatshading=False, **options
    )


def add_body(
    figure: go.Figure, n_layers: int, n_rows: int, n_columns: int, palette: Palette
) -> None:
    """Draw the translucent outline of all sheets, and rings where it begins and ends."""
    figure.add_trace(
        mesh3d(
            body(n_layers, n_rows, n_columns),
            color=palette.quiet,
            opacity=0.08,
            hoverinfo="skip",
            showlegend=False,
        )
    )
    heights, widths = outline(n_layers)
    # Not those that only round the ends.
    is_drawn = (heights >= min(1, n_layers - 1)) & (heights <= max(n_layers - 2, 0))
    heights, widths = heights[is_drawn][::2], widths[is_drawn][::2]
    rings = [ring(n_rows, n_columns, size) for size in widths]
    gap = np.full((1, 3), np.nan)
    polylines = [
        np.vstack([np.column_stack([ring_points, np.full(len(ring_points), height)]), gap])
        for ring_points, height in zip(rings, heights, strict=True)
    ]
    x, y, z = np.concatenate(polylines).astype(np.float32).T
    figure.add_scatter3d(
        x=x,
        y=y,
        z=z,
        mode="lines",
        line={"color": palette.line, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def scene(n_rows: int, n_columns: int, palette: Palette) -> dict[str, Any]:
    """Return how the model stands in space: layers upwards, seen from the front."""
    hidden = {"visible": False}
    return {
        "xaxis": hidden,
        "yaxis": hidden,
        "zaxis": {
            "title": {"text": "layer"},
            "color": palette.quiet,
            "showbackground": False,
            "showgrid": False,
            "zeroline": False,
            "nticks": 4,
        },
        "aspectmode": "manual",
        "aspectratio": {"x": n_columns / n_rows, "y": 1.0, "z": 1.15},
        "camera": {
            "eye": {"x": 1.22, "y": -1.86, "z": 0.66},
            "center": {"x": 0, "y": 0, "z": -0.09},
            "up": _UP,
        },
        "bgcolor": "rgba(0,0,0,0)",
        "dragmode": "orbit",
    }


def _add_inside_profile(
    figure: go.Figure, inside_share: NDArray[np.floating], colours: Sequence[str], palette: Palette
) -> None:
    """Draw beside the scene how much of each layer's sheet lies inside each surface."""
    layers = np.arange(inside_share.shape[1], dtype=np.int16)
    for share_by_layer, colour in zip(inside_share, colours, strict=True):
        figure.add_scatter(
            x=(share_by_layer * 100).astype(np.float32),
            y=layers,
            mode="lines",
            line={"color": colour, "width": 2},
            fill="tozerox",
            fillcolor=rgba(colour, 0.18),
            showlegend=False,
            hovertemplate="layer %{y}: %{x:.1f} % of the sheet<extra></extra>",
        )
    top = max(float(inside_share.max()) * 100, 0.1)
    figure.update_xaxes(
        domain=[0.88, 0.99],
        title_text="% of layer",
        range=[0, top * 1.05],
        tickvals=[0, top],
        ticktext=["0", f"{top:.0f}"],
        automargin=False,
    )
    figure.update_yaxes(
        domain=[0.14, 0.86],
        title_text="",
        showgrid=False,
        nticks=4,
        range=[-0.5, len(layers) - 0.5],
        automargin=False,
    )

"""Pictures of the parcellation: the whole model coloured by each unit's strongest network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, safe, style
from app.figures.cortex import MOST_CELLS, add_body, mesh3d, mosaic, number_sheets, scene
from app.figures.surfaces import coarser, ring, silhouette, surface
from app.figures.theme import Palette, faded, parcel_scale

MOST_NAMED = 60_000  # cells: beyond, hover tells the network's number alone
MOST_SHOWN = 120_000  # cells of all slices together
_NAME = 16  # characters of a name in a hover: each goes to the browser with every unit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parcels:
    """Each cell's unit, its strongest network, and its z there.

    Parameters
    ----------
    label : ndarray (n_layers, rows, columns)
        Network, −1 where no |z| is above the threshold, −2 where there is no unit.
    strength : ndarray (n_layers, rows, columns)
        z of that network with its sign, NaN where there is no unit.
    unit : ndarray (n_layers, rows, columns)
        Index in its layer, −1 where there is none.
    side : int
        Cells are squares of so many units a side, shown by the strongest.
    """

    label: NDArray[np.integer]
    strength: NDArray[np.floating]
    unit: NDArray[np.integer]
    side: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colour and name of each network, and which network is emphasised.

    Parameters
    ----------
    colours, names : tuple of str
        One a network; names may hold anything.
    only : int, optional
        The network that keeps its colour while all others fade.
    """

    colours: tuple[str, ...]
    names: tuple[str, ...]
    only: int | None = None

    def drawn_colours(self, palette: Palette) -> Sequence[str]:
        """Return the colours as they are drawn."""
        return self.colours if self.only is None else faded(self.colours, palette, kept={self.only})

    def scale(self, palette: Palette) -> dict[str, Any]:
        """Return the options that give a heat map of labels its colours."""
        n = len(self.colours)
        return {
            "zmin": -1.5,
            "zmax": n - 0.5,
            "colorscale": parcel_scale(palette, n, colours=self.drawn_colours(palette)),
            "showscale": False,
            "hoverongaps": False,
        }

    def hover_name(self, network: int, *, longest: int = _NAME) -> str:
        """Return number and name, escaped, for a hover."""
        name = self.names[network]
        name = name if len(name) <= longest else name[: longest - 1] + "…"
        return f"{network}: {safe(name)}"


def pooled(parcels: Parcels, most: int = MOST_SHOWN) -> Parcels:
    """Return parcels of at most `most` cells: in each square the unit of largest |z| stands."""
    side = 1
    while parcels.label.size / side**2 > most:
        side += 1
    if side == 1:
        return parcels
    n_layers, n_rows, n_columns = parcels.label.shape
    rows, columns = -(-n_rows // side), -(-n_columns // side)

    def squares(values: NDArray[np.generic], fill: float) -> NDArray[Any]:
        padded = np.full((n_layers, rows * side, columns * side), fill, dtype=values.dtype)
        padded[:, :n_rows, :n_columns] = values
        square_cells = padded.reshape(n_layers, rows, side, columns, side).swapaxes(2, 3)
        return square_cells.reshape(n_layers, rows, columns, side * side)

    strength = squares(parcels.strength, np.nan)
    strongest = np.abs(np.nan_to_num(strength)).argmax(axis=-1)[..., None]
    strongest_values = [
        np.take_along_axis(values_of_squares, strongest, axis=-1)[..., 0]
        for values_of_squares in (squares(parcels.label, -2), strength, squares(parcels.unit, -1))
    ]
    return Parcels(
        label=strongest_values[0], strength=strongest_values[1], unit=strongest_values[2], side=side
    )


def parcel_slices(
    parcels: Parcels, look: Look, *, palette: Palette, threshold: float, n_across: int = 6
) -> Picture:
    """Draw each unit's strongest network on the cortex, one sheet a layer, first at bottom left."""
    pooled_parcels = pooled(parcels)
    n_layers, n_rows, _ = pooled_parcels.label.shape
    labels = np.where(pooled_parcels.label == -2, np.nan, pooled_parcels.label).astype(np.float32)
    canvas, corners = mosaic(labels, n_across)
    depth = np.broadcast_to(np.arange(n_layers)[:, None, None], pooled_parcels.label.shape)
    hover_volumes = (
        values_of_cells.astype(np.float32)
        for values_of_cells in (depth, pooled_parcels.unit, pooled_parcels.strength)
    )
    hover_values = np.dstack(
        [mosaic(values_of_cells, n_across)[0] for values_of_cells in hover_volumes]
    )
    is_named = pooled_parcels.label.size <= MOST_NAMED
    figure = go.Figure(
        go.Heatmap(
            z=canvas,
            customdata=hover_values.round(1).astype(np.float32),
            text=_hover_texts(canvas, look) if is_named else None,
            hovertemplate=(
                "layer %{customdata[0]}, unit %{customdata[1]}, z %{customdata[2]:.1f}"
                f"<br>network {'%{text}' if is_named else '%{z}'}<extra></extra>"
            ),
            **look.scale(palette),
        )
    )
    aspect = canvas.shape[0] / canvas.shape[1]
    style(figure, palette, height=int(min(900, max(260, 700 * aspect))), left=4, bottom=4)
    number_sheets(figure, corners, n_rows, palette)
    # Not locked to square cells: on a narrow screen the sheets fill the height instead.
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    square = (
        ""
        if pooled_parcels.side == 1
        else f" Squares of {pooled_parcels.side}² units show their strongest."
    )
    return Picture(
        figure=figure,
        alternative=_describe(parcels.label, look, threshold) + square,
        table=_table(parcels.label, look),
    )


def _hover_texts(canvas: NDArray[np.floating], look: Look) -> NDArray[np.object_]:
    """Return the hover text of each cell's network; empty between the sheets."""
    words = np.array(
        [look.hover_name(k) for k in range(len(look.names))] + ["", "none"], dtype=object
    )  # −2 and −1 index from the end
    cells = np.nan_to_num(canvas, nan=-2.0).astype(np.int64)
    return np.asarray(words[cells], dtype=object)


def _describe(label: NDArray[np.integer], look: Look, threshold: float) -> str:
    sizes = np.bincount(label[label >= 0].ravel(), minlength=len(look.names))
    n_units = int((label != -2).sum())
    largest = int(sizes.argmax())
    if not sizes.any():
        return f"Parcellation: no unit has |z| above {threshold:g} in any network."
    return (
        f"Parcellation: {sizes.sum() / n_units:.0%} of {n_units:,} units have |z| above "
        f"{threshold:g} in one of {len(sizes)} networks; the largest parcel, of {sizes[largest]:,} "
        f"units, is network {largest}, {look.names[largest]}."
    )


def _table(label: NDArray[np.integer], look: Look) -> pd.DataFrame:
    sizes = np.bincount(label[label >= 0].ravel(), minlength=len(look.names))
    return pd.DataFrame(
        {
            "network": np.arange(len(sizes)),
            "name": list(look.names),
            "units": sizes,
            "share of all units": (sizes / max(int((label != -2).sum()), 1)).round(4),
        }
    )


def parcel_sides(parcels: Parcels, look: Look, *, palette: Palette, threshold: float) -> Picture:
    """Draw the parcels from three sides: on each line of sight, the network of largest |z|."""
    n_layers, n_rows, n_columns = parcels.label.shape
    views = (
        ("from the front", 1, silhouette(n_columns, n_layers)),
        ("from the side", 2, silhouette(n_rows, n_layers)),
        ("from above", 0, ring(n_rows, n_columns, 1.06)),
    )
    figure = make_subplots(rows=1, cols=3, column_widths=[0.36, 0.28, 0.36])
    magnitude = np.abs(np.nan_to_num(parcels.strength))
    for column, (title, axis, outline) in enumerate(views, start=1):
        strongest = magnitude.argmax(axis=axis, keepdims=True)
        label = np.take_along_axis(parcels.label, strongest, axis=axis).squeeze(axis)
        z = np.take_along_axis(parcels.strength, strongest, axis=axis).squeeze(axis)
        side_labels = np.where(label == -2, np.nan, label).astype(np.float32)
        x, y = outline.T.astype(np.float32)
        figure.add_scatter(
            x=x, y=y, mode="lines", hoverinfo="skip", row=1, col=column,
            line={"color": palette.quiet, "width": 1.5, "shape": "spline", "smoothing": 0.6},
        )  # fmt: skip
        figure.add_heatmap(
            z=side_labels,
            customdata=z.astype(np.float32),
            text=_hover_texts(side_labels, look),
            hovertemplate=f"network %{{text}}<br>z %{{customdata:.1f}}<extra>{title}</extra>",
            row=1,
            col=column,
            **look.scale(palette),
        )
        figure.update_xaxes(title_text=title, row=1, col=column)
    style(figure, palette, height=340, left=40)
    figure.update_xaxes(showticklabels=False, ticks="", showline=False)
    figure.update_yaxes(showticklabels=False, ticks="", showline=False, showgrid=False)
    figure.update_yaxes(title_text="layer", showticklabels=True, nticks=5, row=1, col=1)
    return Picture(
        figure=figure,
        alternative=_describe(parcels.label, look, threshold)
        + " From each side the strongest unit on the line of sight is seen.",
        table=_table(parcels.label, look),
    )


def parcel_surfaces(
    volumes: Sequence[NDArray[np.floating]],
    networks: Sequence[int],
    look: Look,
    *,
    palette: Palette,
    level: float,
    height: int = 620,
) -> Picture:
    """Draw several parcels as surfaces in their own colours, inside the body of the model.

    Parameters
    ----------
    volumes : sequence of ndarray (n_layers, rows, columns)
        The share of each cell's neighbourhood that belongs to the network.
    networks : sequence of int
        Their numbers, in the same order.
    level : float
        The share at the surface.
    """
    figure = go.Figure()
    n_enclosed = []
    for volume, network in zip(volumes, networks, strict=True):
        is_inside = volume >= level
        n_enclosed.append(int(is_inside.sum()))
        if not n_enclosed[-1]:
            continue
        small_volume, side = coarser(volume, MOST_CELLS // max(len(volumes), 1))
        is_dim = look.only is not None and network != look.only
        figure.add_trace(
            mesh3d(
                surface(small_volume, level),
                side=side,
                color=look.colours[network],
                opacity=0.12 if is_dim else 1.0,
                name=look.hover_name(network, longest=40),
                lighting={"ambient": 0.55, "diffuse": 0.75, "specular": 0.2, "roughness": 0.6},
                lightposition={"x": 2000, "y": -3000, "z": 4000},
                hovertemplate="%{fullData.name}<br>layer %{z:.0f}<extra></extra>",
            )
        )
    n_layers, n_rows, n_columns = volumes[0].shape
    add_body(figure, n_layers, n_rows, n_columns, palette)
    style(figure, palette, height=height, left=0, bottom=0)
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        scene=scene(n_rows, n_columns, palette),
        dragmode="orbit",
    )
    n_empty = sum(1 for count in n_enclosed if not count)
    scattered_text = f"; {n_empty} of them are too scattered to have a surface" if n_empty else ""
    return Picture(
        figure=figure,
        alternative=(
            f"Parcels of {len(networks)} networks ({', '.join(str(k) for k in networks)}) as "
            f"surfaces inside the outline of the model's {n_layers} layers, each around the cells "
            f"whose neighbourhood is at least {level:.0%} its own{scattered_text}."
        ),
        table=pd.DataFrame(
            {
                "network": list(networks),
                "name": [look.names[network] for network in networks],
                "cells inside": n_enclosed,
            }
        ),
    )

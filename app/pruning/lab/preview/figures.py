"""Pictures of a preview: the units that would stay, and the cost of dropping each network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.figures.marks import bars, points
from app.figures.pixels import as_png
from app.figures.raster import small_ints
from app.figures.sheets import mosaic, number_sheets
from app.figures.theme import Palette, rgb

MOST_CELLS = 120_000  # of all sheets together; of larger models one unit of several is shown
_WIDE, _NARROW = (10, 1000), (5, 350)  # sheets side by side, and pixels across
_DOWN_LIMIT = 900
# Words after a network's number, by whether the unit belongs to one and whether it stays.
_WORDS = np.array([["", ", would go"], [" (none)", " (none), would go"]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheets:
    """The units in the cells of each layer's sheet, and what becomes of them.

    Parameters
    ----------
    unit : ndarray (n_layers, rows, columns)
        Flat index, −1 where there is none.
    first : ndarray (n_layers,)
        Flat index of each layer's first unit.
    network : ndarray (n_units,)
        Each unit's strongest network, −1 where it belongs to none.
    keep : ndarray (n_units,)
        Which would stay.
    stay, go : tuple of int
        Pinned units.
    """

    unit: NDArray[np.integer]
    first: NDArray[np.integer]
    network: NDArray[np.integer]
    keep: NDArray[np.bool_]
    stay: tuple[int, ...] = ()
    go: tuple[int, ...] = ()

    @property
    def step(self) -> int:
        """Every how many rows and columns a unit is shown."""
        step = 1
        while self.unit.size / step**2 > MOST_CELLS:
            step += 1
        return step


def removed_sheets(
    sheets: Sheets,
    *,
    colours: Sequence[str],
    palette: Palette,
    can_select: bool = False,
    is_narrow: bool = False,
) -> Picture:
    """Draw every layer's sheet: dark where units would go, the others as what they are.

    Members of a network have its colour, other units that stay are grey.

    Parameters
    ----------
    colours : sequence of str
        One a network.
    can_select : bool
        Lay points over the cells, with the unit as customdata, for a lasso to select.
    is_narrow : bool
        Fewer sheets side by side, as on a phone.
    """
    n_across, n_pixels = _NARROW if is_narrow else _WIDE
    unit = sheets.unit[:, :: sheets.step, :: sheets.step]
    cells, corners = mosaic(unit.astype(np.float32), n_across)
    has_unit = np.isfinite(cells) & (cells >= 0)
    flat = np.where(has_unit, cells, 0).astype(np.int64)
    layer = np.searchsorted(sheets.first, flat, side="right") - 1
    hover_values = np.dstack([layer, flat - sheets.first[layer], sheets.network[flat]])
    figure = go.Figure()
    figure.add_image(
        source=_as_png(flat, has_unit, sheets, colours, palette),
        customdata=small_ints(hover_values),
        text=_WORDS[(hover_values[..., 2] < 0).astype(int), (~sheets.keep[flat]).astype(int)],
        hovertemplate=(
            "layer %{customdata[0]}, unit %{customdata[1]}<br>network %{customdata[2]}%{text}"
            "<extra></extra>"
        ),
    )
    _add_pins(figure, flat, has_unit, sheets, palette)
    if can_select:
        _add_points(figure, flat, has_unit)
    rows = -(-len(unit) // n_across) * unit.shape[1]
    height = int(min(_DOWN_LIMIT, max(240, n_pixels * rows / (n_across * unit.shape[2]) + 40)))
    style(
        figure, palette, height=height, margin={"l": 4, "b": 4},
        x={"visible": False, "range": [-1.5, cells.shape[1] + 0.5]},
        y={"visible": False, "range": [-1.5, cells.shape[0] + 0.5], "scaleanchor": False},
        legend=bool(sheets.stay or sheets.go), dragmode="lasso" if can_select else False,
        newselection={"line": {"color": palette.accent}},
    )  # fmt: skip
    number_sheets(figure, corners, unit.shape[1], palette)
    return Picture(figure=figure, alternative=describe(sheets), table=network_table(sheets))


def _as_png(
    flat: NDArray[np.integer],
    has_unit: NDArray[np.bool_],
    sheets: Sheets,
    colours: Sequence[str],
    palette: Palette,
) -> str:
    """Return the cells as a picture: gaps between sheets, units that go, units of none, networks.

    A heat map of as many cells takes the browser several times as long to read and draw.
    """
    table = [
        (0, 0, 0, 0),
        (*rgb(palette.silhouette), 255),
        (*rgb(palette.quiet), 115),
        *((*rgb(colour), 255) for colour in colours),
    ]
    codes = np.where(sheets.keep[flat], sheets.network[flat] + 3, 1)
    return as_png(np.where(has_unit, codes, 0), np.array(table, dtype=np.uint8))


def _add_pins(
    figure: go.Figure,
    flat: NDArray[np.integer],
    has_unit: NDArray[np.bool_],
    sheets: Sheets,
    palette: Palette,
) -> None:
    """Mark pinned units by a sign each; a ring stays, a cross goes."""
    for units, sign, legend_name in (
        (sheets.stay, "circle-open", "pinned to stay"),
        (sheets.go, "x-thin-open", "pinned to go"),
    ):
        y, x = np.nonzero(has_unit & np.isin(flat, units))
        if not units:
            continue
        marker = {"symbol": sign, "line": {"width": 2}}
        points(figure, x, y, colour=palette.text, marker=marker, name=legend_name)


def _add_points(figure: go.Figure, flat: NDArray[np.integer], has_unit: NDArray[np.bool_]) -> None:
    """Lay an unseen point on each cell: heat maps themselves cannot be selected."""
    y, x = np.nonzero(has_unit)
    hidden = {"marker": {"opacity": 0}}
    points(
        figure, x, y, colour=None, size=4, kind="scattergl", marker={"opacity": 0},
        customdata=flat[has_unit].astype(np.int32), showlegend=False,
        selected={"marker": {"opacity": 0.6}}, unselected=hidden,
    )  # fmt: skip


def describe(sheets: Sheets) -> str:
    """Return how many units would go, and which networks lose most and least."""
    table = network_table(sheets)
    step, pins = sheets.step, len(sheets.stay) + len(sheets.go)
    text = (
        f"{int((~sheets.keep).sum()):,} of {len(sheets.keep):,} units would go, in "
        f"{len(sheets.unit)} layers."
    )
    networks_with_units = table[(table["network"] >= 0) & (table["units"] > 0)]
    if len(networks_with_units):
        most_affected, least_affected = (
            networks_with_units.iloc[i]
            for i in (networks_with_units["share"].argmax(), networks_with_units["share"].argmin())
        )
        text += (
            f" Network {most_affected['network']:.0f} would lose most of its members, "
            f"{100 * most_affected['share']:.0f} %; network {least_affected['network']:.0f} least, "
            f"{100 * least_affected['share']:.0f} %."
        )
    text += f" {pins:,} pinned units are marked." if pins else ""
    return text + (f" One of {step**2} units is drawn." if step > 1 else "")


def network_table(sheets: Sheets) -> pd.DataFrame:
    """Return one row per network, −1 for none: its units, and how many of them would go."""
    n = int(sheets.network.max(initial=-1)) + 2
    size = np.bincount(sheets.network + 1, minlength=n)
    n_removed = np.bincount(sheets.network[~sheets.keep] + 1, minlength=n)
    return pd.DataFrame(
        {
            "network": np.arange(-1, n - 1),
            "units": size,
            "would go": n_removed,
            "share": (n_removed / np.maximum(size, 1)).round(4),
        }
    )


def cost_bars(
    costs: pd.DataFrame, *, column: str, says: str, names: Sequence[str], palette: Palette
) -> Picture:
    """Draw one estimate of what dropping each network would change, largest first.

    Parameters
    ----------
    costs : DataFrame
        One row per network, as `network_costs` makes it.
    column : str
        A share, drawn in per cent.
    says : str
        What it is, in a few words.
    """
    ranked = costs.sort_values(column, ascending=False, na_position="last", kind="stable")
    percent = 100 * ranked[column].to_numpy(dtype=float)
    numbers = ranked["network"].astype(str).to_numpy()
    figure = go.Figure()
    for is_kept, word, colour in (
        (True, "protected", palette.accent),
        (False, "not protected", palette.quiet),
    ):
        in_group = (ranked["preserved"] == is_kept).to_numpy()
        if not in_group.any():
            continue
        bars(
            figure, numbers[in_group], percent[in_group], colour=colour, name=word,
            marker={
                "pattern": {
                    "shape": "" if is_kept else "/", "fgcolor": palette.canvas,
                    "fillmode": "overlay",
                }
            },
            customdata=ranked["network"].to_numpy()[in_group],
            hover=f"network %{{customdata}}, {word}: %{{y:.2f}} %",
        )  # fmt: skip
    # As categories, numbers that would not fit beside one another are left out.
    categories = {"categoryorder": "array", "categoryarray": numbers.tolist()}
    style(
        figure, palette, height=240, legend=len(figure.data) > 1, barmode="overlay", bargap=0.15,
        x={"title": "network", "type": "category", "tickangle": 0, "tickfont": {"size": 10}}
        | categories,
        y={"title": "%", "rangemode": "tozero", "nticks": 5},
    )  # fmt: skip
    costliest = ranked.iloc[0]
    cheapest = ranked[ranked[column].notna()].iloc[-1]
    return Picture(
        figure=figure,
        alternative=(
            f"{says[0].upper()}{says[1:]}: most for network {int(costliest['network'])}, "
            f"{names[int(costliest['network'])]} ({100 * costliest[column]:.1f} %), least for "
            f"network {int(cheapest['network'])}, {names[int(cheapest['network'])]} "
            f"({100 * cheapest[column]:.2f} %)."
        ),
        table=ranked.assign(name=[names[int(k)] for k in ranked["network"]]).round(4),
    )

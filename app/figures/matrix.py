"""Pictures of the connectome: a measure between all pairs of networks as a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import cells, colour_bar, ticks
from app.figures.markup import short
from app.figures.theme import Palette

MOST_NAMED = 100  # networks: beyond, hover tells numbers alone
_NAME = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Measure between pairs of networks.

    Parameters
    ----------
    title : str
    says : str
        What a number is, for a hover and a sentence.
    is_signed : bool
        Whether values below 0 mean something of their own.
    """

    title: str
    says: str
    is_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Order of networks, and the blocks that they form.

    Parameters
    ----------
    order : tuple of int
    blocks : tuple of (str, int, int)
        Name, first place and the place after the last.
    said : str
        What the order is.
    """

    order: tuple[int, ...]
    blocks: tuple[tuple[str, int, int], ...]
    said: str


def hover_name(names: Sequence[str], network: int, *, longest: int = _NAME) -> str:
    """Return a network's number and name, short and escaped, for a hover."""
    return f"{network} · {safe(short(names[network], longest))}"


def pair_scale(palette: Palette, *, is_signed: bool) -> list[tuple[float, str]]:
    """Return a colour scale from the page's grey at 0 outwards, to both sides if signed."""
    hot = [palette.silhouette, *palette.hot]
    if not is_signed:
        return list(zip(np.linspace(0, 1, len(hot)).tolist(), hot, strict=True))
    cold = [*reversed(palette.cold), palette.silhouette]
    low = list(zip(np.linspace(0, 0.5, len(cold)).tolist(), cold, strict=True))
    high = list(zip(np.linspace(0.5, 1, len(hot)).tolist(), hot, strict=True))
    return [*low, *high[1:]]


def limit_of(values: NDArray[np.floating]) -> float:
    """Return the |value| of the strongest colour: nearly the largest between two networks."""
    pairs = np.abs(values[np.triu_indices(len(values), 1)])
    return float(max(np.quantile(pairs, 0.998), 0.05)) if pairs.size else 1.0


def matrix(
    values: NDArray[np.floating],
    arrangement: Arrangement,
    *,
    names: Sequence[str],
    measure: Measure,
    selected: int,
    palette: Palette,
    height: int = 640,
) -> Picture:
    """Draw a measure between all pairs of networks; blocks and the selected network are marked.

    Parameters
    ----------
    values : ndarray (K, K)
        By number; drawn in the arrangement's order, without the diagonal.
    """
    k, order = len(values), np.array(arrangement.order)
    ordered_values = values[np.ix_(order, order)].astype(np.float32)
    np.fill_diagonal(ordered_values, np.nan)
    limit = limit_of(values)
    figure = cells(
        go.Figure(), ordered_values, span=(-limit if measure.is_signed else 0.0, limit),
        scale=pair_scale(palette, is_signed=measure.is_signed), text=_pair_names(order, names),
        hover="%{text}<br>" + measure.says + " %{z:.2f}", colorbar=colour_bar(nticks=5),
    )  # fmt: skip
    places = _ticks(arrangement)
    # The y axis names the blocks; on the x axis their names would lie over one another.
    x_places = {"showticklabels": False, "ticks": ""} if arrangement.blocks else places
    # Not locked to square cells: on a narrow screen the matrix fills the height instead.
    style(
        figure, palette, height=height, margin={"l": 30, "b": 56},
        x={"range": [-0.5, k - 0.5], "showline": False, **x_places},
        y={"range": [k - 0.5, -0.5], "showgrid": False, "showline": False, **places},
    )  # fmt: skip
    place = int(np.flatnonzero(order == selected)[0])
    for box in ((0, place, k, place + 1), (place, 0, place + 1, k)):
        figure.add_shape(_box(box, palette.accent, 1.5))
    for _, first, end in arrangement.blocks:
        figure.add_shape(_box((first, first, end, end), palette.text, 1.0))
    return Picture(
        figure=figure,
        alternative=_describe_matrix(values, measure, arrangement, names),
        table=pair_table(values, names, measure),
    )


def _pair_names(order: NDArray[np.integer], names: Sequence[str]) -> NDArray[np.object_]:
    """Return the hover name of each pair: (K, K)."""
    if len(order) > MOST_NAMED:
        words = np.array([f"network {k}" for k in order], dtype=object)
    else:
        words = np.array([hover_name(names, int(k)) for k in order], dtype=object)
    return np.asarray(words[:, None] + "<br>" + words[None, :], dtype=object)


def _box(corners: tuple[int, int, int, int], colour: str, width: float) -> dict[str, Any]:
    """Return a frame around the cells from the first two corners to before the last two."""
    x0, y0, x1, y1 = (corner - 0.5 for corner in corners)
    return {
        "type": "rect", "x0": x0, "y0": y0, "x1": x1, "y1": y1,
        "line": {"color": colour, "width": width}, "fillcolor": "rgba(0,0,0,0)",
    }  # fmt: skip


def _ticks(arrangement: Arrangement) -> dict[str, Any]:
    """Return ticks in the middle of blocks, or at every few networks where there are none."""
    if arrangement.blocks:
        wide_blocks = [block for block in arrangement.blocks if block[2] - block[1] > 1]
        middles = [(first + end - 1) / 2 for _, first, end in wide_blocks]
        return ticks([safe(name) for name, _, _ in wide_blocks], middles, ticks="")
    places = range(0, len(arrangement.order), max(1, len(arrangement.order) // 12))
    return ticks([str(arrangement.order[i]) for i in places], places)


def pair_table(
    values: NDArray[np.floating], names: Sequence[str], measure: Measure
) -> pd.DataFrame:
    """Return one row per pair of networks, the strongest first."""
    first, second = np.triu_indices(len(values), 1)
    order = np.argsort(-np.abs(values[first, second]), kind="stable")
    first, second = first[order], second[order]
    return pd.DataFrame(
        {
            "network": first,
            "name": [names[k] for k in first.tolist()],
            "other": second,
            "name of the other": [names[k] for k in second.tolist()],
            measure.title: values[first, second].round(4),
        }
    )


def _describe_matrix(
    values: NDArray[np.floating],
    measure: Measure,
    arrangement: Arrangement,
    names: Sequence[str],
) -> str:
    first, second = np.triu_indices(len(values), 1)
    if not len(first):
        return f"{measure.title}: one network has no pairs."
    pairs = values[first, second]
    strongest = int(np.abs(pairs).argmax())
    a, b = int(first[strongest]), int(second[strongest])
    return (
        f"{measure.title} between {len(values)} networks, {arrangement.said}: median "
        f"|{measure.says}| {np.median(np.abs(pairs)):.2f}; the strongest pair is {a} ({names[a]}) "
        f"and {b} ({names[b]}) with {pairs[strongest]:.2f}."
    )

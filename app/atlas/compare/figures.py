"""Pictures of two atlases side by side: pairs of networks, all correlations, likeness to chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, cells, named
from app.figures.markup import signed
from app.figures.theme import Palette, diverging_scale


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """A network of one of the two atlases.

    Parameters
    ----------
    network : int
    name : str
        Of unknown origin; escaped where it is drawn.
    values : ndarray (n_layers, columns)
        z seen from the front, or by layer; NaN where there is no unit.
    domains : sequence of str
    share : ndarray (n_domains,)
        How its energy divides over domains.
    has_places : bool
        Whether the columns are those of a cortex.
    """

    network: int
    name: str
    values: NDArray[np.floating]
    domains: Sequence[str]
    share: NDArray[np.floating]
    has_places: bool


def pair_maps(
    left: Side, right: Side, *, r: float, by: str, z: tuple[float, float], palette: Palette
) -> Picture:
    """Draw the maps of a pair of networks side by side, seen from the front.

    Parameters
    ----------
    r : float
        Their correlation, by maps or by time courses (`by`).
    z : tuple of float
        Threshold, and z of the strongest colour in both.
    """
    threshold, limit = z
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.07)
    scale = diverging_scale(palette, threshold=threshold, limit=limit)
    for column, (side, label) in enumerate(((left, "this"), (right, "other")), start=1):
        low = np.abs(np.nan_to_num(side.values)) <= threshold
        cells(
            figure, np.where(low, side.values * 0, side.values), span=(-limit, limit), scale=scale,
            hover=f"layer %{{y}}, {label}<br>z %{{z:.1f}}", row=1, col=column,
        )  # fmt: skip
        title = f"{label}: network {side.network}"
        figure.update_xaxes(title_text=title, row=1, col=column)
    frame = {"mirror": True, "linewidth": 1}
    style(
        figure, palette, height=300, y={"showgrid": False, "nticks": 5, **frame},
        x={"showticklabels": False, "ticks": "", **frame},
    )  # fmt: skip
    figure.update_xaxes(title_font={"color": palette.text, "size": 13})
    figure.update_yaxes(title_text="layer", row=1, col=1)
    if len(left.values) == len(right.values):
        figure.update_yaxes(showticklabels=False, ticks="", row=1, col=2)
    return Picture(
        figure=figure,
        alternative=(
            f"Network {left.network} of this atlas, {left.name}, beside network {right.network} "
            f"of the other, {right.name}: r {signed(r, '.2f')} by {by}; "
            f"{_peak_layers_text(left, right)}.{_empty_maps_sentence(left, right, threshold)}"
        ),
        table=_layer_table(left, right, threshold),
    )


def _peak_layers_text(left: Side, right: Side) -> str:
    layers = [int(np.nanmax(np.abs(side.values), axis=1).argmax()) for side in (left, right)]
    if layers[0] == layers[1]:
        return f"both are strongest in layer {layers[0]}"
    return f"their strongest units are in layers {layers[0]} and {layers[1]}"


def _empty_maps_sentence(left: Side, right: Side, threshold: float) -> str:
    """Return a sentence for each of the two maps that is empty at the threshold."""
    return "".join(
        f" No unit of the {label} has |z| above {threshold:g}."
        for label, side in (("first", left), ("second", right))
        if np.nanmax(np.abs(side.values)) <= threshold
    )


def _layer_table(left: Side, right: Side, threshold: float) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "atlas": label,
                "network": side.network,
                "layer": np.arange(len(side.values)),
                "largest |z|": np.nanmax(np.abs(side.values), axis=1).round(2),
                f"columns with |z| > {threshold:g}": (
                    np.abs(np.nan_to_num(side.values)) > threshold
                ).sum(axis=1),
            }
        )
        for label, side in (("this", left), ("other", right))
    ]
    return pd.concat(frames, ignore_index=True)


def pair_domains(left: Side, right: Side, *, palette: Palette) -> Picture:
    """Draw how the energy of two networks divides over domains, where either has any."""
    sides = {"this": left, "other": right}
    shares = {label: pd.Series(side.share, list(side.domains)) for label, side in sides.items()}
    frame = pd.DataFrame(shares).rename_axis("domain").reset_index()
    frame = frame.sort_values("this", na_position="first")
    figure = go.Figure()
    domain_labels = [safe(name) for name in frame["domain"]]
    for label, colour in (("other", palette.series[1]), ("this", palette.accent)):
        bars(
            figure, frame[label] * 100, domain_labels, colour=colour, orientation="h", name=label,
            hover=f"%{{y}}: %{{x:.1f}} % of the energy, {label}",
        )  # fmt: skip
    style(
        figure, palette, height=96 + 40 * len(frame), legend=True, y=named(palette),
        x={"title": "% of energy per token", "range": [0, 102], "tickvals": [0, 50, 100]},
    )  # fmt: skip
    figure.update_layout(legend_traceorder="reversed")
    top_domains = [side.domains[int(side.share.argmax())] for side in (left, right)]
    return Picture(
        figure=figure,
        alternative=(
            f"Both have most of their energy in {top_domains[0]}: {100 * left.share.max():.0f} % "
            f"and {100 * right.share.max():.0f} %."
            if top_domains[0] == top_domains[1]
            else f"Network {left.network} has most of its energy in {top_domains[0]}, network "
            f"{right.network} in {top_domains[1]}."
        ),
        table=frame.round(4),
    )

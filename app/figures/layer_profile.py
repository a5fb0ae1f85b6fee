"""Pictures of plans: the units that go from each layer."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.figures.marks import bars, line
from app.figures.theme import Palette


def removal_profile(
    removed: NDArray[np.integer], widths: NDArray[np.integer], *, palette: Palette
) -> Picture:
    """Draw the share of each layer's units that a plan removes."""
    percent = removed / widths * 100
    layers = np.arange(len(widths))
    figure = bars(go.Figure(), layers, np.full(len(widths), 100), colour=palette.silhouette)
    bars(
        figure, layers, percent, colour=palette.accent, customdata=np.stack([removed, widths], 1),
        hover="layer %{x}: %{customdata[0]:,} of %{customdata[1]:,} removed (%{y:.1f} %)",
    )  # fmt: skip
    style(
        figure, palette, height=220, barmode="overlay", bargap=0.12, x="layer",
        y={"title": "% removed", "range": [0, 100], "tickvals": [0, 50, 100]},
    )  # fmt: skip
    n_whole = int((removed == 0).sum())
    return Picture(
        figure=figure,
        alternative=(
            f"{int(removed.sum()):,} of {int(widths.sum()):,} units go, up to "
            f"{percent.max():.0f} % of a layer (layer {int(percent.argmax())}); "
            f"{n_whole} layers stay whole."
        ),
        table=pd.DataFrame({"layer": layers, "removed": removed, "units": widths}),
    )


def shares_profile(
    before: NDArray[np.floating], after: NDArray[np.floating], *, palette: Palette
) -> Picture:
    """Draw the share of its units that each layer gives, before and after a search."""
    layers = np.arange(len(before))
    figure = go.Figure()
    for name, shares, colour, dash in (
        ("before", before, palette.quiet, "dot"),
        ("after", after, palette.accent, "solid"),
    ):
        line(
            figure, layers, 100 * shares, colour=colour, line={"dash": dash, "shape": "hvh"},
            name=name, hover=f"layer %{{x}}: %{{y:.1f}} % {name}",
        )  # fmt: skip
    removed = {"title": "% removed", "rangemode": "tozero"}
    style(figure, palette, height=240, legend=True, x="layer", y=removed)
    change = np.abs(after - before)
    return Picture(
        figure=figure,
        alternative=(
            f"Share of its units that each layer gives. Layer {int(after.argmax())} gives most, "
            f"{100 * after.max():.0f} %; layer {int(change.argmax())} changed most, from "
            f"{100 * before[change.argmax()]:.0f} % to {100 * after[change.argmax()]:.0f} %."
        ),
        table=pd.DataFrame({"layer": layers, "before": before, "after": after}),
    )

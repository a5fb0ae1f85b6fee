"""Pictures of plans: the units that go from each layer."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, legend_on_top, style
from app.figures.theme import Palette


def removal_profile(
    removed: NDArray[np.integer], widths: NDArray[np.integer], *, palette: Palette
) -> Picture:
    """Draw the share of each layer's units that a plan removes."""
    percent = (removed / widths * 100).astype(np.float32)
    layers = np.arange(len(widths), dtype=np.int16)
    figure = go.Figure()
    figure.add_bar(
        x=layers,
        y=np.full(len(widths), 100, dtype=np.float32),
        marker={"color": palette.silhouette, "line": {"width": 0}},
        hoverinfo="skip",
    )
    figure.add_bar(
        x=layers,
        y=percent,
        marker={"color": palette.accent, "line": {"width": 0}},
        customdata=np.stack([removed, widths], axis=1),
        hovertemplate=(
            "layer %{x}: %{customdata[0]:,} of %{customdata[1]:,} removed (%{y:.1f} %)"
            "<extra></extra>"
        ),
    )
    style(figure, palette, height=220)
    figure.update_layout(barmode="overlay", bargap=0.12)
    figure.update_xaxes(title_text="layer")
    figure.update_yaxes(title_text="% removed", range=[0, 100], tickvals=[0, 50, 100])
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
    layers = np.arange(len(before), dtype=np.int16)
    figure = go.Figure()
    for name, shares, colour, dash in (
        ("before", before, palette.quiet, "dot"),
        ("after", after, palette.accent, "solid"),
    ):
        figure.add_scatter(
            x=layers,
            y=(100 * shares).astype(np.float32),
            name=name,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2, "shape": "hvh"},
            hovertemplate=f"layer %{{x}}: %{{y:.1f}} % {name}<extra></extra>",
        )
    style(figure, palette, height=240)
    legend_on_top(figure, palette)
    figure.update_xaxes(title_text="layer")
    figure.update_yaxes(title_text="% removed", rangemode="tozero")
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

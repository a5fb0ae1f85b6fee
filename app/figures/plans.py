"""Pictures of plans: what goes from each layer, and what that costs."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, legend_on_top, style
from app.theme import Palette


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Perplexity of one model over the windows read so far."""

    label: str
    role: Literal["dense", "plan", "baseline"]
    window_nll: NDArray[np.float64]
    window_tokens: NDArray[np.int64]
    perplexity: float
    standard_error: float

    @property
    def running(self) -> NDArray[np.float64]:
        """Perplexity after each window, weighted by tokens: (n_windows,)."""
        nll, tokens = np.cumsum(self.window_nll), np.cumsum(self.window_tokens)
        return np.asarray(np.exp(nll / tokens), dtype=np.float64)


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
    untouched = int((removed == 0).sum())
    return Picture(
        figure=figure,
        alternative=(
            f"{int(removed.sum()):,} of {int(widths.sum()):,} units go, up to "
            f"{percent.max():.0f} % of a layer (layer {int(percent.argmax())}); "
            f"{untouched} layers stay whole."
        ),
        table=pd.DataFrame({"layer": layers, "removed": removed, "units": widths}),
    )


def perplexity_chart(curves: Sequence[Curve], *, n_windows: int, palette: Palette) -> Picture:
    """Draw perplexity as windows are read, one line a model, with ±1 standard error at its end."""
    colours = iter(palette.series[1:] * 4)
    figure = go.Figure()
    shown = [curve for curve in curves if len(curve.window_nll)]
    for curve in sorted(shown, key=lambda c: c.role == "plan"):
        if curve.role == "dense":
            line: dict[str, Any] = {"color": palette.text, "width": 1.5, "dash": "dot"}
        elif curve.role == "plan":
            line = {"color": palette.accent, "width": 3}
        else:
            line = {"color": next(colours), "width": 1.5}
        running = curve.running
        error = np.zeros(len(running), dtype=np.float32)
        error[-1] = curve.standard_error if np.isfinite(curve.standard_error) else 0.0
        figure.add_scatter(
            x=np.arange(1, len(running) + 1, dtype=np.int32),
            y=running.astype(np.float32),
            mode="lines+markers",
            name=html.escape(curve.label),
            line=line,
            marker={"size": np.where(np.arange(len(running)) == len(running) - 1, 8, 0.1)},
            error_y={"type": "data", "array": error, "width": 4, "thickness": 1.2},
            hovertemplate="%{fullData.name}: %{y:.2f} after %{x} windows<extra></extra>",
        )
    style(figure, palette, height=380)
    legend_on_top(figure, palette)
    figure.update_xaxes(title_text="windows read", range=[0.5, max(n_windows, 1) + 0.5], nticks=8)
    figure.update_yaxes(title_text="perplexity", nticks=6)
    table = perplexity_table(shown)
    if table["perplexity"].size and table["perplexity"].max() > 4 * table["perplexity"].min():
        figure.update_yaxes(type="log", dtick="D2", title_text="perplexity (log)")
    parts = [f"{c.label} {c.perplexity:.2f} ± {c.standard_error:.2f}" for c in shown]
    return Picture(
        figure=figure,
        alternative="Perplexity: " + (", ".join(parts) if parts else "nothing read yet") + ".",
        table=table,
    )


def perplexity_table(curves: Sequence[Curve]) -> pd.DataFrame:
    """Return one row a model: perplexity, its standard error, and what it was read on."""
    return pd.DataFrame(
        {
            "model": [curve.label for curve in curves],
            "perplexity": [round(curve.perplexity, 3) for curve in curves],
            "standard error": [round(curve.standard_error, 3) for curve in curves],
            "windows": [len(curve.window_nll) for curve in curves],
            "tokens": [int(curve.window_tokens.sum()) for curve in curves],
        }
    )

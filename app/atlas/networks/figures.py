"""Pictures of a network's statistics and of what it goes with: histogram, spectrum, bars."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, legend_on_top, safe, style
from app.figures.markup import signed
from app.figures.networks import shown_token
from app.figures.theme import Palette, rgba
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.spectra import SLOW_BELOW, Spectrum
from fnprune_core.atlas.thresholds import MixtureFit, Suggestion

_N_BINS = 160
_PERIODS = (2, 3, 4, 5, 10, 20)


def map_histogram(
    z: NDArray[np.floating],
    fit: MixtureFit,
    suggestions: Sequence[Suggestion],
    *,
    network: int,
    threshold: float,
    palette: Palette,
) -> Picture:
    """Draw how a map's z is spread, with a Gaussian and two tails fitted, on a logarithmic count.

    Parameters
    ----------
    z : ndarray (n,)
        Over alive units.
    """
    counts, edges = np.histogram(z, bins=_N_BINS)
    centres, width = (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])
    figure = go.Figure()
    figure.add_bar(
        x=centres.astype(np.float32),
        y=counts.astype(np.int32),
        width=width,
        marker={"color": rgba(palette.quiet, 0.45), "line": {"width": 0}},
        name="units",
        hovertemplate="z %{x:.2f}: %{y:,} units<extra></extra>",
    )
    active = fit.active_density(centres) * len(z) * width
    null = fit.null_density(centres) * len(z) * width
    for name, values, colour, dash in (
        ("Gaussian", null, palette.text, "dot"),
        ("positive tail", np.where(centres > 0, active, np.nan), palette.hot[1], "solid"),
        ("negative tail", np.where(centres < 0, active, np.nan), palette.cold[1], "solid"),
        ("all together", null + active, palette.accent, "solid"),
    ):
        figure.add_scatter(
            x=centres.astype(np.float32),
            y=np.where(values > 0.05, values, np.nan).astype(np.float32),
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            name=name,
            hovertemplate="z %{x:.2f}: %{y:.1f} expected<extra>%{fullData.name}</extra>",
        )
    style(figure, palette, height=340)
    figure.update_layout(bargap=0)
    legend_on_top(figure, palette)
    _mark_thresholds(figure, suggestions, threshold, palette)
    figure.update_xaxes(title_text="z of a unit")
    top = np.log10(max(counts.max(), 1)) + 0.25
    figure.update_yaxes(title_text="units (log)", type="log", range=[-0.3, top], dtick=1)
    n_beyond = int((np.abs(z) > threshold).sum())
    active_share = fit.positive_share + fit.negative_share
    return Picture(
        figure=figure,
        alternative=(
            f"Histogram of network {network} over {len(z):,} units: tails hold "
            f"{100 * active_share:.1f} % of them ({100 * fit.positive_share:.1f} % positive, "
            f"{100 * fit.negative_share:.1f} % negative); {n_beyond:,} have |z| above "
            f"{threshold:g}, where the fitted Gaussian has {_null_count_text(fit, z, threshold)}. "
            "Heavy tails of single units look alike, so this is no test."
        ),
        table=pd.DataFrame(
            {
                "z": centres.round(3),
                "units": counts,
                "Gaussian": null.round(2),
                "tails": active.round(2),
            }
        ),
    )


def _null_count_text(fit: MixtureFit, z: NDArray[np.floating], threshold: float) -> str:
    expected = float(fit.null_beyond(threshold)) * len(z)
    return f"{expected:,.0f}" if expected >= 1 else "under one"


def _mark_thresholds(
    figure: go.Figure, suggestions: Sequence[Suggestion], threshold: float, palette: Palette
) -> None:
    """Draw lines at the present threshold and at the suggested ones, on either side."""
    for sign in (-1, 1):
        figure.add_vline(x=sign * threshold, line={"color": palette.accent, "width": 2})
        for suggestion in suggestions:
            if suggestion.threshold == suggestion.threshold:
                figure.add_vline(
                    x=sign * suggestion.threshold,
                    line={"color": palette.quiet, "width": 1, "dash": "dash"},
                )
    reached = [
        suggestion for suggestion in suggestions if suggestion.threshold == suggestion.threshold
    ]
    reached.sort(key=lambda suggestion: suggestion.threshold)
    # Lines lie close together: their names stand in a list, in the order of the lines.
    figure.add_annotation(
        x=1.0,
        y=1.0,
        xref="paper",
        yref="paper",
        text="<br>".join(
            f"{suggestion.rule}: {suggestion.threshold:.2f}" for suggestion in reached
        ),
        align="right",
        showarrow=False,
        xanchor="right",
        yanchor="top",
        font={"size": 11, "color": palette.quiet},
    )


def spectrum_line(spectrum: Spectrum, *, network: int, palette: Palette) -> Picture:
    """Draw the power of a time course over frequency: mean over documents, ± standard error."""
    x = spectrum.frequency.astype(np.float32)
    error = np.nan_to_num(spectrum.standard_error)
    floor = max(float(spectrum.power[spectrum.power > 0].min(initial=np.inf)), 1e-12)
    low, high = np.maximum(spectrum.power - error, floor / 4), spectrum.power + error
    figure = go.Figure()
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]).astype(np.float32),
        mode="lines",
        line_width=0,
        fill="toself",
        fillcolor=rgba(palette.accent, 0.2),
        hoverinfo="skip",
        name="± standard error",
    )
    figure.add_scatter(
        x=x,
        y=spectrum.power.astype(np.float32),
        mode="lines",
        line={"color": palette.accent, "width": 2},
        name="mean",
        customdata=(1 / spectrum.frequency).astype(np.float32),
        hovertemplate=(
            "%{x:.3f} cycles per token, a period of %{customdata:.1f} tokens<br>power %{y:.3g}"
            "<extra></extra>"
        ),
    )
    style(figure, palette, height=340, bottom=64)
    half = spectrum.half_power_frequency
    figure.add_vline(x=half, line={"color": palette.quiet, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=half,
        y=0.98,
        yref="paper",
        text="half of the power on either side",
        showarrow=False,
        xanchor="left" if half < 0.25 else "right",
        xshift=4 if half < 0.25 else -4,
        yanchor="top",
        font={"size": 11, "color": palette.quiet},
    )
    figure.update_xaxes(
        title_text="cycles per token, and period in tokens",
        range=[0, 0.505],
        tickvals=[1 / period for period in _PERIODS],
        ticktext=[f"{1 / period:.2g}<br>{period}" for period in _PERIODS],
        tickangle=0,
    )
    powers = _log_ticks(float(low.min()), float(high.max()))
    figure.update_yaxes(
        title_text="power (log)",
        type="log",
        tickvals=powers,
        ticktext=[f"{power:g}" for power in powers],
    )
    return Picture(
        figure=figure,
        alternative=(
            f"Spectrum of network {network}, mean over {spectrum.n_documents} documents: half of "
            f"its power lies above {half:.3f} cycles per token, a period of {1 / half:.0f} "
            f"tokens; {100 * spectrum.slow_share():.0f} % of its amplitude is slower than "
            f"{1 / SLOW_BELOW:.0f} tokens."
        ),
        table=pd.DataFrame(
            {
                "cycles per token": spectrum.frequency.round(4),
                "period in tokens": (1 / spectrum.frequency).round(2),
                "power": spectrum.power,
                "standard error": spectrum.standard_error,
            }
        ),
    )


def _log_ticks(low: float, high: float, max_ticks: int = 8) -> list[float]:
    """Return 1, 2 and 5 of each decade between two positive numbers; whole decades if many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= max_ticks:
            break
    return ticks[:: -(-len(ticks) // max_ticks)] if ticks else [low, high]


def class_bars(effects: pd.DataFrame, *, network: int, palette: Palette) -> Picture:
    """Draw the mean strength by token class, with the spread of tokens around it.

    Parameters
    ----------
    effects : DataFrame
        As `decoding.class_effects` makes it.
    """
    rows = effects.iloc[::-1]
    mean = rows["mean"].to_numpy(dtype=np.float32)
    figure = go.Figure(
        go.Bar(
            x=mean,
            y=rows["class"].tolist(),
            orientation="h",
            error_x={
                "type": "data",
                "array": np.nan_to_num(rows["std"].to_numpy(dtype=np.float32)),
                "color": palette.quiet,
                "thickness": 1,
                "width": 3,
            },
            marker={
                "color": [(palette.hot if m > 0 else palette.cold)[1] for m in mean],
                "line": {"width": 0},
            },
            customdata=rows["count"].to_numpy(),
            hovertemplate="%{y}: mean %{x:.3f} over %{customdata:,} tokens<extra></extra>",
        )
    )
    style(figure, palette, height=70 + 28 * len(rows))
    figure.update_xaxes(
        title_text="mean strength ± sd of tokens", zeroline=True, zerolinecolor=palette.quiet
    )
    figure.update_yaxes(showgrid=False, ticks="", tickfont={"color": palette.text})
    strongest = effects.iloc[0]
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} is on average strongest on tokens of the class "
            f"“{strongest['class']}”: {strongest['mean']:.2f} (sd {strongest['std']:.2f}, "
            f"{strongest['count']:,} tokens)."
        ),
        table=effects.round(4),
    )


def logit_bars(
    promoted: Sequence[LogitEffect], suppressed: Sequence[LogitEffect], *, palette: Palette
) -> Picture:
    """Draw the tokens whose logits a direction raises and lowers most, as z over the vocabulary."""
    effects = [
        *sorted(suppressed, key=lambda e: e.effect),
        *sorted(promoted, key=lambda e: e.effect),
    ]
    values = np.array([effect.effect for effect in effects], dtype=np.float32)
    figure = go.Figure(
        go.Bar(
            x=values,
            y=np.arange(len(effects), dtype=np.int16),
            orientation="h",
            marker={
                "color": [(palette.hot if v > 0 else palette.cold)[1] for v in values],
                "line": {"width": 0},
            },
            customdata=[safe(shown_token(effect.text)) for effect in effects],
            hovertemplate="“%{customdata}”: z %{x:.1f}<extra></extra>",
        )
    )
    style(figure, palette, height=60 + 21 * len(effects))
    figure.update_xaxes(
        title_text="effect on the logit, z over the vocabulary",
        zeroline=True,
        zerolinecolor=palette.quiet,
    )
    figure.update_yaxes(
        showgrid=False,
        ticks="",
        tickvals=np.arange(len(effects)),
        ticktext=[safe(shown_token(effect.text)) for effect in effects],
        tickfont={"color": palette.text, "family": "IBM Plex Mono, monospace"},
    )
    top_promoted, top_suppressed = promoted[0], suppressed[0]
    return Picture(
        figure=figure,
        alternative=(
            f"At positive strength the network promotes “{shown_token(top_promoted.text)}” most "
            f"(z {signed(top_promoted.effect, '.1f')}) and suppresses "
            f"“{shown_token(top_suppressed.text)}” (z {top_suppressed.effect:.1f})."
        ),
        table=pd.DataFrame(
            {"token": [effect.text for effect in effects[::-1]], "z": values[::-1].round(2)}
        ),
    )


def head_map(share: NDArray[np.floating], *, network: int, palette: Palette) -> Picture:
    """Draw the share of a network that each attention head carries: (n_layers, n_heads)."""
    percent = (100 * share).astype(np.float32)
    figure = go.Figure(
        go.Heatmap(
            z=percent,
            zmin=0,
            zmax=float(percent.max()) or 1.0,
            colorscale=[[0, palette.canvas], [0.5, palette.hot[0]], [1, palette.hot[-1]]],
            colorbar={"title": {"text": "%"}, "thickness": 10},
            xgap=1,
            ygap=1,
            hovertemplate="layer %{y}, head %{x}: %{z:.2f} % of the network<extra></extra>",
        )
    )
    style(figure, palette, height=min(160 + 9 * len(share), 520))
    figure.update_xaxes(title_text="head", dtick=1 if share.shape[1] <= 16 else None)
    figure.update_yaxes(title_text="layer")
    layer, head = (int(i) for i in np.unravel_index(share.argmax(), share.shape))
    by_layer = share.sum(axis=1)
    rows, columns = np.indices(share.shape)
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} in {share.size} attention heads: {100 * share.max():.1f} % lies in "
            f"layer {layer}, head {head}; {100 * by_layer.max():.0f} % in layer "
            f"{int(by_layer.argmax())}."
        ),
        table=pd.DataFrame(
            {
                "layer": rows.ravel(),
                "head": columns.ravel(),
                "share of the network": share.ravel().round(5),
            }
        ),
    )

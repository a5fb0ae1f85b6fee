"""Pictures of a network's statistics and of what it goes with: histogram, spectrum, bars."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, cells, error, line, named, note, rule, small, ticks, zero
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
    figure = bars(
        go.Figure(), centres, counts, colour=rgba(palette.quiet, 0.45), width=width, name="units",
        hover="z %{x:.2f}: %{y:,} units",
    )  # fmt: skip
    active = fit.active_density(centres) * len(z) * width
    null = fit.null_density(centres) * len(z) * width
    for name, values, colour, dash in (
        ("Gaussian", null, palette.text, "dot"),
        ("positive tail", np.where(centres > 0, active, np.nan), palette.hot[1], "solid"),
        ("negative tail", np.where(centres < 0, active, np.nan), palette.cold[1], "solid"),
        ("all together", null + active, palette.accent, "solid"),
    ):
        line(
            figure, centres, np.where(values > 0.05, values, np.nan), colour=colour,
            line={"dash": dash}, name=name, hover=f"z %{{x:.2f}}: %{{y:.1f}} expected, {name}",
        )  # fmt: skip
    top = np.log10(max(counts.max(), 1)) + 0.25
    count_axis = {"title": "units (log)", "type": "log", "range": [-0.3, top], "dtick": 1}
    style(figure, palette, height=340, legend=True, bargap=0, x="z of a unit", y=count_axis)
    _mark_thresholds(figure, suggestions, threshold, palette)
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
    reached = [each for each in suggestions if each.threshold == each.threshold]
    reached.sort(key=lambda suggestion: suggestion.threshold)
    for sign in (-1, 1):
        rule(figure, palette.accent, x=sign * threshold, width=2)
        for suggestion in reached:
            rule(figure, palette.quiet, x=sign * suggestion.threshold, dash="dash")
    # Lines lie close together: their names stand in a list, in the order of the lines.
    names = "<br>".join(f"{each.rule}: {each.threshold:.2f}" for each in reached)
    note(
        figure, names, 1.0, 1.0, colour=palette.quiet, size=11, xref="paper", yref="paper",
        align="right", xanchor="right", yanchor="top",
    )  # fmt: skip


def spectrum_line(spectrum: Spectrum, *, network: int, palette: Palette) -> Picture:
    """Draw the power of a time course over frequency: mean over documents, ± standard error."""
    x = spectrum.frequency
    deviation = np.nan_to_num(spectrum.standard_error)
    floor = max(float(spectrum.power[spectrum.power > 0].min(initial=np.inf)), 1e-12)
    low, high = np.maximum(spectrum.power - deviation, floor / 4), spectrum.power + deviation
    figure = line(
        go.Figure(), np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]]), colour=None,
        width=0, fill="toself", fillcolor=rgba(palette.accent, 0.2), name="± standard error",
    )  # fmt: skip
    line(
        figure, x, spectrum.power, colour=palette.accent, name="mean", customdata=small(1 / x),
        hover="%{x:.3f} cycles per token, a period of %{customdata:.1f} tokens<br>power %{y:.3g}",
    )  # fmt: skip
    powers = _log_ticks(float(low.min()), float(high.max()))
    periods = ticks([f"{1 / n:.2g}<br>{n}" for n in _PERIODS], [1 / n for n in _PERIODS])
    style(
        figure, palette, height=340, margin={"b": 64},
        x={"title": "cycles per token, and period in tokens", "range": [0, 0.505], "tickangle": 0}
        | periods,
        y={"title": "power (log)", "type": "log", **ticks([f"{p:g}" for p in powers], powers)},
    )  # fmt: skip
    half = spectrum.half_power_frequency
    is_left = half < 0.25
    rule(figure, palette.quiet, x=half, dash="dash")
    note(
        figure, "half of the power on either side", half, 0.98, colour=palette.quiet, size=11,
        yref="paper", xanchor="left" if is_left else "right", xshift=4 if is_left else -4,
        yanchor="top",
    )  # fmt: skip
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
    figure = bars(
        go.Figure(), rows["mean"], rows["class"].tolist(), orientation="h",
        colour=[(palette.hot if m > 0 else palette.cold)[1] for m in rows["mean"]],
        error_x=error(np.nan_to_num(rows["std"]), color=palette.quiet), customdata=rows["count"],
        hover="%{y}: mean %{x:.3f} over %{customdata:,} tokens",
    )  # fmt: skip
    style(
        figure, palette, height=70 + 28 * len(rows), y=named(palette),
        x={"title": "mean strength ± sd of tokens", **zero(palette)},
    )  # fmt: skip
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
    values = np.array([effect.effect for effect in effects])
    tokens = [safe(shown_token(effect.text)) for effect in effects]
    figure = bars(
        go.Figure(), values, np.arange(len(effects)), orientation="h", customdata=tokens,
        colour=[(palette.hot if v > 0 else palette.cold)[1] for v in values],
        hover="“%{customdata}”: z %{x:.1f}",
    )  # fmt: skip
    title = "effect on the logit, z over the vocabulary"
    style(
        figure, palette, height=60 + 21 * len(effects),
        x={"title": title, **zero(palette)},
        y=named(palette, tickfont={"family": "IBM Plex Mono, monospace"}) | ticks(tokens),
    )  # fmt: skip
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
    percent = 100 * share
    figure = cells(
        go.Figure(), percent, span=(0, float(percent.max()) or 1.0), xgap=1, ygap=1,
        scale=[(0, palette.canvas), (0.5, palette.hot[0]), (1, palette.hot[-1])],
        colorbar={"title": {"text": "%"}, "thickness": 10},
        hover="layer %{y}, head %{x}: %{z:.2f} % of the network",
    )  # fmt: skip
    style(
        figure, palette, height=min(160 + 9 * len(share), 520), y="layer",
        x={"title": "head", "dtick": 1 if share.shape[1] <= 16 else None},
    )  # fmt: skip
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

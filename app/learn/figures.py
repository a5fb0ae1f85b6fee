"""Pictures of the lesson: each shows one thing, and reads on a phone."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, line, note, points, rule
from app.figures.markup import signed, visible
from app.figures.theme import Palette, rgba
from fnprune_core.probability import p_text


def blood_response(
    response: NDArray[np.floating],
    *,
    step_s: float,
    gap_s: float,
    t_r_s: float,
    palette: Palette,
) -> Picture:
    """Draw the response of blood to two brief flashes, and its samples by a scanner.

    Parameters
    ----------
    response : ndarray
        To one flash, every `step_s` seconds.
    gap_s : float
        Between the flashes.
    """
    n_steps = round(gap_s / step_s)
    n = len(response) + n_steps
    first_response, second_response = np.zeros(n), np.zeros(n)
    first_response[: len(response)] = response
    second_response[n_steps:] = response
    seconds = np.arange(n) * step_s
    summed = first_response + second_response if n_steps else first_response
    figure = go.Figure()
    if n_steps:
        for single_response in (first_response, second_response):
            line(
                figure, seconds, single_response, colour=rgba(palette.quiet, 0.6), width=1,
                line={"dash": "dot"}, showlegend=False,
            )  # fmt: skip
    hover = "%{x:.1f} s: %{y:.2f}"
    line(figure, seconds, summed, colour=palette.hot[1], name="blood", hover=hover)
    scans = np.arange(0, seconds[-1] + 1e-9, t_r_s)
    scanned = np.interp(scans, seconds, summed)
    hover = f"scan at {hover}"
    points(figure, scans, scanned, colour=palette.text, size=7, name="scans", hover=hover)
    flash_seconds = [0.0, gap_s] if n_steps else [0.0]
    points(
        figure, flash_seconds, [-0.32] * len(flash_seconds), colour=palette.accent, size=12,
        marker={"symbol": "triangle-up"}, name="flash", hover="flash at %{x:.1f} s",
    )  # fmt: skip
    style(figure, palette, height=300, legend=True, x="seconds", y="signal (one flash peaks at 1)")
    peak = float(seconds[int(summed.argmax())])
    return Picture(
        figure=figure,
        alternative=(
            f"The response of blood to {len(flash_seconds)} flash{'es' if n_steps else ''}: "
            f"highest {peak:.1f} s after the first, {summed.max():.2f} high; a scan every "
            f"{t_r_s:g} s."
        ),
        table=pd.DataFrame({"seconds": scans, "signal": scanned.round(3)}),
    )


def event_average(
    lags: NDArray[np.integer],
    mean: NDArray[np.floating],
    *,
    word: str,
    n_events: int,
    network: int,
    palette: Palette,
) -> Picture:
    """Draw a network's strength around a word, token by token."""
    peak = int(np.argmax(mean))
    colours = [palette.hot[1] if lag == lags[peak] else palette.quiet for lag in lags]
    figure = bars(go.Figure(), lags, mean, colour=colours, hover="%{x} tokens after: %{y:.2f} sd")
    style(
        figure, palette, height=300, margin={"t": 36}, bargap=0.1, x="tokens after the word",
        y="strength (standard deviations)",
    )  # fmt: skip
    word_text = safe(visible(word)).replace("\n", "⏎")
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} around “{word_text}”, mean of {n_events:,} places: strongest at "
            f"lag {int(lags[peak])}, {mean[peak]:.1f} standard deviations."
        ),
        table=pd.DataFrame({"tokens after": lags, "strength": mean.round(3)}),
    )


def lines(
    curves: Mapping[str, NDArray[np.floating]],
    x: Sequence[float],
    *,
    x_title: str,
    y_title: str,
    says: str,
    palette: Palette,
    marked: float | None = None,
) -> Picture:
    """Draw a few named curves over the same x; the first is the real brain.

    Parameters
    ----------
    says : str
        The picture's text alternative.
    marked : float, optional
        An x to mark by a line.
    """
    figure = go.Figure()
    line_styles = (("solid", "circle"), ("dash", "square"), ("dot", "diamond"))
    for (name, values), colour, (dash, symbol) in zip(
        curves.items(), (palette.hot[1], palette.text, palette.accent), line_styles, strict=False
    ):
        line(
            figure, list(x), values, colour=colour, line={"dash": dash}, mode="lines+markers",
            marker={"symbol": symbol, "size": 7}, name=name,
            hover=f"{safe(name)}, %{{x:g}}: %{{y:.2f}}",
        )  # fmt: skip
    if marked is not None:
        rule(figure, palette.quiet, x=marked, dash="dot")
    style(
        figure, palette, height=320, legend=True, margin={"t": 64}, x=x_title,
        y={"title": y_title, "range": [-0.08, 1.06]},
    )  # fmt: skip
    return Picture(
        figure=figure,
        alternative=says,
        table=pd.DataFrame(
            {x_title: list(x)}
            | {name: np.asarray(values).round(3) for name, values in curves.items()}
        ),
    )


def membership_bars(counts: NDArray[np.integer], *, z: float, palette: Palette) -> Picture:
    """Draw how many units are in no network, one, two, three, four or more."""
    last_count = 4
    n_units = np.zeros(last_count + 1, dtype=np.int64)
    for number, count in enumerate(counts.tolist()):
        n_units[min(number, last_count)] += count
    share = n_units / max(n_units.sum(), 1)
    names = ["none", "1", "2", "3", f"{last_count} or more"]
    figure = bars(
        go.Figure(), names, share * 100, customdata=n_units,
        colour=[palette.line, palette.quiet, *[palette.accent] * 3],
        text=[f"{100 * value:.0f} %" for value in share],
        textposition="outside", cliponaxis=False, textfont={"color": palette.text},
        hover="%{customdata:,} units in %{x}",
    )  # fmt: skip
    style(
        figure, palette, height=280, margin={"t": 28}, y="% of units",
        x={"title": f"networks with |z| above {z:g}", "type": "category"},
    )  # fmt: skip
    members = n_units[1:].sum()
    return Picture(
        figure=figure,
        alternative=(
            f"At |z| above {z:g}, {n_units[0]:,} of {n_units.sum():,} units are in no network, "
            f"{n_units[1]:,} in one and {n_units[2:].sum():,} in several"
            + (
                f", {100 * (n_units[2:].sum() / members):.0f} % of those in any."
                if members
                else "."
            )
        ),
        table=pd.DataFrame({"networks": names, "units": n_units}),
    )


def contrast_points(
    difference: NDArray[np.floating],
    p_documents: NDArray[np.floating],
    p_tokens: NDArray[np.floating],
    *,
    names: Sequence[str],
    palette: Palette,
) -> Picture:
    """Draw each network's p-value, tested over documents and over tokens.

    p-values are corrected for the false discovery rate, or not, as they come.
    """
    order = np.argsort(p_documents, kind="stable")
    figure = go.Figure()
    for values, name, symbol, colour in (
        (p_tokens, "tokens as observations", "x-thin", palette.cold[1]),
        (p_documents, "documents as observations", "circle", palette.hot[1]),
    ):
        evidence = np.minimum(-np.log10(np.maximum(values[order], 1e-30)), 12)
        points(
            figure, np.arange(1, len(order) + 1), evidence, colour=colour, size=7, name=name,
            customdata=[safe(names[k]) for k in order],
            marker={"symbol": symbol, "line": {"width": 1.5, "color": colour}},
            hover="%{customdata}<br>−log10 p %{y:.1f}",
        )  # fmt: skip
    rule(figure, palette.text, y=-np.log10(0.05), dash="dash")
    style(
        figure, palette, height=320, legend=True, margin={"t": 64},
        x="networks, by p over documents",
        y={"title": "−log10 p (12 at most)", "rangemode": "tozero"},
    )  # fmt: skip
    n = len(order)
    return Picture(
        figure=figure,
        alternative=(
            f"p below 0.05 (above the dashed line): {int((p_documents < 0.05).sum())} of {n} "
            f"networks over documents, {int((p_tokens < 0.05).sum())} over tokens."
        ),
        table=pd.DataFrame(
            {
                "network": [names[k] for k in order],
                "difference (sd)": difference[order].round(3),
                "p, documents": [p_text(p) for p in p_documents[order]],
                "p, tokens": [p_text(p) for p in p_tokens[order]],
            }
        ),
    )


def loss_bars(
    changes: Mapping[str, Mapping[str, float]],
    *,
    y_title: str,
    says: str,
    palette: Palette,
) -> Picture:
    """Draw the change of loss by kind of text, one colour per condition.

    Parameters
    ----------
    changes : mapping
        Condition → kind of text → nats per token.
    """
    figure = go.Figure()
    colours = [palette.hot[1], palette.quiet, palette.accent, palette.cold[1]]
    for (name, values), colour in zip(changes.items(), colours, strict=False):
        bars(
            figure, [safe(kind) for kind in values], np.array([*values.values()]), colour=colour,
            name=safe(name), hover=f"{safe(name)}, %{{x}}: %{{y:+.2f}} nats",
        )  # fmt: skip
    rule(figure, palette.line, y=0)
    style(figure, palette, height=320, legend=True, margin={"t": 64}, barmode="group", y=y_title)
    _cut_axis(figure, changes, palette)
    kinds = list(next(iter(changes.values()), {}))
    table = {"text": kinds} | {
        name: [round(values[kind], 3) for kind in kinds] for name, values in changes.items()
    }
    return Picture(figure=figure, alternative=says, table=pd.DataFrame(table))


def _cut_axis(
    figure: go.Figure, changes: Mapping[str, Mapping[str, float]], palette: Palette
) -> None:
    """End the axis above the second largest condition where one towers over all, and say so."""
    largest = sorted((max(values.values()), name) for name, values in changes.items() if values)
    if len(largest) < 2 or largest[-1][0] <= 2.5 * max(largest[-2][0], 0.05):
        return
    lowest = min(min(values.values()) for values in changes.values())
    top = 1.4 * largest[-2][0]
    figure.update_yaxes(range=[1.1 * min(lowest, 0.0), top])
    note(
        figure,
        f"{safe(largest[-1][1])} goes up to {signed(largest[-1][0], '+.1f')}, beyond the axis",
        1, 1, colour=palette.text, xref="paper", yref="paper", xanchor="right", yanchor="top",
        bgcolor=palette.canvas,
    )  # fmt: skip

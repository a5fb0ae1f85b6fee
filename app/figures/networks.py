"""Pictures of networks: their places, their time courses, their domains."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, line, named, points, rule
from app.figures.markup import visible
from app.figures.theme import Palette, rgba

_SPACE = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def shown_token(text: str) -> str:
    """Return a token's text with its white space made visible, not yet escaped."""
    return "".join(_SPACE.get(c, c) for c in visible(text)) or "(empty)"


def time_course(
    values: NDArray[np.floating],
    texts: Sequence[str],
    *,
    network: int,
    palette: Palette,
    n_dummy_tokens: int = 0,
    selected: int | None = None,
) -> Picture:
    """Draw a network's strength token by token over a session.

    Parameters
    ----------
    values : ndarray (n_tokens,)
        NaN on dummy tokens.
    selected : int, optional
        A token to be marked.
    """
    x = np.arange(len(values))
    finite = np.nan_to_num(values).astype(np.float32)
    figure = go.Figure()
    for half, colour in (
        (np.maximum(finite, 0), palette.hot[1]),
        (np.minimum(finite, 0), palette.cold[1]),
    ):
        line(figure, x, half, colour=None, width=0, fill="tozeroy", fillcolor=rgba(colour, 0.45))
    line(
        figure, x, values, colour=palette.text, width=1,
        customdata=[safe(visible(text)) for text in texts],
        hover="token %{x}: “%{customdata}”<br>strength %{y:.2f}",
    )  # fmt: skip
    style(
        figure, palette, height=190, x="token in the session", y={"title": "strength", "nticks": 4}
    )
    if n_dummy_tokens:
        rule(figure, palette.line, x=n_dummy_tokens - 0.5)
    if selected is not None and 0 <= selected < len(values):
        rule(figure, palette.accent, x=selected, width=1.5)
    peak = int(np.abs(finite).argmax())
    return Picture(
        figure=figure,
        alternative=(
            f"Time course of network {network} over {len(values)} tokens, from "
            f"{finite.min():.2f} to {finite.max():.2f}; strongest at token {peak}, "
            f"“{shown_token(texts[peak])}”."
        ),
        table=pd.DataFrame({"token": x, "text": list(texts), "strength": values.round(3)}),
    )


def domain_bars(share: NDArray[np.floating], names: Sequence[str], *, palette: Palette) -> Picture:
    """Draw how a network's energy divides over domains: shares (n_domains,) that sum to one."""
    order = np.argsort(share)
    percent = share[order] * 100
    colours = [palette.accent if value > 50 else palette.quiet for value in percent]
    figure = bars(
        go.Figure(), percent, [safe(names[i]) for i in order], colour=colours, orientation="h",
        text=[f"{value:.0f} %" for value in percent], textposition="outside", cliponaxis=False,
        textfont={"color": palette.text}, hover="%{y}: %{x:.1f} % of the energy",
    )  # fmt: skip
    style(
        figure, palette, height=56 + 30 * len(names), y=named(palette),
        x={"title": "% of energy per token", "range": [0, 112], "tickvals": [0, 50, 100]},
    )  # fmt: skip
    top = int(share.argmax())
    return Picture(
        figure=figure,
        alternative=f"Most of the energy, {100 * share[top]:.0f} %, falls in {names[top]}; "
        "energy is squared strength, so the bars have no sign.",
        table=pd.DataFrame({"domain": list(names), "share of energy": share.round(4)}),
    )


def agreement_scatter(table: pd.DataFrame, *, selected: int | None, palette: Palette) -> Picture:
    """Draw how far runs agree on each network against the variance it explains by itself.

    Parameters
    ----------
    table : DataFrame
        As `NetworkAtlas.table()` makes it.
    """
    agreement, variance = table["run_agreement"].to_numpy(), table["variance_alone"].to_numpy()
    figure = network_points(
        table, "run_agreement", selected=selected, palette=palette, named_by="top_domain",
        hover="agreement of runs %{y:.2f}, alone %{x:.2f} % of variance<br>most in %{text}",
    )  # fmt: skip
    rule(figure, palette.line, y=0.8, dash="dot")
    style(
        figure, palette, height=320, x=VARIANCE_ALONE,
        y={"title": "agreement of runs", "range": [min(0.0, agreement.min()), 1.04]},
    )  # fmt: skip
    steady = int((agreement >= 0.8).sum())
    return Picture(
        figure=figure,
        alternative=(
            f"{steady} of {len(table)} networks agree between runs at 0.8 or more; alone they "
            f"explain between {100 * variance.min():.2f} % and {100 * variance.max():.2f} % of "
            "the variance."
        ),
        table=table[["network", "run_agreement", "variance_alone", "variance_left_out"]],
    )


#: The axis of the variance that each network explains by itself.
VARIANCE_ALONE = {"title": "% of variance it explains alone", "rangemode": "tozero"}


def network_points(
    table: pd.DataFrame,
    column: str,
    *,
    selected: int | None,
    palette: Palette,
    named_by: str,
    hover: str,
) -> go.Figure:
    """Draw a column against the variance of each network alone; the selected one stands out."""
    is_selected = (table["network"] == selected).to_numpy()
    return points(
        go.Figure(), table["variance_alone"] * 100, table[column],
        colour=[palette.accent if s else rgba(palette.quiet, 0.75) for s in is_selected],
        size=np.where(is_selected, 15, 9), marker={"line": {"color": palette.canvas, "width": 1}},
        customdata=table["network"], text=[safe(str(name)) for name in table[named_by]],
        selected={"marker": {"color": palette.accent}}, unselected={"marker": {"opacity": 0.8}},
        hover=f"network %{{customdata}}<br>{hover}",
    )  # fmt: skip


def variance_bars(table: pd.DataFrame, *, palette: Palette) -> Picture:
    """Draw the variance each network explains alone, and what is lost when it is left out."""
    sorted_table = table.sort_values("variance_alone", ascending=False)
    figure = go.Figure()
    names = [str(network) for network in sorted_table["network"]]
    for column, name, colour in (
        ("variance_alone", "alone", rgba(palette.quiet, 0.55)),
        ("variance_left_out", "lost when left out", palette.accent),
    ):
        bars(
            figure, names, sorted_table[column] * 100, colour=colour, name=name,
            hover=f"network %{{x}}: %{{y:.2f}} % {name}",
        )  # fmt: skip
    style(
        figure, palette, height=260, legend=True, barmode="overlay", bargap=0.15,
        x={"title": "network, by variance", "type": "category", "nticks": 20}, y="% of variance",
    )  # fmt: skip
    largest = sorted_table.iloc[0]
    return Picture(
        figure=figure,
        alternative=(
            f"Network {largest['network']} explains most variance alone, "
            f"{100 * largest['variance_alone']:.2f} %; shares do not add up, for networks overlap "
            "in time."
        ),
        table=sorted_table[["network", "variance_alone", "variance_left_out"]],
    )

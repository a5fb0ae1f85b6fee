"""Pictures of a localizer: networks, blocks, templates, decoding."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, legend_on_top, safe, style
from app.figures.markup import signed
from app.figures.theme import Palette, rgba
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.probability import p_text

_SHOWN_NETWORKS = 14


def side_colours(result: LocalizerResult, palette: Palette) -> dict[str, str]:
    """Return a colour for each condition: the accent's side first."""
    positive = [palette.series[0], palette.series[2], palette.series[5]]
    negative = [palette.series[1], palette.series[4], palette.series[3]]
    sides = ((result.localizer.positive, positive), (result.localizer.negative, negative))
    return {
        name: colours[i % len(colours)] for side, colours in sides for i, name in enumerate(side)
    }


def network_effects(
    result: LocalizerResult, names: Sequence[str], *, selected: int, palette: Palette
) -> Picture:
    """Draw the networks that differ most with 95 % intervals, the largest on top."""
    all_networks = result.network_table()
    all_networks.insert(1, "name", [names[int(k)] for k in all_networks["network"]])
    table = all_networks.head(_SHOWN_NETWORKS).iloc[::-1]
    labels = [
        f"{k} · {_shortened(name)}" for k, name in zip(table["network"], table["name"], strict=True)
    ]
    other_colours = {True: palette.text, False: rgba(palette.quiet, 0.6)}
    colours = [
        palette.accent if k == selected else other_colours[bool(responds)]
        for k, responds in zip(table["network"], table["responds"], strict=True)
    ]
    figure = go.Figure()
    for place, (low, high, colour) in enumerate(
        zip(table["low"], table["high"], colours, strict=True)
    ):
        figure.add_scatter(
            x=[low, high], y=[place, place], mode="lines",
            line={"color": colour, "width": 2}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    figure.add_scatter(
        x=table["difference"].to_numpy(dtype=np.float32),
        y=np.arange(len(table)),
        mode="markers",
        customdata=np.column_stack(
            [table["network"], table["low"], table["high"], table["effect_size"]]
        ),
        marker={
            "size": 10,
            "color": [
                c if r else palette.canvas for c, r in zip(colours, table["responds"], strict=True)
            ],
            "line": {"color": colours, "width": 2},
        },
        text=[safe(name) for name in table["name"]],
        hovertext=[safe(p_text(q)) for q in table["q"]],
        hovertemplate=(
            "network %{customdata[0]:.0f}, %{text}<br>%{x:+.2f}× [%{customdata[1]:+.2f}, "
            "%{customdata[2]:+.2f}]<br>g %{customdata[3]:.2f}, q %{hovertext}"
            "<extra></extra>"
        ),
        showlegend=False,
    )
    figure.add_vline(x=0, line={"color": palette.quiet, "width": 1, "dash": "dot"})
    style(figure, palette, height=60 + 27 * len(table), left=8, bottom=48)
    figure.update_xaxes(title_text="difference, × usual strength")
    figure.update_yaxes(
        tickvals=list(range(len(table))),
        ticktext=[safe(label) for label in labels],
        showgrid=False,
        range=[-0.7, len(table) - 0.3],
        tickfont={"color": palette.text, "size": 12},
    )
    n = int(all_networks["responds"].sum())
    strongest = all_networks.iloc[0]
    return Picture(
        figure=figure,
        alternative=(
            f"{n} of {len(all_networks)} networks differ with q below 0.05 (filled). First: "
            f"network {int(strongest['network'])}, {strongest['name']}, "
            f"{signed(strongest['difference'], '+.2f')} of its usual strength, 95 % interval "
            f"{signed(strongest['low'], '+.2f')} to {signed(strongest['high'], '+.2f')} over "
            f"{result.localizer.unit}."
        ),
        table=all_networks,
    )


def _shortened(name: str, length: int = 24) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def block_course(result: LocalizerResult, network: int, *, palette: Palette) -> Picture:
    """Draw a network's strength over the blocks as they alternate, with each block's effect."""
    usable = ~result.tokens["is_dummy"].to_numpy()
    block = result.tokens["block"].to_numpy()[usable]
    values = result.strengths[network][usable]
    colours = side_colours(result, palette)
    starts = np.searchsorted(block, np.arange(len(result.blocks) + 1))
    effects = result.block_table(network)
    figure = go.Figure()
    figure.add_scatter(
        x=np.arange(len(values)),
        y=values.astype(np.float32),
        mode="lines",
        line={"color": rgba(palette.quiet, 0.55), "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    for condition, colour in colours.items():
        x: list[float | None] = []
        y: list[float | None] = []
        blocks_of_condition = effects[effects["condition"] == condition]
        for number, effect in zip(
            blocks_of_condition["block"].tolist(),
            blocks_of_condition["effect"].tolist(),
            strict=True,
        ):
            start, end = float(starts[number]), float(starts[number + 1])
            figure.add_vrect(x0=start, x1=end, fillcolor=rgba(colour, 0.13), line_width=0)
            x += [start, end, None]
            y += [effect, effect, None]
        figure.add_scatter(
            x=x, y=y, mode="lines", name=safe(condition), line={"color": colour, "width": 4},
            hovertemplate="%{fullData.name}: %{y:+.2f}×<extra></extra>",
        )  # fmt: skip
    style(figure, palette, height=290, left=48)
    legend_on_top(figure, palette)
    figure.update_xaxes(title_text="tokens, block after block", range=[0, len(values)])
    span = np.quantile(values, [0.005, 0.995])
    low, high = (
        min(float(span[0]), effects["effect"].min()),
        max(float(span[1]), effects["effect"].max()),
    )
    room = 0.05 * (high - low)
    figure.update_yaxes(title_text="× usual strength", range=[low - room, high + room], nticks=5)
    means = effects.groupby("condition")["effect"].mean()
    means_text = ", ".join(
        f"{name} {signed(means[name], '+.2f')}" for name in result.localizer.conditions
    )
    return Picture(
        figure=figure,
        alternative=(
            f"Network {network} over {len(result.blocks)} blocks in alternating conditions; thick "
            f"lines are the blocks' effects. Means, in multiples of usual strength: {means_text}."
        ),
        table=effects,
    )


def template_effects(result: LocalizerResult, network: int, *, palette: Palette) -> Picture:
    """Draw the contrast in each template, or each block's effect where they are unpaired."""
    table = result.template_table(network)
    is_paired = result.localizer.is_paired
    colours = side_colours(result, palette)
    table = table.sort_values("difference").reset_index(drop=True)
    dots = [palette.accent if is_paired else colours[c] for c in table["condition"]]
    figure = go.Figure(
        go.Scatter(
            x=table["difference"].to_numpy(dtype=np.float32),
            y=np.arange(len(table)),
            mode="markers",
            marker={"size": 9, "color": dots},
            text=[safe(text).replace("\n", "<br>") for text in table["example"]],
            hovertemplate="%{x:+.2f}×<br>%{text}<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"color": palette.quiet, "width": 1, "dash": "dot"})
    row = result.network_table().set_index("network").loc[network]
    if is_paired:
        figure.add_vrect(
            x0=row["low"], x1=row["high"], fillcolor=rgba(palette.accent, 0.15), line_width=0
        )
        figure.add_vline(x=row["difference"], line={"color": palette.accent, "width": 2})
    style(figure, palette, height=max(220, 70 + 19 * len(table)), left=8, bottom=48)
    figure.update_xaxes(
        title_text="difference, × usual strength" if is_paired else "block, × usual strength"
    )
    figure.update_yaxes(
        tickvals=list(range(len(table))),
        ticktext=[safe(_shortened(str(t).replace("\n", " "), 34)) for t in table["example"]],
        showgrid=False,
        tickfont={"size": 11},
    )
    n_same_direction = int((np.sign(table["difference"]) == np.sign(row["difference"])).sum())
    sentence = (
        f"Network {network}: {n_same_direction} of {len(table)} templates differ in the same "
        "direction; the line is their mean, the band its 95 % interval. Each is named by one of "
        "its items."
        if is_paired
        else f"Network {network}: each block's effect by condition."
    )
    return Picture(figure=figure, alternative=sentence, table=table)


def decoding_null(result: LocalizerResult, *, palette: Palette) -> Picture:
    """Draw the accuracy on held-out templates against permuted labels."""
    decoding = result.decoding
    edges = np.linspace(0, 1, 41)
    counts, _ = np.histogram(decoding.null, bins=edges)
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2 * 100,
            y=counts.astype(np.int32),
            width=2.3,
            marker_color=rgba(palette.quiet, 0.6),
            marker_line_width=0,
            hovertemplate="%{x:.0f} %: %{y} permutations<extra></extra>",
        )
    )
    error = decoding.standard_error * 100
    figure.add_vrect(
        x0=decoding.accuracy * 100 - error, x1=min(decoding.accuracy * 100 + error, 100),
        fillcolor=rgba(palette.accent, 0.2), line_width=0,
    )  # fmt: skip
    figure.add_vline(x=decoding.accuracy * 100, line={"color": palette.accent, "width": 3})
    style(figure, palette, height=230, left=44, bottom=46)
    figure.update_xaxes(title_text="% of held-out items on the right side", range=[0, 101])
    figure.update_yaxes(title_text="permutations", nticks=4)
    return Picture(
        figure=figure,
        alternative=(
            f"Held-out items are put on the right side in {100 * decoding.accuracy:.0f} % ± "
            f"{100 * decoding.standard_error:.0f} % of cases (balanced; standard error over "
            f"{result.localizer.unit}); with the conditions of whole blocks permuted, "
            f"{100 * decoding.null.mean():.0f} % on average, p {p_text(decoding.p)}."
        ),
        table=pd.DataFrame({"accuracy after permutation": np.round(decoding.null, 4)}),
    )


def design_picture(result: LocalizerResult, *, palette: Palette) -> Picture:
    """Draw the design matrix: a boxcar a block in its condition's colour, and the covariates."""
    design = result.design()
    n_blocks = len(result.blocks)
    colours = list(side_colours(result, palette).items())
    values = np.full(design.shape, -1, dtype=np.int8)
    for column, block in enumerate(result.blocks):
        place = result.localizer.conditions.index(block.condition)
        values[design.to_numpy()[:, column] > 0, column] = place
    steps = [palette.silhouette, *(colour for _, colour in colours)]
    edges = np.linspace(0, 1, len(steps) + 1)
    scale = [(edges[i + side], c) for i, c in enumerate(steps) for side in (0, 1)]
    figure = go.Figure(
        go.Heatmap(
            z=values[:, :n_blocks], zmin=-1.5, zmax=len(colours) - 0.5, colorscale=scale,
            showscale=False, hoverinfo="skip",
        )
    )  # fmt: skip
    extra = design.to_numpy()[:, n_blocks:]
    largest = np.abs(extra).max(axis=0)
    figure.add_heatmap(
        x=[n_blocks + 1 + 2 * i for i in range(extra.shape[1])],
        z=(extra / np.where(largest > 0, largest, 1)).astype(np.float32),
        colorscale=[(0.0, palette.greys[0]), (1.0, palette.greys[1])],
        showscale=False,
        hoverinfo="skip",
    )
    for name, colour in colours:
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=safe(name),
            marker={"symbol": "square", "size": 10, "color": colour},
        )  # fmt: skip
    style(figure, palette, height=380, left=52, bottom=48)
    legend_on_top(figure, palette)
    figure.update_yaxes(autorange="reversed", title_text="token", showgrid=False)
    figure.update_xaxes(
        tickvals=[n_blocks / 2 - 0.5, *(n_blocks + 1 + 2 * i for i in range(extra.shape[1]))],
        ticktext=[f"{n_blocks} blocks", "freq.", "pos."],
        showgrid=False,
        zeroline=False,
    )
    return Picture(
        figure=figure,
        alternative=(
            f"Design matrix of {len(design):,} tokens: a boxcar for each of {n_blocks} blocks in "
            "its condition's colour, then log frequency and position of each token."
        ),
        table=pd.DataFrame(
            {
                "block": np.arange(n_blocks),
                "condition": [b.condition for b in result.blocks],
                "template": [b.template for b in result.blocks],
                "tokens": design.to_numpy()[:, :n_blocks].sum(axis=0).astype(int),
            }
        ),
    )

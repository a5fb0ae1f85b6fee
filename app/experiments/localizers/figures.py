"""Pictures of a localizer: networks, blocks, templates, decoding."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, cells, line, points, rule, ticks
from app.figures.markup import short, signed
from app.figures.theme import Palette, greys, rgba, steps
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
        safe(f"{k} · {short(name, 24)}")
        for k, name in zip(table["network"], table["name"], strict=True)
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
        line(figure, [low, high], [place, place], colour=colour, showlegend=False)
    fills = [c if r else palette.canvas for c, r in zip(colours, table["responds"], strict=True)]
    points(
        figure, table["difference"], np.arange(len(table)), colour=fills, size=10,
        marker={"line": {"color": colours, "width": 2}}, showlegend=False,
        customdata=table[["network", "low", "high", "effect_size"]].to_numpy(),
        text=[safe(name) for name in table["name"]],
        hovertext=[safe(p_text(q)) for q in table["q"]],
        hover="network %{customdata[0]:.0f}, %{text}<br>%{x:+.2f}× [%{customdata[1]:+.2f}, "
        "%{customdata[2]:+.2f}]<br>g %{customdata[3]:.2f}, q %{hovertext}",
    )  # fmt: skip
    rule(figure, palette.quiet, x=0, dash="dot")
    rows = {"showgrid": False, "range": [-0.7, len(table) - 0.3]}
    style(
        figure, palette, height=60 + 27 * len(table), margin={"l": 8, "b": 48},
        x="difference, × usual strength",
        y=ticks(labels, tickfont={"color": palette.text, "size": 12}, **rows),
    )  # fmt: skip
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


def block_course(result: LocalizerResult, network: int, *, palette: Palette) -> Picture:
    """Draw a network's strength over the blocks as they alternate, with each block's effect."""
    usable = ~result.tokens["is_dummy"].to_numpy()
    block = result.tokens["block"].to_numpy()[usable]
    values = result.strengths[network][usable]
    colours = side_colours(result, palette)
    starts = np.searchsorted(block, np.arange(len(result.blocks) + 1))
    effects = result.block_table(network)
    figure = line(
        go.Figure(), np.arange(len(values)), values, colour=rgba(palette.quiet, 0.55), width=1,
        showlegend=False,
    )  # fmt: skip
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
        line(
            figure, x, y, colour=colour, width=4, name=safe(condition),
            hover="%{fullData.name}: %{y:+.2f}×",
        )  # fmt: skip
    span = np.quantile(values, [0.005, 0.995])
    low, high = (
        min(float(span[0]), effects["effect"].min()),
        max(float(span[1]), effects["effect"].max()),
    )
    room = 0.05 * (high - low)
    style(
        figure, palette, height=290, legend=True,
        x={"title": "tokens, block after block", "range": [0, len(values)]},
        y={"title": "× usual strength", "range": [low - room, high + room], "nticks": 5},
    )  # fmt: skip
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
    figure = points(
        go.Figure(), table["difference"], np.arange(len(table)), colour=dots,
        text=[safe(text).replace("\n", "<br>") for text in table["example"]],
        hover="%{x:+.2f}×<br>%{text}",
    )  # fmt: skip
    rule(figure, palette.quiet, x=0, dash="dot")
    row = result.network_table().set_index("network").loc[network]
    if is_paired:
        figure.add_vrect(
            x0=row["low"], x1=row["high"], fillcolor=rgba(palette.accent, 0.15), line_width=0
        )
        rule(figure, palette.accent, x=row["difference"], width=2)
    examples = [safe(short(str(text), 34)) for text in table["example"]]
    style(
        figure, palette, height=max(220, 70 + 19 * len(table)), margin={"l": 8, "b": 48},
        x=f"{'difference' if is_paired else 'block'}, × usual strength",
        y=ticks(examples, showgrid=False, tickfont={"size": 11}),
    )  # fmt: skip
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
    figure = bars(
        go.Figure(), (edges[:-1] + edges[1:]) / 2 * 100, counts, width=2.3,
        colour=rgba(palette.quiet, 0.6), hover="%{x:.0f} %: %{y} permutations",
    )  # fmt: skip
    error = decoding.standard_error * 100
    figure.add_vrect(
        x0=decoding.accuracy * 100 - error, x1=min(decoding.accuracy * 100 + error, 100),
        fillcolor=rgba(palette.accent, 0.2), line_width=0,
    )  # fmt: skip
    rule(figure, palette.accent, x=decoding.accuracy * 100, width=3)
    style(
        figure, palette, height=230, margin={"l": 44, "b": 46},
        x={"title": "% of held-out items on the right side", "range": [0, 101]},
        y={"title": "permutations", "nticks": 4},
    )  # fmt: skip
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
    figure = cells(
        go.Figure(), values[:, :n_blocks], span=(-1.5, len(colours) - 0.5),
        scale=steps([palette.silhouette, *(colour for _, colour in colours)]),
    )  # fmt: skip
    extra = design.to_numpy()[:, n_blocks:]
    largest = np.abs(extra).max(axis=0)
    scaled = extra / np.where(largest > 0, largest, 1)
    places = [n_blocks + 1 + 2 * i for i in range(extra.shape[1])]
    span = (float(scaled.min()), float(scaled.max()))
    cells(figure, scaled, x=places, span=span, scale=greys(palette))
    for name, colour in colours:
        marker = {"symbol": "square"}
        points(figure, [None], [None], colour=colour, size=10, marker=marker, name=safe(name))
    names = ticks([f"{n_blocks} blocks", "freq.", "pos."], [n_blocks / 2 - 0.5, *places])
    style(
        figure, palette, height=380, legend=True, margin={"l": 52, "b": 48}, x=names,
        y={"title": "token", "autorange": "reversed", "showgrid": False},
    )  # fmt: skip
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

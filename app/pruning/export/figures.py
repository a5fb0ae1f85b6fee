"""Picture of measured speed: times as fast as the dense model, with the interval of the median."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, legend_on_top, safe, style
from app.figures.theme import Palette

_WHATS = (("prefill", "reading the prompt"), ("decoding", "writing"))


def speed_ratios(rows: Sequence[Mapping[str, Any]], *, palette: Palette) -> Picture:
    """Draw paired ratios to the first model, a point with its interval for prompt and writing.

    Parameters
    ----------
    rows : sequence of mapping
        As `Speed.rows` makes them; the first is the dense model.
    """
    pruned_rows = rows[1:]
    labels = [safe(str(row["model"])) for row in pruned_rows]
    figure = go.Figure()
    figure.add_vline(x=1, line={"color": palette.text, "width": 1.5, "dash": "dot"})
    for i, (kind, name) in enumerate(_WHATS):
        ratios = np.array([row[f"{kind}_ratio"] for row in pruned_rows], dtype=np.float32)
        intervals = np.array(
            [row[f"{kind}_ratio_interval"] for row in pruned_rows], dtype=np.float32
        )
        intervals = intervals.reshape(-1, 2)
        figure.add_scatter(
            x=ratios,
            y=np.arange(len(pruned_rows), dtype=np.float32) + (0.16 if i == 0 else -0.16),
            mode="markers",
            name=name,
            marker={
                "size": 11,
                "color": palette.series[i],
                "symbol": "circle" if i == 0 else "diamond",
            },
            error_x={
                "type": "data",
                "array": intervals[:, 1] - ratios,
                "arrayminus": ratios - intervals[:, 0],
                "width": 5,
                "thickness": 1.5,
            },
            customdata=np.array(labels, dtype=object)[:, None],
            hovertemplate=f"%{{customdata[0]}}, {name}: %{{x:.2f}} times<extra></extra>",
        )
    style(figure, palette, height=110 + 64 * len(pruned_rows), left=90)
    legend_on_top(figure, palette)
    highest = max([1.1, *(row[f"{w}_ratio_interval"][1] for row in pruned_rows for w, _ in _WHATS)])
    lowest = min([0.9, *(row[f"{w}_ratio_interval"][0] for row in pruned_rows for w, _ in _WHATS)])
    figure.update_xaxes(
        title_text="times as fast as dense (dotted)",
        range=[max(0.0, lowest - 0.08), highest + 0.08],
        showgrid=True,
        nticks=7,
    )
    figure.update_yaxes(
        tickvals=list(range(len(pruned_rows))),
        ticktext=labels,
        range=[-0.6, len(pruned_rows) - 0.4],
        showgrid=False,
    )
    return Picture(figure=figure, alternative=_describe(pruned_rows), table=speed_table(rows))


def _describe(rows: Sequence[Mapping[str, Any]]) -> str:
    sentences = []
    for row in rows:
        ratios = [
            f"{row[f'{kind}_ratio']:.2f} ({row[f'{kind}_ratio_interval'][0]:.2f} to "
            f"{row[f'{kind}_ratio_interval'][1]:.2f}) times as fast as dense in {name}"
            for kind, name in _WHATS
        ]
        sentences.append(f"{row['model']}: {' and '.join(ratios)}")
    return ("; ".join(sentences) or "Nothing was measured") + "."


def speed_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a model, in units for people."""
    return pd.DataFrame(
        {
            "model": [row["model"] for row in rows],
            "prefill, tokens/s": [round(row["prefill_tokens_per_s"], 1) for row in rows],
            "prefill, × dense": [round(row["prefill_ratio"], 3) for row in rows],
            "decoding, tokens/s": [round(row["decoding_tokens_per_s"], 2) for row in rows],
            "decoding, × dense": [round(row["decoding_ratio"], 3) for row in rows],
            "peak memory, MB": [round(row["peak_bytes"] / 1e6) for row in rows],
            "weights, MB": [round(row["parameter_bytes"] / 1e6) for row in rows],
        }
    )

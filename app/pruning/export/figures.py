"""Picture of measured speed: times as fast as the dense model, with the interval of the median."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
from app.figures.marks import error, points, rule, small, ticks
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
    rule(figure, palette.text, x=1, width=1.5, dash="dot")
    for i, (kind, name) in enumerate(_WHATS):
        ratios = np.array([row[f"{kind}_ratio"] for row in pruned_rows], dtype=float)
        spans = [row[f"{kind}_ratio_interval"] for row in pruned_rows]
        low, high = np.array(spans, dtype=float).reshape(-1, 2).T
        points(
            figure, ratios, np.arange(len(pruned_rows)) + (0.16, -0.16)[i],
            colour=palette.series[i], size=11, marker={"symbol": ("circle", "diamond")[i]},
            name=name, customdata=np.array(labels, dtype=object)[:, None],
            error_x=error(high - ratios, arrayminus=small(ratios - low), width=5, thickness=1.5),
            hover=f"%{{customdata[0]}}, {name}: %{{x:.2f}} times",
        )  # fmt: skip
    highest = max([1.1, *(row[f"{w}_ratio_interval"][1] for row in pruned_rows for w, _ in _WHATS)])
    lowest = min([0.9, *(row[f"{w}_ratio_interval"][0] for row in pruned_rows for w, _ in _WHATS)])
    extent = [max(0.0, lowest - 0.08), highest + 0.08]
    title = "times as fast as dense (dotted)"
    style(
        figure, palette, height=110 + 64 * len(pruned_rows), legend=True, margin={"l": 90},
        x={"title": title, "range": extent, "showgrid": True, "nticks": 7},
        y=ticks(labels, range=[-0.6, len(pruned_rows) - 0.4], showgrid=False),
    )  # fmt: skip
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
    """Return one row per model, in units for people."""
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

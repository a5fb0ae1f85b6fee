"""Figures of experiments in the report: localizers and lesions."""

import numpy as np

from app.report.charts import colour_bar, diverging, intervals, short
from app.report.svg import Plot
from app.report_easel import Easel, Figure
from fnprune_core.localizers.glm import LEVEL
from fnprune_core.report.experiments import (
    is_tested,
    lesion_name,
    responding,
    run_localizers,
    studies,
)


def localizers(easel: Easel, _: int) -> Figure | None:
    """Draw the networks that respond most to each localizer, with their 95 % intervals."""
    m = easel.m
    groups = {
        result.localizer.title: frame
        for result in run_localizers(m)
        if len(frame := responding(m, result))
    }
    if not groups:
        return None
    title = "difference between the conditions, in multiples of the usual strength"
    return Figure(
        html=intervals(groups, palette=easel.palette, title=title),
        caption="The networks that respond most to each localizer (q < 0.05), with the 95 % "
        "interval over templates or blocks, of each by itself.",
        is_long=True,
    )


def lesions(easel: Easel, number: int) -> Figure | None:
    """Draw the excess loss of each lesion in each column; a dot marks q below 0.05."""
    m, p = easel.m, easel.palette
    study = studies(m)[number]
    excess, q = study.effects.excess, study.effects.q
    if not is_tested(study):
        excess = study.change[:, 0]
    names = [lesion_name(m, each) for each in study.lesions]
    finite = np.abs(excess[np.isfinite(excess)])
    if not finite.size:
        return None
    limit = max(float(np.quantile(finite, 0.98)), 1e-6)
    row_height = 12.0 if len(names) > 24 else 16.0
    left, top, wide = 230.0, 26.0, min(90.0, 380.0 / len(study.columns))
    height = top + row_height * len(names) + 10
    plot = Plot(palette=p, x=(0, 1), y=(0, 1), height=height, left=left)
    for c, name in enumerate(study.columns):
        shown_name = short(name, max(int(wide / 6), 6))
        plot.words(shown_name, left + wide * (c + 0.5), top - 8, anchor="middle", colour=p.text)
    for i, name in enumerate(names):
        y = top + row_height * i
        plot.words(short(name, 36), left - 8, y + row_height - 3, anchor="end", size=9.5)
        for c in range(len(study.columns)):
            value = float(excess[i, c])
            plot.add(
                "rect", x=round(left + wide * c, 1), y=round(y, 1), width=round(wide - 1, 1),
                height=row_height - 1, fill=diverging(value / limit, p),
            )  # fmt: skip
            if q[i, c] < LEVEL:
                plot.mark(left + wide * (c + 0.5), y + row_height / 2, colour=p.text)
    colour_bar(plot, p, limit, "nats", x=left + wide * len(study.columns) + 16)
    return Figure(
        html=plot.svg("Loss change of each lesion in each column"),
        caption="Loss change of each lesion above that of its random lesions, nats per token; a "
        "dot: q < 0.05 over all effects."
        if is_tested(study)
        else "Loss change of each lesion, nats per token, without random lesions beside it.",
        is_long=True,
    )

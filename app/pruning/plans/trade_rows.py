"""Plans as points of cost against size, and the lines that join them. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from app.pruning.plan_rows import Measured, score_label
from fnprune_core.evaluation.history import PlanRecord
from fnprune_core.pruning.sweep import pooled
from fnprune_core.scores.units import SCORES

#: Settings that make no line of their own in the picture: they lie along it, or are its name.
_ALONG = {"score", "ratio", "seed", "preserved"}


def trade_table(
    plans: Sequence[PlanRecord], measured: Mapping[str, Measured], *, recordings_too: bool = False
) -> pd.DataFrame:
    """Return the points of the trade picture: plans measured on a text, seeds brought together.

    Plans that differ in more than ratio and seed are on lines of their own; settings that all
    share do not name them.

    Parameters
    ----------
    measured : mapping
        By a plan's id, what was measured on the texts that are compared.
    recordings_too : bool
        Bring plans together that differ in their recording alone: draws of the calibration text.
    """
    there = [plan for plan in plans if math.isfinite(measured[plan.id].kept)]
    named = zip(there, lines(there, recordings_too=recordings_too), strict=True)
    points = [{**_point(plan, measured[plan.id]), "series": name} for plan, name in named]
    return pooled(points, by=("series", "ratio"))


def lines(plans: Sequence[PlanRecord], *, recordings_too: bool = False) -> list[str]:
    """Return the name of the line that each plan lies on."""
    choices = [_choices_of(plan) for plan in plans]
    names = dict.fromkeys(name for choice in choices for name in choice)
    if recordings_too:
        names.pop("recording", None)
    varying = [name for name in names if len({choice.get(name) for choice in choices}) > 1]
    line_names = []
    for plan, choice in zip(plans, choices, strict=True):
        varying_values = [choice[name] for name in varying if name in choice]
        line_names.append(" · ".join([score_label(plan.settings.score), *varying_values]))
    return line_names


def _choices_of(plan: PlanRecord) -> dict[str, str]:
    row = SCORES.get(plan.settings.score)
    fixed = set(_ALONG)
    if row is not None:
        fixed |= row.fixes.keys()
        if plan.settings.sink_units == row.sink_units:
            fixed.add("sink_units")  # as many as the score needs
        if plan.settings.score_version == row.version:
            fixed.add("score_version")
    settings = plan.settings.to_json()
    choices = {
        name: value if isinstance(value, str) else f"{name.replace('_', ' ')} {value}"
        for name, value in settings.items()
        if name not in fixed and value is not None
    }
    if row is not None and row.uses_networks:
        choices["preserved"] = f"{plan.n_preserved} networks"
    return {**choices, "recording": f"recording {plan.recording_id[:6]}"}


def _point(plan: PlanRecord, measured: Measured) -> dict[str, Any]:
    return {
        "ratio": round(plan.settings.ratio, 6),
        "seed": plan.settings.seed,
        "achieved_ratio": plan.achieved_ratio,
        "share_of_parameters": plan.share_of_parameters,
        "perplexity": measured.kept,
        "standard_error": measured.kept_error,
        "difference": measured.above_dense,
        "difference_error": measured.above_dense_error,
    }

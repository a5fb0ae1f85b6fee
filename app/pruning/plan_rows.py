"""Plans as rows: their names, the columns of the list, and the lines they form. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from fnprune_core.evaluation.history import History, Measurement, PlanRecord
from fnprune_core.evaluation.intervals import with_error
from fnprune_core.pruning.sweep import pooled
from fnprune_core.scores.units import SCORES

Difference = Callable[[str, str], tuple[float, float] | None]
#: Before the plan that is open.
OPEN = "▸ "
#: Settings that make no line of their own in the picture: they lie along it, or are its name.
_ALONG = {"score", "ratio", "seed", "preserved"}


def score_label(score: str) -> str:
    """Return a score's name for people."""
    return SCORES[score].label if score in SCORES else score


def title(record: PlanRecord) -> str:
    """Return the title of a plan: its name, else score and ratio, always with its id."""
    score = record.settings.score
    is_drawn = score in SCORES and SCORES[score].is_drawn
    seed = f", seed {record.settings.seed}" if is_drawn else ""
    default_name = f"{score_label(score)}{seed}, {record.achieved_ratio:.0%}"
    return f"{record.name or default_name} · {record.id[:6]}"


def text_label(history: History, text: str) -> str:
    """Return the name of a text and protocol."""
    plans = [plan for plan in history.plans if plan.on(text)]
    measurement = history.dense.get(text) or (plans[0].on(text) if plans else None)
    if measurement is None:
        return text
    protocol = measurement.protocol
    number = f"{len(plans)} plan{'' if len(plans) == 1 else 's'}"
    return (
        f"Text {protocol['text_sha256'][:8]}: {measurement.n_tokens:,} predictions, windows of "
        f"{protocol['window']}, {protocol['dtype']} on {protocol['device']} ({number})"
    )


def listed(
    history: History, text: str, difference: Difference, *, current: str = ""
) -> pd.DataFrame:
    """Return one row a plan, newest first, with what was measured of it on a text."""
    dense = history.dense.get(text)
    return pd.DataFrame([_row(p, p.on(text), dense, difference, current) for p in history.plans])


def _row(
    plan: PlanRecord,
    measured: Measurement | None,
    dense: Measurement | None,
    difference: Difference,
    current: str,
) -> dict[str, Any]:
    above_dense = None
    if measured is not None and dense is not None:
        above_dense = difference(measured.evaluation_id, dense.evaluation_id)
    preserved = f"{plan.n_preserved} of {plan.n_networks}" if plan.n_preserved else "–"
    return {
        "plan": (OPEN if plan.id == current else "") + title(plan),
        "score": score_label(plan.settings.score),
        "units": 100 * plan.achieved_ratio,
        "parameters": 100 * plan.share_of_parameters,
        "preserved": preserved,
        "compensation": plan.settings.compensation,
        "perplexity": None if measured is None else measured.perplexity,
        "± SE": None if measured is None else measured.standard_error,
        "nats/token above dense": None
        if above_dense is None
        else with_error(*above_dense, digits=4, is_signed=True),
        "made": pd.to_datetime(plan.created, errors="coerce", utc=True),
    }


def trade_table(
    history: History, text: str, difference: Difference, *, recordings_too: bool = False
) -> pd.DataFrame:
    """Return the points of the trade picture: plans measured on a text, seeds brought together.

    Plans that differ in more than ratio and seed are on lines of their own; settings that all
    share do not name them.

    Parameters
    ----------
    recordings_too : bool
        Bring plans together that differ in their recording alone: draws of the calibration text.
    """
    plans = [plan for plan in history.plans if plan.on(text)]
    named = zip(plans, lines(plans, recordings_too=recordings_too), strict=True)
    dense = history.dense.get(text)
    return pooled_by_series(
        [{**_point(plan, plan.on(text), dense, difference), "series": name} for plan, name in named]
    )


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


def _point(
    plan: PlanRecord,
    measured: Measurement | None,
    dense: Measurement | None,
    difference: Difference,
) -> dict[str, Any]:
    missing = float("nan")
    above_dense = None
    if measured is not None and dense is not None:
        above_dense = difference(measured.evaluation_id, dense.evaluation_id)
    return {
        "ratio": round(plan.settings.ratio, 6),
        "seed": plan.settings.seed,
        "achieved_ratio": plan.achieved_ratio,
        "share_of_parameters": plan.share_of_parameters,
        "perplexity": missing if measured is None else measured.perplexity,
        "standard_error": missing if measured is None else measured.standard_error,
        "difference": missing if above_dense is None else above_dense[0],
        "difference_error": missing if above_dense is None else above_dense[1],
    }


def pooled_by_series(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return rows pooled over seeds, one a line and ratio."""
    return pooled(rows, by=("series", "ratio"))

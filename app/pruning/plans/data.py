"""Cached data of the Plans page: the history, paired differences, and overlaps."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from app.pruning import data as shared
from app.pruning.plan_rows import Measured
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import history as plan_history
from fnprune_core.evaluation import results
from fnprune_core.evaluation.history import History
from fnprune_core.evaluation.results import paired_difference
from fnprune_core.export.speed import WHATS, open_speed, speeds_of_cut
from fnprune_core.plans import decision_log, files

_Key = tuple[tuple[str, ...], tuple[str, ...], int]


def history(fingerprint: str) -> History:
    """Return the plans of a model as they are now."""
    return _history(fingerprint, _key())


def _key() -> _Key:
    """Return a key that changes when the workspace gets other plans, results or names."""
    workspace = resources.workspace()
    try:
        notes_time = (workspace.root / decision_log.FOLDER).stat().st_mtime_ns
    except OSError:
        notes_time = 0
    return tuple(workspace.ids("plans")), tuple(workspace.ids("evaluations")), notes_time


@cached(max_entries=4)
def _history(fingerprint: str, key: _Key) -> History:
    return plan_history.history(resources.workspace(), fingerprint=fingerprint)


@cached(max_entries=2048)
def difference(evaluation: str, reference: str) -> tuple[float, float] | None:
    """Return one result minus another in nats per token, with its standard error."""
    try:
        paired = paired_difference(
            results.open_evaluation(resources.workspace(), evaluation),
            results.open_evaluation(resources.workspace(), reference),
        )
    except FnpruneError:
        return None
    return paired.difference, paired.standard_error


@cached(max_entries=64)
def overlap(first: str, second: str) -> pd.DataFrame:
    """Return how far two plans remove the same units, layer by layer."""
    workspace = resources.workspace()
    return plan_history.overlap(
        files.open_plan(workspace, first), files.open_plan(workspace, second)
    )


@cached(max_entries=1024)
def domains(evaluation: str, given_up: tuple[str, ...]) -> tuple[dict[str, float], float, float]:
    """Return the perplexity of each domain, of the texts to keep, and of those given up."""
    result = results.open_evaluation(resources.workspace(), evaluation)
    by_domain = result.by_domain()
    is_lost = np.isin(
        result.domains, [i for i, name in enumerate(result.domain_names) if name in given_up]
    )
    kept, lost = (result.restricted_to(np.flatnonzero(chosen)) for chosen in (~is_lost, is_lost))
    return (
        {name: part.perplexity for name, part in by_domain.items()},
        kept.perplexity if len(kept.windows) else math.nan,
        lost.perplexity if len(lost.windows) else math.nan,
    )


def speed(plan: str) -> tuple[float, float]:
    """Return how many times as fast as dense a plan reads and writes: its newest measurement."""
    cut_key = str(resources.manifest("plans", plan)["cut_key"])
    return _speed(cut_key, tuple(resources.workspace().ids("speeds")))


@cached(max_entries=256)
def _speed(cut_key: str, key: tuple[str, ...]) -> tuple[float, float]:
    try:
        [newest, *_] = speeds_of_cut(resources.workspace(), cut_key)
        measured = open_speed(resources.workspace(), newest)
    except (FnpruneError, ValueError):  # damaged, or never measured
        return math.nan, math.nan
    copies = list(measured.models)[1:]  # the first is the dense model
    fastest = [
        max((measured.ratio(label, what).median for label in copies), default=math.nan)
        for what in WHATS
    ]
    return fastest[0], fastest[1]


def measured_on(history: History, text: str) -> dict[str, Measured]:
    """Return by plan what was measured of it on a text, and its speed."""
    dense = history.dense.get(text)
    found = {}
    for plan in history.plans:
        prefill, decode = speed(plan.id)
        own, values = plan.on(text), Measured(prefill=prefill, decode=decode)
        if own is not None:
            above = difference(own.evaluation_id, dense.evaluation_id) if dense else None
            by_domain, kept, lost = domains(own.evaluation_id, shared.given_up(plan.id))
            values = replace(
                values,
                perplexity=own.perplexity,
                standard_error=own.standard_error,
                domains=by_domain,
                kept=kept,
                given_up=lost,
                above_dense=math.nan if above is None else above[0],
                above_dense_error=math.nan if above is None else above[1],
            )
        found[plan.id] = values
    return found

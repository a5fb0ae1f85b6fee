"""Cached data of the Plans page: the history, paired differences, and overlaps."""

import pandas as pd

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import history as plan_history
from fnprune_core.evaluation import results
from fnprune_core.evaluation.history import History
from fnprune_core.evaluation.results import paired_difference
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

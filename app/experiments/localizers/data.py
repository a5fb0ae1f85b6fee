"""Cached data of the Localizers page: ready stimuli and results."""

import pandas as pd

from app.shell import resources, session_state
from app.shell.caching import cached
from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.localizers import control, ready_made, results, run
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.localizers.run import Found
from fnprune_core.localizers.stimuli import Localizer


@cached(max_entries=16)
def ready(name: str) -> Localizer:
    """Return a ready localizer."""
    return ready_made.load(name)


def result(id: str, atlas: str) -> LocalizerResult:
    """Return a localizer's result; raises `NetworksMovedError` where a match must be chosen."""
    return _result(id, *_versions(id, atlas))


def _versions(id: str, atlas: str) -> tuple[bool, int, int]:
    """Return what a result depends on beside its id; it is run again for what it lacks."""
    return (
        session_state.are_results_matched(atlas),
        resources.made_ns(atlas),
        resources.made_ns(id, results.KIND),
    )


@cached(max_entries=4)
def _result(id: str, match: bool, made_ns: int, stored_ns: int) -> LocalizerResult:
    return run.open_localizer(resources.workspace(), id, match=match)


def controls(id: str, atlas: str) -> tuple[pd.DataFrame, Beside | None]:
    """Return what responds beside random directions, and |t| of each network beside theirs."""
    return _controls(id, *_versions(id, atlas))


@cached(max_entries=4)
def _controls(
    id: str, match: bool, made_ns: int, stored_ns: int
) -> tuple[pd.DataFrame, Beside | None]:
    found = _result(id, match, made_ns, stored_ns)
    return control.controls(found), control.beside(found) if found.directions else None


def runs(atlas: str) -> list[Found]:
    """Return the localizers that were run on an atlas, newest first."""
    ids = tuple(resources.workspace().ids(results.KIND))
    return _runs(atlas, ids, tuple(resources.made_ns(id, results.KIND) for id in ids))


@cached(max_entries=8)
def _runs(atlas: str, ids: tuple[str, ...], stored_ns: tuple[int, ...]) -> list[Found]:
    return list(run.localizers_of(resources.workspace(), atlas))

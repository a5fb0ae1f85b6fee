"""Cached data of the Localizers page: ready stimuli and results."""

import pandas as pd

from app.shell import resources, view_state
from app.shell.caching import cached
from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.localizers import control, ready_made, run
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.localizers.run import Found
from fnprune_core.localizers.stimuli import Localizer


@cached(max_entries=16)
def ready(name: str) -> Localizer:
    """Return a ready localizer."""
    return ready_made.load(name)


def result(id: str, atlas: str) -> LocalizerResult:
    """Return a localizer's result; raises `NetworksMovedError` where a match must be chosen."""
    return _result(id, view_state.are_results_matched(atlas), resources.made_ns(atlas))


@cached(max_entries=4)
def _result(id: str, match: bool, made_ns: int) -> LocalizerResult:
    return run.open_localizer(resources.workspace(), id, match=match)


@cached(max_entries=4)
def controls(id: str, _result: LocalizerResult) -> tuple[pd.DataFrame, Beside | None]:
    """Return what responds beside random directions, and |t| of each network beside theirs."""
    return control.controls(_result), control.beside(_result) if _result.directions else None


def results(atlas: str) -> list[Found]:
    """Return the localizers that were run on an atlas, newest first."""
    return _results(atlas, tuple(resources.workspace().ids("localizers")))


@cached(max_entries=8)
def _results(atlas: str, ids: tuple[str, ...]) -> list[Found]:
    return list(run.localizers_of(resources.workspace(), atlas))

"""Cached facts that the pages on plans share."""

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.evaluation import verdict
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.pruning import estimates
from fnprune_core.texts.windows import Windows


@cached(max_entries=8, spinner="Timing one pass of the model")
def seconds_per_token(
    fingerprint: str, recording: str, _model: LanguageModel, _windows: Windows
) -> float:
    """Return how long the model takes to read a token of a recording, timed once."""
    return estimates.seconds_per_token(_model, _windows)


@cached(max_entries=64)
def given_up(plan_id: str) -> tuple[str, ...]:
    """Return the domains that a plan gives up."""
    return verdict.given_up(resources.workspace(), resources.plan(plan_id))

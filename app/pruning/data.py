"""Cached facts that the pages on plans share."""

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.evaluation import verdict


@cached(max_entries=64)
def given_up(plan_id: str) -> tuple[str, ...]:
    """Return the domains that a plan gives up."""
    return verdict.given_up(resources.workspace(), resources.plan(plan_id))

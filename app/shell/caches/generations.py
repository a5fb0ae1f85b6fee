"""Cached data of the Generations page: texts that were written, and the plans that can write."""

from dataclasses import dataclass

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.side_by_side import SideBySide, open_generation
from fnprune_core.plans import decision_log

_MOST_EARLIER = 24


@cached(max_entries=8)
def side_by_side(id: str) -> SideBySide:
    """Return two texts of the workspace."""
    return open_generation(resources.workspace(), id)


def plan_label(id: str) -> str:
    """Return the label of a plan: its name if it has one, its ratio, its score."""
    try:
        facts = resources.manifest("plans", id)
    except FnpruneError:
        return f"plan {id[:6]} (deleted)"
    try:
        name = decision_log.read_notes(resources.workspace(), id).name
    except FnpruneError:  # damaged notes are told where they are edited
        name = ""
    labels = [f"{100 * facts['achieved_ratio']:.0f} % of units go"]
    labels += [
        label for label in (facts["inputs"].get("settings", {}).get("score"), id[:6]) if label
    ]
    return " · ".join([name, *labels] if name else labels)


def plans() -> list[str]:
    """Return the ids of all plans, newest first."""
    return [entry.id for entry in resources.workspace().entries("plans")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Texts that were written before."""

    id: str
    plan: str
    prompt: str


def earlier() -> list[Earlier]:
    """Return the texts that were written before, newest first."""
    entries = resources.workspace().entries("generations")[:_MOST_EARLIER]
    return [
        Earlier(
            id=entry.id,
            plan=entry.manifest["plan_id"],
            prompt=entry.manifest["inputs"]["prompt"]["text"],
        )
        for entry in entries
    ]

"""Notes on a plan: its name, and the log of decisions that led to it.

One JSON file a plan, ``<workspace>/notes/plans/<plan id>.json``, beside the plans and not in them:
a plan is found by the hash of its inputs, and neither its name nor the way to it changes what it
cuts. Like names of networks, notes outlive the plan: made again, it has the same id and finds them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fnprune_core.atlas.annotation_files import check_text
from fnprune_core.errors import CorruptArtifactError, TextError
from fnprune_core.inputs.numbers import MOST_NETWORKS
from fnprune_core.inputs.records import record_of
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.locks import locked, renamed_away
from fnprune_core.storage.workspace import Workspace

FOLDER = Path("notes") / "plans"
NOTES_VERSION = 1
MAX_NAME = 80
MAX_REASON = 400
MAX_DECISIONS = 5000
UNDO = "undo"

_KIND = "fnprune plan notes"
_Networks = tuple[Annotated[int, Field(ge=0, lt=MOST_NETWORKS)], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One step on the way to a plan.

    Parameters
    ----------
    time : str
        ISO 8601 with its zone.
    what : str
        How it came about: ``"by hand"``, a rule's sentence, or `UNDO`.
    pruned, kept : tuple of int
        Networks that were preserved before and are not any more, and the reverse.
    noted : tuple of int
        Networks about which only the reason was written, nothing else changed.
    reason : str
        In a person's own words; may be empty.

    Raises
    ------
    TextError
        If a text is too long or holds control characters. Whoever shows it must escape it.
    """

    time: str
    what: str
    pruned: _Networks = ()
    kept: _Networks = ()
    noted: _Networks = ()
    reason: str = ""

    def __post_init__(self) -> None:
        check_text(self.time, what="time", longest=40)
        check_text(self.what, what="decision", longest=MAX_REASON)
        check_text(self.reason, what="reason", longest=MAX_REASON)

    @property
    def changes(self) -> bool:
        """Whether it changed a network, rather than only noting a reason."""
        return bool(self.pruned or self.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNotes:
    """Name of a plan and decisions that led to it; both may be empty.

    Parameters
    ----------
    plan_id : str
    name : str
        One line of at most `MAX_NAME` characters.
    decisions : tuple of Decision
        Oldest first, at most `MAX_DECISIONS`.
    """

    plan_id: str
    name: str = ""
    decisions: Annotated[tuple[Decision, ...], Field(max_length=MAX_DECISIONS)] = ()

    def __post_init__(self) -> None:
        check_text(self.name, what="name", longest=MAX_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDecision:
    """Decision that stands for a network, and the reason a person gave."""

    what: str
    reason: str = ""


def now() -> str:
    """Return the present time as decisions carry it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def decision(
    before: Iterable[int], after: Iterable[int], *, what: str, reason: str = ""
) -> Decision:
    """Return the step from one set of dropped networks to another, taken now.

    `what` may name domains as a file spells them: what cannot be printed becomes a space.
    """
    dropped_before, dropped_after = set(before), set(after)
    return Decision(
        time=now(),
        what="".join(c if c.isprintable() else " " for c in what)[:MAX_REASON],
        pruned=tuple(sorted(dropped_after - dropped_before)),
        kept=tuple(sorted(dropped_before - dropped_after)),
        reason=reason,
    )


def standing(decisions: Sequence[Decision]) -> dict[int, NetworkDecision]:
    """Return the decision that stands for each network that a decision touched.

    An undo takes the last step back that changed a network, and with it what was said of it.
    """
    states: list[dict[int, NetworkDecision]] = [{}]
    for step in decisions:
        if step.what == UNDO:
            if len(states) > 1:
                states.pop()
            else:  # the undo of a step that an older log held
                touched = {*step.pruned, *step.kept}
                states[0] = {k: s for k, s in states[0].items() if k not in touched}
        elif step.changes:
            network_decision = NetworkDecision(what=step.what, reason=step.reason)
            states.append(
                {**states[-1], **dict.fromkeys((*step.pruned, *step.kept), network_decision)}
            )
        for network in step.noted:
            current = states[-1].get(network, NetworkDecision(what=""))
            states[-1] = {**states[-1], network: replace(current, reason=step.reason)}
    return states[-1]


def outcome(decisions: Iterable[Decision]) -> set[int]:
    """Return the networks that are not preserved at the end of a log that began with all."""
    dropped: set[int] = set()
    for step in decisions:
        dropped |= set(step.pruned)
        dropped -= set(step.kept)
    return dropped


def path_of(workspace: Workspace, plan_id: str) -> Path:
    """Return the path of a plan's notes, whether or not there are any."""
    return workspace.beside(FOLDER, "plans", plan_id)


def read_notes(workspace: Workspace, plan_id: str) -> PlanNotes:
    """Return the notes of a plan; empty ones if nothing was noted yet.

    Raises
    ------
    CorruptArtifactError
        If the file is damaged; `set_aside` moves it out of the way.
    """
    path = path_of(workspace, plan_id)
    try:
        return _notes_from_json(read_checked_json(path), plan_id)
    except FileNotFoundError:
        return PlanNotes(plan_id=plan_id)
    except (CorruptArtifactError, ValueError, RecursionError) as error:
        raise CorruptArtifactError(
            f"The notes of this plan cannot be read from {path}: {error}",
            hint="Bring it back from a copy, or set it aside and start anew; the plan is whole.",
        ) from error


def name_plan(workspace: Workspace, plan_id: str, name: str) -> PlanNotes:
    """Set the name of a plan, or take it away if empty; return the plan's notes.

    Raises
    ------
    TextError
        If the name is too long or holds control characters.
    """
    path = path_of(workspace, plan_id)
    with locked(path):
        notes = replace(read_notes(workspace, plan_id), name=" ".join(name.split()))
        _write(path, notes)
    return notes


def add_decisions(workspace: Workspace, plan_id: str, decisions: Sequence[Decision]) -> PlanNotes:
    """Add a session's log of decisions to a plan's notes; return the notes.

    Two ways can lead to one plan: steps of both logs stand once, all in the order of their time.
    """
    path = path_of(workspace, plan_id)
    with locked(path):
        stored_notes = read_notes(workspace, plan_id)
        new_steps = [step for step in decisions if step not in stored_notes.decisions]
        merged = sorted((*stored_notes.decisions, *new_steps), key=lambda step: step.time)
        notes = replace(stored_notes, decisions=tuple(merged[-MAX_DECISIONS:]))
        if new_steps:
            _write(path, notes)
    return notes


def decisions_of(workspace: Workspace, plan_id: str) -> dict[str, Any]:
    """Return a plan's name and decisions as a JSON value, for an export's ``decisions.json``."""
    return _notes_json(read_notes(workspace, plan_id))


def delete_notes(workspace: Workspace, plan_id: str) -> None:
    """Delete the notes of a plan, if there are any."""
    path = path_of(workspace, plan_id)
    with locked(path), storage_errors(path):
        path.unlink(missing_ok=True)


def set_aside(workspace: Workspace, plan_id: str) -> Path:
    """Rename a plan's notes out of the way; return their new path."""
    return renamed_away(path_of(workspace, plan_id))


def _write(path: Path, notes: PlanNotes) -> None:
    with storage_errors(path):
        write_checked_json(path, _notes_json(notes))


def _notes_json(notes: PlanNotes) -> dict[str, Any]:
    return {"notes_version": NOTES_VERSION, "kind": _KIND, **asdict(notes)}


def _notes_from_json(value: object, plan_id: str) -> PlanNotes:
    if not isinstance(value, dict) or value.get("kind") != _KIND:
        raise TextError("it does not hold notes of a plan.")
    if value.get("notes_version") != NOTES_VERSION:
        raise TextError(
            f"it is of version {value.get('notes_version')!r}, this fnprune reads {NOTES_VERSION}."
        )
    return record_of(PlanNotes, {**value, "plan_id": plan_id})

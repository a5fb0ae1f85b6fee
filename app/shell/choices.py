"""Choices of a person: networks that go, units that are pinned; taken back, and logged."""

from collections.abc import Iterable

import streamlit as st

from app.shell import view_state
from app.shell.view_fields import Choice, Pins, ViewState, part_of
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision

_HISTORY = "history of dropped networks"
_PINS = "history of pinned units"
_LOG = "decisions on networks"
_MAX_HISTORY = 100
#: How a set came about that was not chosen in this session.
LINK = "from a link"
BY_HAND = "by hand"


def drop(networks: Iterable[int], *, why: str = BY_HAND, reason: str = "") -> None:
    """Set the networks that are not preserved: one step, logged, and remembered for undo.

    Parameters
    ----------
    why : str
        How it came about: by hand, or the sentence of a rule.
    reason : str
        In the person's own words.
    """
    before, new = view_state.view(), tuple(sorted(set(networks)))
    if new != before.dropped:
        remember(before)
        log_change(before.dropped, new, what=why, reason=reason)
        view_state.change(Choice(dropped=new, rule=_rule_after(why) if new else ""))


def _rule_after(why: str) -> str:
    """Return how a set came about, in a sentence: by hand after a rule is both."""
    if why != BY_HAND:
        return why
    rule = view_state.view().rule
    return rule if not rule or rule.endswith(BY_HAND) else f"{rule}, then {BY_HAND}"


def remember(before: ViewState) -> None:
    """Keep the choice of a view, for `undo`."""
    _keep(_HISTORY, part_of(before, Choice))


def _keep(key: str, before: Choice | Pins) -> None:
    st.session_state[key] = [*st.session_state.get(key, []), before][-_MAX_HISTORY:]


def undo() -> None:
    """Go back to the networks dropped before the last change."""
    if can_undo():
        previous: Choice = st.session_state[_HISTORY].pop()
        log_change(view_state.view().dropped, previous.dropped, what=decision_log.UNDO)
        view_state.change(previous)


def can_undo() -> bool:
    """Whether there is a change to undo."""
    return bool(st.session_state.get(_HISTORY))


def pin(stay: Iterable[int], go: Iterable[int]) -> None:
    """Set the units that are pinned to stay and to go; remembered for undo."""
    pins = Pins(stay=tuple(sorted(set(stay))), go=tuple(sorted(set(go))))
    before = part_of(view_state.view(), Pins)
    if pins != before:
        _keep(_PINS, before)
        view_state.change(pins)


def undo_pin() -> None:
    """Go back to the units pinned before the last change."""
    if can_undo_pin():
        view_state.change(st.session_state[_PINS].pop())


def can_undo_pin() -> bool:
    """Whether there is a change of pinned units to undo."""
    return bool(st.session_state.get(_PINS))


def write_reason(network: int, reason: str) -> None:
    """Log the reason of a network's state; raises `TextError` if it is no text to keep."""
    decision = Decision(time=decision_log.now(), what="reason", noted=(network,), reason=reason)
    take_decisions((*decisions(), decision))


def decisions() -> tuple[Decision, ...]:
    """Return the log of steps that led to the present set of networks, oldest first."""
    log: tuple[Decision, ...] = st.session_state.get(_LOG, ())
    return log


def take_decisions(log: Iterable[Decision]) -> None:
    """Set the log, as when the one of a plan is opened."""
    st.session_state[_LOG] = tuple(log)[-decision_log.MAX_DECISIONS :]


def log_change(before: Iterable[int], after: Iterable[int], *, what: str, reason: str = "") -> None:
    """Log a step from one set of networks to another; nothing where they are the same."""
    decision = decision_log.decision(before, after, what=what, reason=reason)
    if decision.changes:
        take_decisions((*decisions(), decision))


def linked(rule: str) -> str:
    """Return how a link's networks came about: by a rule that it names, or from the link."""
    return f"{rule}, {LINK}" if rule and not rule.endswith(LINK) else rule or LINK


def begin_anew() -> None:
    """Forget what was chosen before, as for another atlas."""
    for kept in (_PINS, _HISTORY, _LOG):
        st.session_state.pop(kept, None)

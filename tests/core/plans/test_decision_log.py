"""Notes of plans: kept with the plan's id, merged, bounded, and lost in no accident."""

import json
import threading

import pytest

from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError, TextError
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision, NetworkDecision, PlanNotes

PLAN = "a" * 16
STEPS = (
    Decision(
        time="2026-01-01T10:00:00.000+00:00", what="by hand", pruned=(3,), reason='"<b>x</b>"'
    ),
    Decision(time="2026-01-01T10:00:01.000+00:00", what="rule: over half in fr", pruned=(1, 2)),
    Decision(time="2026-01-01T10:00:02.000+00:00", what="undo", kept=(1, 2)),
)


def test_what_is_said_of_a_plan_is_kept_as_given(workspace) -> None:
    assert decision_log.read_notes(workspace, PLAN) == PlanNotes(plan_id=PLAN)
    decision_log.add_decisions(workspace, PLAN, STEPS)
    decision_log.name_plan(workspace, PLAN, "  without \n French ")
    held = decision_log.read_notes(workspace, PLAN)
    assert held == PlanNotes(plan_id=PLAN, name="without French", decisions=STEPS)
    travelling = json.loads(json.dumps(decision_log.decisions_of(workspace, PLAN)))
    assert travelling["decisions"][1]["pruned"] == [1, 2]
    decision_log.delete_notes(workspace, PLAN)
    decision_log.delete_notes(workspace, PLAN)
    assert decision_log.read_notes(workspace, PLAN).decisions == ()


def test_two_ways_to_one_plan_are_both_told_in_the_order_of_time(workspace) -> None:
    decision_log.add_decisions(workspace, PLAN, STEPS[::2])
    decision_log.add_decisions(workspace, PLAN, STEPS[:2])
    assert decision_log.read_notes(workspace, PLAN).decisions == STEPS


def test_many_writers_at_once_lose_nothing(workspace) -> None:
    start = threading.Barrier(12)

    def write(second: int) -> None:
        start.wait()
        if second == 0:
            decision_log.name_plan(workspace, PLAN, "named meanwhile")
        else:
            decision_log.add_decisions(
                workspace, PLAN, [Decision(time=f"t{second:02}", what="by hand", kept=(second,))]
            )

    threads = [threading.Thread(target=write, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = decision_log.read_notes(workspace, PLAN)
    assert held.name == "named meanwhile"
    assert [each.kept for each in held.decisions] == [(i,) for i in range(1, 12)]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"kind": "fnprune plan notes", "notes_version": 2}',
        b'{"kind": "fnprune plan notes", "notes_version": 1, "decisions": {}}',
        b'{"kind": "fnprune plan notes", "notes_version": 1, "decisions": [3]}',
        b'{"kind": "fnprune plan notes", "notes_version": 1, "decisions": [{"pruned": [-1]}]}',
        b'{"kind": "fnprune plan notes", "notes_version": 1, "decisions": [], "name": "a\\u202e"}',
    ],
)
def test_damaged_notes_are_told_and_not_written_over(workspace, content) -> None:
    path = decision_log.path_of(workspace, PLAN)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    for act in (
        lambda: decision_log.read_notes(workspace, PLAN),
        lambda: decision_log.name_plan(workspace, PLAN, "x"),
        lambda: decision_log.add_decisions(workspace, PLAN, STEPS),
    ):
        with pytest.raises(CorruptArtifactError, match=r"notes of this plan cannot be read"):
            act()
    assert path.read_bytes() == content
    assert decision_log.set_aside(workspace, PLAN).read_bytes() == content
    assert decision_log.read_notes(workspace, PLAN) == PlanNotes(plan_id=PLAN)


def test_texts_are_bounded_and_ids_are_ids(workspace) -> None:
    with pytest.raises(TextError, match="at most 80"):
        decision_log.name_plan(workspace, PLAN, "x" * 81)
    with pytest.raises(TextError, match="control character"):
        Decision(time="", what="by hand", reason="a\x1b[2J")
    with pytest.raises(ArtifactNotFoundError):
        decision_log.read_notes(workspace, "../../etc/passwd")
    made = decision_log.decision((), (1,), what="rule: over half in \x00evil\u202e" + "x" * 999)
    assert made.what.startswith("rule: over half in  evil x")
    assert len(made.what) == decision_log.MAX_REASON


def test_the_reason_that_stands_is_that_of_the_last_step_not_taken_back() -> None:
    by_hand = decision_log.decision((), (3,), what="by hand", reason="noise")
    rule = decision_log.decision((3,), (1, 2, 3), what="rule: over half in fr")
    noted = Decision(time="", what="reason", noted=(1,), reason="surely")
    undone = decision_log.decision((1, 2, 3), (3,), what=decision_log.UNDO)
    assert (rule.pruned, undone.kept) == ((1, 2), (1, 2))
    assert decision_log.standing([by_hand, rule, noted]) == {
        1: NetworkDecision(what="rule: over half in fr", reason="surely"),
        2: NetworkDecision(what="rule: over half in fr"),
        3: NetworkDecision(what="by hand", reason="noise"),
    }
    assert decision_log.standing([by_hand, rule, noted, undone]) == {
        3: NetworkDecision(what="by hand", reason="noise")
    }
    kept = decision_log.decision((3,), (), what="by hand")
    assert decision_log.standing([by_hand, rule, undone, kept]) == {
        3: NetworkDecision(what="by hand")
    }

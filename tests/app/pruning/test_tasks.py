import pytest
from open_reach import open_reach

from app.pruning import checks
from app.pruning.prune_tasks import PLAN, Planned
from app.shell.jobs.tasks import ModelShelf, Run, Task
from fnprune_core.plans import decision_log
from fnprune_core.progress import NEVER


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_log_is_kept_once_the_plan_is_made_even_if_measuring_is_stopped(workspace, is_damaged):
    log = [decision_log.decision((), (1,), what="by hand", reason="noise")]
    path = decision_log.path_of(workspace, "p1")
    if is_damaged:
        path.parent.mkdir(parents=True)
        path.write_text("{")
    told: list[object] = []

    def run(run: Run) -> str:
        run.report(Planned(plan_ids={"dense": None, PLAN: "p1"}, note=""))
        raise KeyboardInterrupt

    task = Task(kind="prune", title="t", inputs={"a": 1}, function=run)
    wrapped = checks.with_log(task, workspace, log)
    assert wrapped.inputs == task.inputs  # the same work is still the same job
    with pytest.raises(KeyboardInterrupt):
        wrapped.job(workspace, ModelShelf(reach=open_reach(workspace)))(told.append, NEVER)
    assert told[0] == checks.Decided(decisions=tuple(log))  # before the plan is made
    assert len(told) == 2
    if is_damaged:
        assert path.read_text() == "{"
    else:
        assert decision_log.read_notes(workspace, "p1").decisions == tuple(log)

"""Work spread over a real cluster: equal results, also when a worker dies; errors come back."""

import os
import shutil
import signal
import time

import numpy as np
import pytest
import tiny
from distributed import LocalCluster
from lesioned import order
from planted import planted
from trust_study import last, study_of

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NetworksMovedError, SchedulerError
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import domain_stimuli
from fnprune_core.lesions.stored import open_lesions
from fnprune_core.machine import workers
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning.search.allocation import AllocationOrder
from fnprune_core.pruning.search.trials import search
from fnprune_core.pruning.sweep import SweepOrder, sweep
from fnprune_core.reliability import measures
from fnprune_core.storage.workspace import Workspace

ICA = GroupICA(n_components=4, n_runs=4, tol=0.5)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes, as on two machines that share a folder."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        made.wait_for_workers(2)
        yield made


@pytest.fixture
def model(tmp_path):
    """A model on the disk, from where workers load it."""
    tiny.tiny_model("Llama").save_pretrained(tmp_path / "model")
    tiny.toy_tokenizer().save_pretrained(tmp_path / "model")
    return load_model(str(tmp_path / "model"), device="cpu", dtype="float32")


def test_a_cluster_that_loses_a_worker_gives_what_one_process_gives(
    cluster, workspace, model, record_windows, tmp_path
) -> None:
    recording = record_windows(model)
    there = Workspace(tmp_path / "there")
    shutil.copytree(workspace.folder("recordings", recording.id),
                    there.folder("recordings", recording.id))  # fmt: skip
    id = group_ica.decompose(workspace, recording.id, settings=ICA)
    with workers.scheduled(cluster.scheduler_address):
        assert workers.is_spread()
        assert group_ica.decompose(there, recording.id, settings=ICA) == id
    one, other = (open_atlas(each, id) for each in (workspace, there))
    assert np.array_equal(one.maps, other.maps)
    assert np.array_equal(one.decomposition.n_iter, other.decomposition.n_iter)

    stimuli = domain_stimuli(tiny.toy_windows((16,) * 12, seed=5, n_dummy_tokens=0))
    lesions = order(open_atlas(workspace, id))
    here = open_lesions(workspace, lesion_study(workspace, model, stimuli, order=lesions))
    lost: list[int] = []

    def lose_a_worker(study) -> None:
        if study.n_done >= 2 and not lost:
            lost.append(next(iter(cluster.workers.values())).pid)
            os.kill(lost[0], signal.SIGKILL)

    with workers.scheduled(cluster.scheduler_address):
        study_id = lesion_study(there, model, stimuli, order=lesions, on_partial=lose_a_worker)
    assert lost
    assert np.array_equal(open_lesions(there, study_id).nll, here.nll)

    settings = SweepOrder(
        recording_id=recording.id,
        base=PlanSettings(allocation="uniform", compensation="bias"),
        scores=("flap", "random"),
        ratios=(0.2, 0.4),
        n_seeds=1,
    )
    windows = tiny.toy_windows((16,) * 12, seed=6, n_dummy_tokens=0)
    expected = sweep(workspace, model, windows, order=settings)
    with workers.scheduled(cluster.scheduler_address):
        found = sweep(there, model, windows, order=settings)
    assert found.is_complete
    for point, same in zip(found.points, expected.points, strict=True):
        assert (point.score, point.ratio, point.plan_id) == (same.score, same.ratio, same.plan_id)
        assert np.array_equal(point.result.window_nll, same.result.window_nll)


def test_trust_and_searches_are_the_same_over_a_cluster(cluster, workspace, model, record_windows):
    study, _ = study_of(planted(n_sessions=8).signals)
    recording = record_windows(model)
    windows = tiny.toy_windows((16,) * 12, seed=6, n_dummy_tokens=0)
    wanted = AllocationOrder(
        recording_id=recording.id, base=PlanSettings(score="flap", ratio=0.3), n_blocks=2
    )

    def all_of() -> list[np.ndarray]:
        halves = last(measures.in_halves(study))
        bootstraps = list(measures.over_bootstraps(study))
        found = search(workspace, model, windows, order=wanted)
        return [halves.r, *(each.iq for each in bootstraps), found.best.shares,
                found.best.result.window_nll]  # fmt: skip

    here = all_of()
    with workers.scheduled(cluster.scheduler_address):
        there = all_of()
    assert len(here) == len(there) == 5
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))


def test_results_come_in_the_order_of_their_tasks_and_few_tasks_wait(cluster) -> None:
    made = []

    def slow_when_even(number: int) -> int:
        time.sleep(0.02 * (number % 2 == 0))
        return number

    def tasks():
        for number in range(20):
            made.append(number)
            yield number

    with workers.scheduled(cluster.scheduler_address):
        results = workers.in_order(slow_when_even, tasks())
        assert next(results) == 0
        assert len(made) < 20
        assert [0, *results] == list(range(20))


def test_errors_of_workers_arrive_whole(cluster) -> None:
    def refuse(number: int) -> int:
        if number == 3:
            raise NetworksMovedError("Not that one.", hint="Another.", can_match=True)
        return number

    with (
        workers.scheduled(cluster.scheduler_address),
        pytest.raises(NetworksMovedError, match=r"Not that one\. Another\.") as caught,
    ):
        list(workers.each(refuse, range(6)))
    assert caught.value.can_match


def test_without_a_scheduler_nothing_leaves_the_process() -> None:
    token, seen = CancelToken(), []

    def work(number: int) -> int:  # could not be sent
        seen.append(number)
        if number == 1:
            token.cancel()
        return os.getpid()

    with workers.scheduled(""):
        assert not workers.is_spread()
        results = workers.each(work, range(4), cancel=token)
        assert [next(results), next(results)] == [(0, os.getpid()), (1, os.getpid())]
        with pytest.raises(Cancelled):
            next(results)
    assert seen == [0, 1]


def test_a_scheduler_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(SchedulerError, match="No Dask scheduler answers at"),
        workers.scheduled("tcp://127.0.0.1:1", patience_s=0.5),
    ):
        pass

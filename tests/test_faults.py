"""A short form of `benchmarks/faults.py`: no flipped byte and no edited value stays unnoticed."""

import faults
import pytest
import written_report


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    made = written_report.reported(tmp_path_factory.mktemp("faults"))
    return made.workspace


def test_nothing_is_silent_and_nothing_is_a_traceback(workspace) -> None:
    found = faults.run(workspace, runs=240, seed=1)
    assert found["wrong"] == []
    assert found["counts"]["flipped byte"]["told"] > 100
    assert found["counts"]["edited value"]["told"] > 10
    kinds = {"recordings", "decompositions", "plans", "evaluations", "lesions", "names"}
    assert kinds <= set(found["kinds"])
    assert faults.run(workspace, runs=30, seed=1)["wrong"] == []  # all was put back


def test_every_odd_item_is_told_and_changes_no_list(workspace) -> None:
    assert faults.run_odd(workspace)["wrong"] == []

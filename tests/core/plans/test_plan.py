import json
from typing import Any

import numpy as np
import pytest

from fnprune_core.errors import CorruptArtifactError, PlanError, RatioError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.plan import PlanSettings, PruningPlan


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 20, float("nan")])
def test_a_ratio_out_of_range_is_refused(ratio) -> None:
    with pytest.raises(RatioError, match=r"from 0 to below 1.*For 20 % write 0\.2"):
        PlanSettings(ratio=ratio)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"allocation": "curves"}, "'curves'.*uniform, protect-ends, global"),
        ({"sink_units": -1}, "sink_units must be 0 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"preserved": ()}, "No network is preserved"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message) -> None:
    with pytest.raises(SettingsError, match=message):
        PlanSettings(**changes)
    assert PlanSettings(preserved=(3, 1, 3)) == PlanSettings(preserved=(1, 3))


@pytest.fixture
def plan() -> PruningPlan:
    layout = UnitLayout((5, 7, 4))
    return PruningPlan(
        removed=(np.array([0, 3]), np.array([], dtype=np.int64), np.array([1, 2, 3])),
        layout=layout,
        settings=PlanSettings(preserved=(0, 2), ratio=0.3, intercept=True),
        fingerprint="abc",
        model_name="a model",
        recording_id="r",
        decomposition_id="d",
        share_of_parameters=0.123,
        thresholds=(0.5, 0.1, 2.0),
        sink_units=(1, 12),
        preserved=(0, 2),
        n_networks=4,
    )


def test_a_plan_says_what_stays(plan) -> None:
    assert plan.n_removed == 5
    assert plan.achieved_ratio == 5 / 16
    assert plan.kept_widths == (3, 7, 1)
    assert [part.tolist() for part in plan.kept] == [[1, 2, 4], [0, 1, 2, 3, 4, 5, 6], [0]]
    assert np.flatnonzero(~plan.keep).tolist() == [0, 3, 13, 14, 15]
    assert not plan.is_uniform


def test_json_round_trip(plan) -> None:
    again = PruningPlan.from_json(json.loads(json.dumps(plan.to_json(), allow_nan=False)))
    assert again.to_json() == plan.to_json()
    assert again.settings == plan.settings
    assert again.removal_key() == plan.removal_key()
    other = changed(plan.to_json(), ("removed", 0), [0, 2])
    assert PruningPlan.from_json(other).removal_key() != plan.removal_key()


def changed(value: dict[str, Any], path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    """Return a copy with one value replaced, or taken away if the new one is ``...``."""
    value = json.loads(json.dumps(value))
    at = value
    for key in path[:-1]:
        at = at[key]
    if new is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return value


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (("plan_version",), 2, "plan_version 2, expected 1"),
        (("plan_version",), ..., "plan_version None"),
        (("removed",), ..., "damaged: it has no 'removed'"),
        (("settings", "ratio"), 1.5, r"damaged: The ratio is the share"),
        (("settings", "colour"), "red", "damaged: .*colour"),
        (("removed", 0), [0, 5], "does not fit its own layout: Unit .*layer 0 of 5"),
        (("removed", 0), [-1], "does not fit"),
        (("removed",), [[], []], "Expected 3 layers, got 2"),
        (("removed", 2), [0, 1, 2, 3], "would empty layer 2"),
        (("widths",), [], "damaged"),
    ],
)
def test_a_damaged_plan_is_refused(plan, path, new, message) -> None:
    with pytest.raises(PlanError, match=message):
        PruningPlan.from_json(changed(plan.to_json(), path, new))


def test_read_takes_a_file_or_its_folder(plan, tmp_path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
    for path in (tmp_path, tmp_path / "plan.json"):
        assert PruningPlan.read(path).to_json() == plan.to_json()
    for value in (None, [], "plan", 3):
        with pytest.raises(PlanError, match="not a plan"):
            PruningPlan.from_json(value)
    with pytest.raises(PlanError, match="no plan at"):
        PruningPlan.read(tmp_path / "other.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(CorruptArtifactError, match="not valid JSON"):
        PruningPlan.read(tmp_path)

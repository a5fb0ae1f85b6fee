import json
from typing import Any

import pytest
import tiny

from fnprune_core.errors import CorruptArtifactError, PlanError
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.plans.plan_values import checked_values


@pytest.fixture
def value(llama) -> dict[str, Any]:
    settings = PlanSettings(
        score="flap", preserved=(0, 2), multiple=8, pinned_keep=(1,), layer_weights=(1.0, 0.5),
        allocation="weighted",
    )  # fmt: skip
    return json.loads(json.dumps(tiny.toy_plan(llama, settings=settings).to_json()))


def test_an_honest_plan_is_as_it_was(value) -> None:
    fields = checked_values(value)
    assert fields["removed"] == value["removed"]
    assert fields["settings"]["pinned_keep"] == (1,)
    assert json.loads(json.dumps(PruningPlan.from_json(value).to_json())) == value
    value["widths"] = [40_000_000, 40_000_000, 48]
    with pytest.raises(PlanError, match="80,000,048 units"):
        PruningPlan.from_json(value)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("widths", [10**12, 48, 48]),
        ("widths", [48] * 2000),
        ("widths", [5.0]),
        ("removed", [["0"]]),
        ("removed", [[10**30]]),
        ("removed", [3]),
        ("thresholds", [float("nan")] * 3),
        ("thresholds", ["0"] * 3),
        ("sink_units", [1.0]),
        ("preserved", "01"),
        ("n_networks", 10**9),
        ("fingerprint", 3),
        ("fingerprint", "x" * 5000),
        ("share_of_parameters", True),
        ("settings", "all"),
        ("settings.score", ["flap"]),
        ("settings.ratio", "0.2"),
        ("settings.ratio", True),
        ("settings.seed", 2**70),
        ("settings.sink_units", 1.5),
        ("settings.intercept", 1),
        ("settings.layer_weights", [None]),
        ("settings.pinned_keep", None),
        ("settings.preserved", [[]]),
        ("settings.multiple", 2**60),
    ],
)
def test_a_value_of_another_type_or_size_is_named(value, place, wrong) -> None:
    """Each of these was once read as something else, or ended in a traceback."""
    *before, last = place.split(".")
    (value[before[0]] if before else value)[last] = wrong
    with pytest.raises(PlanError, match=f"damaged: {place}.*, got "):
        PruningPlan.from_json(value)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"[" * 100_000, CorruptArtifactError, "not valid JSON, .*100 deep"),
        (b'{"plan_version": 1, "plan_version": 1}', CorruptArtifactError, "stands twice"),
        (b"\xff", CorruptArtifactError, "byte 0, in line 1"),
        (b'{"plan_version": 9}', PlanError, "plan_version 9"),
    ],
)
def test_a_file_that_is_no_plan_is_named(content, error, message, tmp_path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        PruningPlan.read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint

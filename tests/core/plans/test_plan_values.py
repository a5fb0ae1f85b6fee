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
    assert PruningPlan.from_json(value).to_json() == PruningPlan.from_json(value).to_json()


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        ("widths", [10**12, 48, 48], "a width is 1000000000000"),
        ("widths", [40_000_000, 40_000_000, 48], "80,000,048 units"),
        ("widths", [48] * 2000, "widths is a list of 2,000"),
        ("thresholds", [float("nan")] * 3, "a threshold is nan"),
        ("thresholds", ["0"] * 3, "a threshold is '0'"),
        ("sink_units", [1.0], "a number of sink_units is 1.0"),
        ("preserved", "01", "preserved is '01'"),
        ("n_networks", 10**9, "n_networks is 1000000000"),
        ("fingerprint", 3, "fingerprint is 3"),
        ("fingerprint", "x" * 5000, "at most 1000 characters"),
        ("share_of_parameters", True, "share_of_parameters is True"),
        ("settings.score", ["flap"], "score is"),
        ("settings.ratio", "0.2", "ratio is '0.2'"),
        ("settings.ratio", True, "ratio is True"),
        ("settings.seed", 2**70, "seed is"),
        ("settings.sink_units", 1.5, "sink_units is 1.5"),
        ("settings.intercept", 1, "intercept is 1"),
        ("settings.layer_weights", [None], "a weight of a layer is None"),
        ("settings.pinned_keep", None, "pinned_keep is None"),
        ("settings.preserved", [[]], "a number of preserved is"),
        ("settings.multiple", 2**60, "multiple is"),
    ],
)
def test_a_value_of_another_type_or_size_is_named(value, place, wrong, message) -> None:
    """Each of these was once read as something else, or ended in a traceback."""
    *before, last = place.split(".")
    (value[before[0]] if before else value)[last] = wrong
    with pytest.raises(PlanError, match=f"damaged: .*{message}"):
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

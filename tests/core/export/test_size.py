"""A size is met to one unit, in parameters and in bytes, and a size that cannot be is refused."""

import pytest
import tiny

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.export import export, rounding
from fnprune_core.export.size import SizeGoal, ratio_for
from fnprune_core.models.footprint import Dimensions
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.planner import canonical_settings, plan

FLAP = canonical_settings(PlanSettings(score="flap", sink_units=2))


def stays(dimensions: Dimensions, pruning_plan: PruningPlan) -> int:
    """Return the parameters that a plan leaves."""
    return round(dimensions.n_parameters * (1 - pruning_plan.share_of_parameters))


@pytest.fixture
def dimensions(llama):
    return Dimensions.of(llama)


@pytest.fixture
def made(workspace, llama, recording):
    def make(settings):
        id = plan(workspace, llama, recording_id=recording.id, settings=settings)
        return PruningPlan.read(workspace.folder("plans", id))

    return make


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"allocation": "global"},
        {"allocation": "weighted", "layer_weights": (1.0, 0.2, 0.5)},
        {"attention_ratio": 0.34},
        {"pinned_remove": (0, 1, 2, 3, 4), "pinned_keep": (70, 71)},
    ],
    ids=str,
)
def test_a_share_of_the_parameters_is_met_to_one_unit(llama, dimensions, made, changes):
    settings = FLAP.with_(**changes)
    ratio = ratio_for(SizeGoal(smaller=0.15), dimensions, llama.layout, settings)
    of_goal = made(settings.with_(ratio=ratio))
    most = 0.85 * dimensions.n_parameters
    assert most - dimensions.parameters_per_unit[0] < stays(dimensions, of_goal) <= most


@pytest.mark.parametrize("multiple", [1, 4, 8])
def test_widths_that_are_rounded_still_reach_the_size(llama, dimensions, made, multiple):
    settings = rounding.settings_for(
        FLAP.with_(multiple=multiple), form="uniform", layout=llama.layout
    )
    ratio = ratio_for(SizeGoal(smaller=0.15), dimensions, llama.layout, settings)
    rounded = made(settings.with_(ratio=ratio))
    assert rounded.is_uniform
    assert rounded.kept_widths[0] % multiple == 0
    step = multiple * sum(dimensions.parameters_per_unit)
    most = 0.85 * dimensions.n_parameters
    assert most - step < stays(dimensions, rounded) <= most


def test_bytes_are_those_of_the_file_that_is_written(llama, dimensions, made, tmp_path):
    for n_bytes in (90_000, 100_000):
        goal = SizeGoal(n_bytes=n_bytes)
        settings = FLAP.with_(ratio=ratio_for(goal, dimensions, llama.layout, FLAP))
        folder = export.export_model(
            llama, made(settings), tmp_path / f"{n_bytes}", form="per-layer"
        )
        header = 8 + int.from_bytes((folder / "model.safetensors").read_bytes()[:8], "little")
        written = (folder / "model.safetensors").stat().st_size - header
        unit = 4 * dimensions.parameters_per_unit[0]
        assert n_bytes - unit < written <= n_bytes


@pytest.mark.parametrize(
    ("weights", "each"), [("F16", 2), ("F32", 4), ("Q8_0", 34 / 32), ("Q4_K_M", 0.62)]
)
def test_a_gguf_file_has_its_own_number_format(llama, dimensions, weights, each):
    n_bytes = round(0.85 * dimensions.n_parameters * each)
    goal = SizeGoal(n_bytes=n_bytes, form="gguf", weights=weights)
    share = SizeGoal(smaller=1 - n_bytes / each / dimensions.n_parameters)
    ratios = [ratio_for(asked, dimensions, llama.layout, FLAP) for asked in (goal, share)]
    assert ratios[0] == ratios[1] > 0


def test_what_cannot_be_reached_is_refused_with_what_can(llama, dimensions, made):
    settings = FLAP.with_(allocation="uniform")
    with pytest.raises(RatioError, match=r"at least .* M stay .* fewer than") as refusal:
        ratio_for(SizeGoal(smaller=0.9), dimensions, llama.layout, settings)
    share = float(refusal.value.message.split("MB), ")[1].split(" %")[0]) / 100
    most = ratio_for(SizeGoal(smaller=share - 0.002), dimensions, llama.layout, settings)
    assert made(settings.with_(ratio=most)).n_removed
    with pytest.raises(SettingsError, match="as small as that"):
        ratio_for(SizeGoal(n_parameters=10**9), dimensions, llama.layout, settings)
    with pytest.raises(SettingsError, match="only once the plan is made"):
        ratio_for(
            SizeGoal(smaller=0.1), dimensions, llama.layout,
            FLAP.with_(allocation="global", multiple=8),
        )  # fmt: skip
    for wrong in ({}, {"smaller": 0.1, "n_bytes": 5}, {"smaller": 1.0}):
        with pytest.raises(SettingsError):
            SizeGoal(**wrong)
    with pytest.raises(SettingsError, match="as large as the dense model"):
        SizeGoal(smaller=0.1, form="masked")


def test_a_size_of_nothing_removes_nothing(llama, dimensions):
    assert ratio_for(SizeGoal(smaller=0.0), dimensions, llama.layout, FLAP) == 0
    pinned = FLAP.with_(pinned_remove=(1, 2))
    assert ratio_for(SizeGoal(smaller=0.0), dimensions, llama.layout, pinned) == pytest.approx(
        2 / tiny.toy_plan(llama).layout.n_units
    )

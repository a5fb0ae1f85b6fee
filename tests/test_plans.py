import json
from typing import Any

import numpy as np
import pytest

from fnprune_core.errors import CorruptArtifactError, PlanError, RatioError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import (
    ALLOCATIONS,
    Budget,
    allocate,
    choose_units,
    lowest,
    protected_ends,
)
from fnprune_core.plans.plan import PlanSettings, PruningPlan

LAYOUTS = [
    UnitLayout((40,) * 4),
    UnitLayout((7, 64, 31, 50, 3)),
    UnitLayout((20, 33) * 10),
    UnitLayout((64,) * 30),
    UnitLayout((100,)),
]


def choose(scores, layout, *, ratio, allocation="uniform", protected=None):
    if protected is None:
        protected = np.zeros(layout.n_units, dtype=bool)
    return choose_units(
        np.asarray(scores, dtype=np.float64),
        layout=layout,
        ratio=ratio,
        allocation=allocation,
        protected=protected,
    )


def random_scores(layout, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(size=layout.n_units)


def sinks_of(layout, n=2) -> np.ndarray:
    """The units that must stay: the n first of each layer."""
    protected = np.zeros(layout.n_units, dtype=bool)
    for layer, width in enumerate(layout.widths):
        protected[layout.flat(layer, np.arange(min(n, width)))] = True
    return protected


def possible(layout, allocation, protected) -> int:
    """The most units that can go, counted anew here."""
    first, last = protected_ends(layout.n_layers) if allocation == "protect-ends" else (0, 0)
    parts = layout.split(protected)[first : layout.n_layers - last]
    return sum(min(int((~part).sum()), len(part) - 1) for part in parts)


# How many units go


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: f"{x.n_layers}-layers")
@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.2, 0.333, 0.4, 0.7])
def test_the_ratio_is_met_to_one_unit_and_protected_units_stay(layout, allocation, ratio) -> None:
    protected = sinks_of(layout)
    choice = choose(
        random_scores(layout), layout, ratio=ratio, allocation=allocation, protected=protected
    )
    keep = layout.keep_of(choice.removed)
    assert (~keep).sum() == round(ratio * layout.n_units)
    assert keep[protected].all()
    assert all(part.any() for part in layout.split(keep))
    if ratio == 0:
        assert keep.all()


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: f"{x.n_layers}-layers")
def test_a_ratio_beyond_what_can_go_is_refused_with_the_most_possible(layout, allocation) -> None:
    protected = sinks_of(layout)
    most = possible(layout, allocation, protected)
    scores = random_scores(layout)
    fits = choose(
        scores, layout, ratio=most / layout.n_units, allocation=allocation, protected=protected
    )
    assert sum(map(len, fits.removed)) == most
    with pytest.raises(RatioError) as caught:
        choose(
            scores,
            layout,
            ratio=(most + 1) / layout.n_units,
            allocation=allocation,
            protected=protected,
        )
    advised = float(caught.value.hint.split("at most ")[1].split(",")[0])
    assert advised == pytest.approx(most / layout.n_units, abs=1e-3)
    choose(scores, layout, ratio=advised, allocation=allocation, protected=protected)


def test_uniform_takes_the_same_share_of_every_layer() -> None:
    layout = UnitLayout((40, 80, 20, 60))
    choice = choose(random_scores(layout), layout, ratio=0.25)
    assert [len(part) for part in choice.removed] == [10, 20, 5, 15]
    choice = choose(random_scores(layout), layout, ratio=0.26)
    shares = np.array([len(part) for part in choice.removed]) / layout.widths
    assert np.abs(shares - 0.26).max() < 1 / min(layout.widths)


def test_layers_that_cannot_give_more_are_made_up_for_by_others() -> None:
    layout = UnitLayout((10, 10, 10))
    protected = np.zeros(30, dtype=bool)
    protected[:8] = True  # the first layer can give 2
    choice = choose(random_scores(layout), layout, ratio=0.6, protected=protected)
    assert [len(part) for part in choice.removed] == [2, 8, 8]


@pytest.mark.parametrize(
    ("n_layers", "ends"), [(1, (0, 0)), (9, (0, 0)), (12, (1, 0)), (24, (2, 1)), (30, (3, 2)),
                           (80, (3, 2))],
)  # fmt: skip
def test_protect_ends_exempts_the_ends_and_the_others_give_more(n_layers, ends) -> None:
    assert protected_ends(n_layers) == ends
    layout = UnitLayout((50,) * n_layers)
    choice = choose(random_scores(layout), layout, ratio=0.3, allocation="protect-ends")
    counts = [len(part) for part in choice.removed]
    first, last = ends
    free = counts[first : n_layers - last]
    assert counts[:first] + counts[n_layers - last :] == [0] * (first + last)
    assert max(free) - min(free) <= 1
    assert sum(free) == round(0.3 * layout.n_units)


def test_global_ranks_scores_standardised_within_each_layer() -> None:
    layout = UnitLayout((30, 20, 25))
    scores = random_scores(layout) * np.repeat([1, 1e3, 1e-3], layout.widths)
    choice = choose(scores, layout, ratio=0.4, allocation="global")
    z = np.concatenate([(p - p.mean()) / p.std() for p in layout.split(scores)])
    expected = np.sort(np.argsort(z)[:30])
    assert np.flatnonzero(~layout.keep_of(choice.removed)).tolist() == expected.tolist()
    # Units of another scale in some layer are no reason to spare it.
    assert all(len(part) for part in choice.removed)


def test_global_keeps_a_unit_of_each_layer_even_where_all_score_alike() -> None:
    layout = UnitLayout((5, 5))
    choice = choose(np.ones(10), layout, ratio=0.8, allocation="global")
    assert [len(part) for part in choice.removed] == [4, 4]


def test_an_unknown_allocation_is_refused_with_those_there_are() -> None:
    layout = UnitLayout((4,))
    budget = Budget(layout=layout, n_removed=1, scores=np.ones(4), protected=np.zeros(4, bool))
    with pytest.raises(SettingsError, match=r"'curves'.*uniform, protect-ends, global"):
        allocate("curves", budget)


# Which units go


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_the_lowest_scores_go_and_thresholds_divide_them(allocation) -> None:
    layout = UnitLayout((30, 20, 25))
    scores = random_scores(layout)
    protected = sinks_of(layout)
    choice = choose(scores, layout, ratio=0.4, allocation=allocation, protected=protected)
    for values, stay, removed, threshold in zip(
        layout.split(scores), layout.split(protected), choice.removed, choice.thresholds,
        strict=True,
    ):  # fmt: skip
        free = ~stay
        assert np.flatnonzero(free & (values < threshold)).tolist() == removed.tolist()


def test_a_sink_unit_with_a_low_score_does_not_lower_the_threshold() -> None:
    """The seed's T_l once was the score of a sink unit, which stays whatever it scores."""
    layout = UnitLayout((6,))
    scores = np.array([0.1, 1, 2, 3, 4, 5])
    choice = choose(scores, layout, ratio=0.5, protected=scores == 0.1)
    assert choice.removed[0].tolist() == [1, 2, 3]
    assert choice.thresholds == (4.0,)


def test_where_only_protected_units_are_left_all_others_are_below_the_threshold() -> None:
    layout = UnitLayout((4,))
    choice = choose([5, 1, 2, 3], layout, ratio=0.75, protected=np.array([True] + [False] * 3))
    assert choice.removed[0].tolist() == [1, 2, 3]
    assert choice.thresholds[0] > 3


def test_ties_go_by_index() -> None:
    layout = UnitLayout((300, 300))
    scores = np.tile([2.0] + [1.0] * 298 + [2.0], 2)
    choice = choose(scores, layout, ratio=1 / 3)
    assert [part.tolist() for part in choice.removed] == [list(range(1, 101))] * 2


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(PlanError, match="not finite"):
        choose([1, np.nan, 2], UnitLayout((3,)), ratio=0.3)


# Settings


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 20, float("nan")])
def test_a_ratio_out_of_range_is_refused(ratio) -> None:
    with pytest.raises(RatioError, match=r"from 0 to below 1.*For 20 % write 0\.2"):
        PlanSettings(ratio=ratio)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"allocation": "curves"}, "no allocation 'curves'"),
        ({"sink_units": -1}, "sink_units must be 0 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"preserved": ()}, "No network is preserved"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message) -> None:
    with pytest.raises(SettingsError, match=message):
        PlanSettings(**changes)


def test_preserved_networks_are_a_set() -> None:
    assert PlanSettings(preserved=(3, 1, 3)) == PlanSettings(preserved=(1, 3))


# JSON


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


def test_other_units_are_another_cut(plan) -> None:
    value = plan.to_json()
    value["removed"][0] = [0, 2]
    assert PruningPlan.from_json(value).removal_key() != plan.removal_key()


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
        (("settings",), "all", "damaged"),
        (("settings", "ratio"), 1.5, r"damaged: The ratio is the share"),
        (("settings", "colour"), "red", "damaged: .*colour"),
        (("removed", 0), [0, 5], "does not fit its own layout: Unit .*layer 0 of 5"),
        (("removed", 0), [-1], "does not fit"),
        (("removed", 0), [0.5], "damaged: 0.5 is not a whole number"),
        (("removed", 0), ["0"], "damaged: '0' is not a whole number"),
        (("removed", 0), [10**30], "damaged"),
        (("removed", 0), 3, "damaged"),
        (("removed",), [[], []], "Expected 3 layers, got 2"),
        (("removed", 2), [0, 1, 2, 3], "would empty layer 2"),
        (("widths",), [], "damaged"),
        (("widths", 0), 5.0, "damaged: 5.0 is not a whole number"),
        (("thresholds",), None, "damaged"),
    ],
)
def test_a_damaged_plan_is_refused(plan, path, new, message) -> None:
    with pytest.raises(PlanError, match=message):
        PruningPlan.from_json(changed(plan.to_json(), path, new))


@pytest.mark.parametrize("value", [None, [], "plan", 3])
def test_what_is_no_plan_is_refused(value) -> None:
    with pytest.raises(PlanError, match="not a plan"):
        PruningPlan.from_json(value)


def test_read_takes_a_file_or_its_folder(plan, tmp_path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
    for path in (tmp_path, tmp_path / "plan.json"):
        assert PruningPlan.read(path).to_json() == plan.to_json()
    with pytest.raises(PlanError, match="no plan at"):
        PruningPlan.read(tmp_path / "other.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(CorruptArtifactError, match="not valid JSON"):
        PruningPlan.read(tmp_path)


@pytest.mark.parametrize("count", [0, 1, 7, 12, 20])
def test_the_lowest_are_those_of_a_stable_sort(count) -> None:
    rng = np.random.default_rng(count)
    for _ in range(20):
        rank = rng.integers(0, 5, 20).astype(float)  # many ties
        rank[rng.random(20) < 0.2] = np.inf
        rank[rng.random(20) < 0.1] = -np.inf
        expected = np.sort(np.argsort(rank, kind="stable")[:count])
        assert np.flatnonzero(lowest(rank, count)).tolist() == expected.tolist()

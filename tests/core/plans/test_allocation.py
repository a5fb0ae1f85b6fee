import numpy as np
import pytest

from fnprune_core.errors import PlanError, RatioError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import (
    ALLOCATIONS,
    default_multiple,
    protected_ends,
)
from fnprune_core.plans.choice import choose_units, lowest
from fnprune_core.plans.plan import PlanSettings

LAYOUTS = [
    UnitLayout((40,) * 4),
    UnitLayout((7, 64, 31, 50, 3)),
    UnitLayout((20, 33) * 10),
    UnitLayout((64,) * 30),
    UnitLayout((100,)),
]


def choose(scores, layout, *, ratio, allocation="uniform", protected=None, multiple=None):
    settings = PlanSettings(ratio=ratio, allocation=allocation, multiple=multiple)
    return choose_units(np.asarray(scores, float), settings, layout=layout, sinks=protected)


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
    spares = allocation in ("protect-ends", "threshold")
    first, last = protected_ends(layout.n_layers) if spares else (0, 0)
    parts = layout.split(protected)[first : layout.n_layers - last]
    return sum(min(int((~part).sum()), len(part) - 1) for part in parts)


# How many units go


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: f"{x.n_layers}-layers")
def test_the_ratio_is_met_to_one_unit_and_protected_units_stay(layout, allocation) -> None:
    protected = sinks_of(layout)
    for ratio in (0.0, 0.01, 0.333, 0.7):
        choice = choose(
            random_scores(layout), layout, ratio=ratio, allocation=allocation, protected=protected
        )
        keep = layout.keep_of(choice.removed)
        assert (~keep).sum() == round(ratio * layout.n_units)
        assert keep[protected].all()
        assert all(part.any() for part in layout.split(keep))


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


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_a_unit_of_each_layer_stays_even_where_all_score_alike(allocation) -> None:
    layout = UnitLayout((5, 5))
    choice = choose(np.ones(10), layout, ratio=0.8, allocation=allocation)
    assert [len(part) for part in choice.removed] == [4, 4]
    with pytest.raises(RatioError, match=r"at most 0\.800 of all units"):
        choose(np.ones(10), layout, ratio=0.9, allocation=allocation)


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


def test_one_threshold_divides_the_scores_of_all_layers_that_may_give() -> None:
    layout = UnitLayout((64,) * 30)
    scores = random_scores(layout)
    choice = choose(scores, layout, ratio=0.3, allocation="threshold")
    keep = layout.keep_of(choice.removed)
    free = (layout.layer_of_unit >= 3) & (layout.layer_of_unit < 28)
    assert keep[~free].all()
    threshold = np.sort(scores[free])[round(0.3 * layout.n_units)]
    np.testing.assert_array_equal(keep[free], scores[free] >= threshold)


def test_a_sink_unit_with_a_low_score_does_not_lower_the_threshold() -> None:
    """The seed's T_l once was the score of a sink unit, which stays whatever it scores."""
    layout = UnitLayout((6,))
    scores = np.array([0.1, 1, 2, 3, 4, 5])
    choice = choose(scores, layout, ratio=0.5, protected=scores == 0.1)
    assert choice.removed[0].tolist() == [1, 2, 3]
    assert choice.thresholds == (4.0,)
    choice = choose([5, 1, 2, 3], UnitLayout((4,)), ratio=0.75, protected=np.arange(4) == 0)
    assert choice.thresholds[0] > 3  # only a protected unit is left: all others are below


def test_ties_go_by_index() -> None:
    layout = UnitLayout((300, 300))
    scores = np.tile([2.0] + [1.0] * 298 + [2.0], 2)
    choice = choose(scores, layout, ratio=1 / 3)
    assert [part.tolist() for part in choice.removed] == [list(range(1, 101))] * 2


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(PlanError, match="not finite"):
        choose([1, np.nan, 2], UnitLayout((3,)), ratio=0.3)


@pytest.mark.parametrize("count", [0, 1, 7, 12, 20])
def test_the_lowest_of_each_row_are_those_of_a_stable_sort(count) -> None:
    rng = np.random.default_rng(count)
    ranks = rng.integers(0, 5, (20, 20)).astype(float)  # many ties
    ranks[rng.random(ranks.shape) < 0.2] = np.inf
    ranks[rng.random(ranks.shape) < 0.1] = -np.inf
    expected = np.argsort(np.argsort(ranks, kind="stable"), kind="stable") < count
    assert (lowest(ranks, count) == expected).all()
    assert (lowest(ranks[0], count) == expected[0]).all()


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("widths", [(48, 48, 48), (40, 64, 50)])
def test_widths_are_rounded_up_and_the_best_of_what_went_stay(allocation, widths):
    layout = UnitLayout(widths)
    scores = np.random.default_rng(0).exponential(size=layout.n_units)
    exact, rounded = (
        choose(scores, layout, ratio=0.4, allocation=allocation, multiple=n) for n in (None, 8)
    )
    kept = [width - len(part) for width, part in zip(widths, rounded.removed, strict=True)]
    if allocation == "uniform" and len(set(widths)) == 1:
        assert kept == [32] * 3
    for layer, (before, after) in enumerate(zip(exact.removed, rounded.removed, strict=True)):
        assert kept[layer] % 8 == 0 or kept[layer] == widths[layer]
        if allocation != "uniform":
            assert 0 <= len(before) - len(after) < 8
        assert set(after) <= set(before)
        part = layout.split(scores)[layer]
        returned = np.setdiff1d(before, after)
        if len(returned) and len(after):
            assert part[returned].min() > part[after].max()


def test_uniform_widths_are_alike_even_astride_a_multiple():
    """47 of 144 leave 33, 32 and 32: each rounded by itself, only the first would become 40."""
    layout = UnitLayout((48, 48, 48))
    choice = choose(np.arange(144.0), layout, ratio=47 / 144, multiple=8)
    assert [len(part) for part in choice.removed] == [8, 8, 8]


@pytest.mark.parametrize(
    ("width", "multiple"), [(11008, 64), (1536, 64), (1023, 32), (48, 2), (8, 1)]
)
def test_small_layers_are_rounded_less(width, multiple):
    assert default_multiple(width) == multiple


# By size


def test_by_size_the_lowest_of_all_go_and_a_layer_beyond_its_cap_only_last() -> None:
    layout = UnitLayout((10, 10))
    scores = np.concatenate([np.arange(10.0), 100 + np.arange(10.0)])
    sizes = {
        ratio: [
            len(part)
            for part in choose(scores, layout, ratio=ratio, allocation="global-by-size").removed
        ]
        for ratio in (0.3, 0.4, 0.6, 0.85)
    }
    assert sizes == {0.3: [6, 0], 0.4: [8, 0], 0.6: [8, 4], 0.85: [9, 8]}

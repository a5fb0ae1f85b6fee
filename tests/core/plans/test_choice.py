"""Units that go under pins: which stay, which go, and what cannot be met."""

import numpy as np
import pytest

from fnprune_core.errors import PlanError, RatioError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.plan import PlanSettings

LAYOUT = UnitLayout((40,) * 12)  # protect-ends exempts layer 0
SCORES = np.random.default_rng(0).lognormal(size=LAYOUT.n_units)


def choose(*, stay=(), go=(), **options):
    pins = {"pinned_keep": tuple(map(int, stay)), "pinned_remove": tuple(map(int, go))}
    choice = choose_units(SCORES, PlanSettings(**pins, **options), layout=LAYOUT)
    return LAYOUT.keep_of(choice.removed), choice


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_pins_are_followed_and_count_in_the_ratio(allocation):
    """The best units go and the worst stay where a person says so; the others by their scores."""
    order = np.argsort(SCORES)
    best, worst = order[-30:], order[:30]
    keep, choice = choose(ratio=0.3, allocation=allocation, stay=worst, go=best)
    assert not keep[best].any()
    assert keep[worst].all()
    assert (~keep).sum() == round(0.3 * LAYOUT.n_units)
    free = np.ones(LAYOUT.n_units, dtype=bool)
    free[best] = free[worst] = False
    for layer, threshold in enumerate(choice.thresholds):
        part = LAYOUT.layer_slice(layer)
        gone = ~keep[part] & free[part]
        assert gone.tolist() == (free[part] & (SCORES[part] < threshold)).tolist()


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_a_layer_with_more_pins_than_its_share_leaves_less_to_the_others(allocation):
    go = [*range(15), *range(80, 110)]  # 15 of layer 0, 30 of layer 2
    keep, choice = choose(ratio=0.2, allocation=allocation, go=go)
    counts = [len(part) for part in choice.removed]
    assert sum(counts) == 96
    assert not keep[go].any()
    if allocation != "global":
        assert (counts[0], counts[2]) == (15, 30)
        if not ALLOCATIONS[allocation].looks_at_scores:
            assert max(counts[3:]) - min(counts[3:]) <= 1
    exactly, _ = choose(ratio=len(go) / LAYOUT.n_units, allocation=allocation, go=go)
    assert np.flatnonzero(~exactly).tolist() == go


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_more_pins_than_the_ratio_allows_are_refused_with_the_least_ratio(allocation):
    go = range(0, 200, 2)
    with pytest.raises(RatioError, match=r"100 units are pinned.*least ratio is 0\.2083") as caught:
        choose(ratio=0.2, allocation=allocation, go=go)
    advised = float(caught.value.hint.split("at least ")[1].split(",")[0])
    choose(ratio=advised, allocation=allocation, go=go)


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_where_the_best_unit_is_pinned_to_go_another_stays(allocation):
    """One threshold for all layers spared the best alone, and so emptied a layer."""
    layout = UnitLayout((5, 5))
    scores = np.array([0.1, 0.2, 0.3, 0.4, 9.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    settings = PlanSettings(ratio=0.6, allocation=allocation, pinned_remove=(4,))
    removed = choose_units(scores, settings, layout=layout).removed
    assert max(map(len, removed)) < 5
    assert sum(map(len, removed)) == 6


def test_a_layer_pinned_empty_is_refused():
    with pytest.raises(PlanError, match="layer 1 are pinned to go"):
        choose(ratio=0.5, allocation="uniform", go=range(40, 80))


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_rounded_widths_go_below_the_pins_rather_than_keep_them(allocation):
    """Rounded up, layer 3 would keep 40 of 40, though one of it must go."""
    keep, choice = choose(ratio=0.01, allocation=allocation, go=[120], multiple=8)
    assert not keep[120]
    kept = [40 - len(part) for part in choice.removed]
    assert kept[3] == 32
    assert set(kept) == ({32} if allocation == "uniform" else {32, 40})
    with pytest.raises(RatioError, match="cannot keep a multiple of 16"):
        choose(ratio=0.2, allocation=allocation, stay=range(120, 140), go=range(140, 150),
               multiple=16)  # fmt: skip


def test_contradictions_and_strangers_are_told():
    with pytest.raises(SettingsError, match="at once: unit 5, 7"):
        PlanSettings(pinned_keep=(7, 5, 1), pinned_remove=(9, 7, 5))
    settings = PlanSettings(pinned_keep=(3, 1, 3))
    assert settings == PlanSettings(pinned_keep=(1, 3))
    with pytest.raises(SettingsError, match=r"Unit 480 is pinned.*from 0 to 479"):
        PlanSettings(pinned_remove=(480,)).pins(LAYOUT)
    with pytest.raises(SettingsError, match="Unit -1"):
        PlanSettings(pinned_keep=(-1,)).pins(LAYOUT)

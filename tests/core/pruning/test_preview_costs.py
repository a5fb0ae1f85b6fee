import numpy as np
import pytest

from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.preview_costs import energy_gone, network_costs
from fnprune_core.scores.token_weights import ByEnergy
from fnprune_core.scores.units import SCORES

SETTINGS = PlanSettings(preserved=(0, 2), ratio=0.3, allocation="uniform", sink_units=2)


@pytest.mark.parametrize(
    "score",
    [name for name, row in SCORES.items() if row.uses_networks and not row.needs_model],
)
def test_costs_are_the_difference_between_two_previews(score, preview, atlas) -> None:
    settings = SETTINGS.with_(score=score, preserved=(0, 2, 3))
    costs = network_costs(preview, settings)
    assert costs["preserved"].tolist() == [True, False, True, True]
    for network, (more, fewer) in {2: ((0, 2, 3), (0, 3)), 1: ((0, 1, 2, 3), (0, 2, 3))}.items():
        with_it, without = (preview.keep(settings.with_(preserved=p)) for p in (more, fewer))
        assert costs["units"][network] == (with_it & ~without).sum() > 0
        rule = SCORES[score].weighting if SCORES[score].weighting.of_networks else ByEnergy
        weights = [rule(atlas).of(p) for p in (more, fewer)]
        expected = 1 - weights[1].sum() / weights[0].sum()
        assert costs["tokens"][network] == pytest.approx(expected, rel=1e-3)
        prose = (atlas.tokens["domain"] == "prose").to_numpy()
        expected = 1 - weights[1][prose].sum() / weights[0][prose].sum()
        assert costs["tokens: prose"][network] == pytest.approx(expected, rel=1e-3)
        own = atlas.layout.split(preview.own_energy[network])
        kept = [
            np.mean(
                [e[k].sum() / e.sum() for e, k in zip(own, atlas.layout.split(keep), strict=True)]
            )
            for keep in (with_it, without)
        ]
        assert costs["energy"][network] == pytest.approx(kept[0] - kept[1])


def test_the_energy_that_goes_is_a_share_of_each_layer_s(preview) -> None:
    keep = preview.keep(SETTINGS)
    gone = energy_gone(preview, keep)
    own = preview.layout.split(preview.own_energy[1])
    shares = [e[~k].sum() / e.sum() for e, k in zip(own, preview.layout.split(keep), strict=True)]
    assert gone[1] == pytest.approx(np.mean(shares))
    assert 0 < gone[1] < 1
    np.testing.assert_allclose(energy_gone(preview, np.ones_like(keep)), 0, atol=1e-12)
    np.testing.assert_allclose(energy_gone(preview, np.zeros_like(keep)), 1)


def test_the_only_network_cannot_be_swapped_and_without_networks_nothing_costs(preview) -> None:
    costs = network_costs(preview, SETTINGS.with_(preserved=(2,)))
    assert np.isnan(costs["units"][2])
    assert costs["tokens"][2] == 1
    assert costs["units"][[0, 1, 3]].notna().all()
    costs = network_costs(preview, SETTINGS.with_(score="flap"))  # does not look at networks
    assert (costs[["tokens", "tokens: prose", "units", "energy"]] == 0).all(axis=None)


@pytest.mark.parametrize("allocation", ["uniform", "protect-ends", "global"])
def test_choices_made_together_are_those_made_one_by_one(allocation, preview) -> None:
    settings = SETTINGS.with_(allocation=allocation, pinned_keep=(1, 5), pinned_remove=(2, 70))
    scores = np.random.default_rng(0).integers(0, 9, (5, preview.layout.n_units)).astype(float)
    kept = preview.keep_each(scores, settings)
    for row, keep in zip(scores, kept, strict=True):
        assert (preview.layout.keep_of(preview.choose(row, settings)) == keep).all()
    assert preview.keep_each(scores[:0], settings).shape == (0, preview.layout.n_units)

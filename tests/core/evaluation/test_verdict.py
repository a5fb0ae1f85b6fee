"""Two numbers where domains are given up: which these are, and each side's own difference."""

from dataclasses import replace

import numpy as np
import pytest
import toy_atlas
from losses import result_of

from fnprune_core.evaluation.results import DENSE, paired_by_domain
from fnprune_core.evaluation.verdict import given_up_domains, verdict

#: Four windows of prose, three of code, two of letters.
DOMAINS = np.repeat([0, 1, 2], (4, 3, 2))


def measured(*means, read=9, seed=0):
    """A result with these mean losses by domain, of windows that differ."""
    nll = np.repeat(means, (4, 3, 2)) * 10 + np.random.default_rng(seed).normal(size=9)
    whole = replace(result_of(nll), domains=DOMAINS, domain_names=("prose", "code", "letters"))
    protocol = whole.protocol
    return replace(whole.restricted_to(np.arange(read)), protocol=protocol)


RESULTS = {
    DENSE: measured(3.0, 2.0, 2.5, seed=1),
    "flap": measured(3.3, 2.4, 2.8, seed=2),
    "random, seed 0": measured(3.9, 2.2, 3.3, seed=3),
    "mine": measured(3.1, 4.4, 2.6, seed=4),
}


def test_each_side_is_its_own_windows_beside_the_rival_that_is_best_on_those_to_keep() -> None:
    found = verdict(RESULTS, ("code",), plan="mine")
    assert found.rival == "flap"
    assert found.kept.domains == ("prose", "letters")
    assert found.given_up.domains == ("code",)
    kept, code = np.isin(DOMAINS, (0, 2)), DOMAINS == 1
    for side, is_in in ((found.kept, kept), (found.given_up, code)):
        own, rival = RESULTS["mine"].window_nll[is_in], RESULTS["flap"].window_nll[is_in]
        assert side.plan.perplexity == pytest.approx(np.exp(own.sum() / (10 * is_in.sum())))
        assert side.rival.perplexity == pytest.approx(np.exp(rival.sum() / (10 * is_in.sum())))
        assert side.above_rival.difference == pytest.approx((own - rival).mean() / 10)
    alone = paired_by_domain(RESULTS["mine"], RESULTS["flap"])["code"]
    assert found.given_up.above_rival.difference == alone.difference
    first, second = found.sentences(str.upper)
    assert "to keep (prose, letters)" in first
    assert "for FLAP: −" in first
    assert "given up (code)" in second
    assert f"+{alone.difference:.3f} (no interval)" in second  # one document


def test_while_windows_come_in_only_those_that_both_have_read_are_compared() -> None:
    half_read = {**RESULTS, "mine": measured(3.1, 4.4, 2.6, seed=4, read=6)}
    found = verdict(half_read, ("code",), plan="mine")
    assert found.kept.domains == ("prose",)
    own, rival = (RESULTS[name].window_nll[4:6] for name in ("mine", "flap"))
    assert found.given_up.above_rival.difference == pytest.approx((own - rival).mean() / 10)


def test_without_two_sides_all_texts_are_one_side_and_a_plan_that_failed_has_no_verdict() -> None:
    for lost in ((), ("german",)):
        found = verdict(RESULTS, lost, plan="mine")
        assert (found.given_up, found.kept.domains, found.rival) == (None, (), "flap")
        assert found.kept.plan.perplexity == pytest.approx(RESULTS["mine"].perplexity)
        assert found.sentences()[0].startswith("On all texts")
    assert verdict(RESULTS, ("prose", "code", "letters"), plan="mine") is None
    assert verdict({**RESULTS, "mine": replace(RESULTS["mine"], failure="inf")}, ("code",),
                   plan="mine") is None  # fmt: skip
    alone = verdict({"mine": RESULTS["mine"]}, ("code",), plan="mine")
    assert (alone.rival, alone.kept.rival, alone.kept.dense) == ("", None, None)


def test_a_domain_is_given_up_with_most_of_the_energy_of_its_own_networks() -> None:
    is_code = toy_atlas.DOMAINS == 1
    rng = np.random.default_rng(0)
    courses = rng.standard_normal((4, toy_atlas.N_TOKENS))
    courses[:2, ~is_code] *= 0.1  # two of code, the first the stronger by far
    courses[0] *= 4
    courses[2:, is_code] *= 0.5
    atlas = toy_atlas.atlas_of(courses=courses)
    assert atlas.networks_of_domain("code") == (0, 1)
    assert given_up_domains(atlas, (2, 3)) == ("code",)
    assert given_up_domains(atlas, (1, 2, 3)) == ("code",)
    assert given_up_domains(atlas, (0, 2, 3)) == ()
    assert given_up_domains(atlas, (0, 1)) == ("prose",)
    assert given_up_domains(atlas, None) == ()

"""The rule of comparing perplexities: the same windows of the same texts, or apart."""

from dataclasses import replace

import numpy as np
import pytest
from losses import result_of

from fnprune_core.evaluation.alike import alike
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.verdict import verdict

#: Five windows of prose, three of letters, which are much harder.
DOMAINS = np.repeat([0, 1], (5, 3))


def measured(above: float, read=range(8), **protocol):
    """A result `above` the dense model by so many nats per token, on the windows `read` so far."""
    nll = np.repeat([20.0, 40.0], (5, 3)) + np.arange(8) + 10 * above
    whole = replace(result_of(nll), domains=DOMAINS, domain_names=("prose", "letters"))
    part = whole.restricted_to(np.array(read))
    return replace(part, protocol=replace(whole.protocol, **protocol))


def test_results_are_compared_on_the_windows_that_all_have_read() -> None:
    """A dense model read further, into harder texts, stood above a plan that is worse than it."""
    results = {DENSE: measured(0.0), "mine": measured(0.2, read=range(5))}
    assert results["mine"].perplexity < results[DENSE].perplexity
    together = alike(results).results
    assert list(together) == [DENSE, "mine"]
    assert np.array_equal(together[DENSE].windows, together["mine"].windows)
    ratio = together["mine"].perplexity / together[DENSE].perplexity
    assert np.log(ratio) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "other",
    [
        measured(0.1, text_sha256="another"),
        measured(0.1, dtype="bfloat16"),
        measured(0.1, window=12),
        measured(0.1, read=[6, 7]),  # no window in common
        measured(0.1, read=[0]),  # too few to be waited for
        replace(measured(0.1), failure="not finite"),
    ],
)
def test_what_is_of_other_windows_or_texts_stands_apart(other) -> None:
    found = alike({"mine": measured(0.0, read=range(5)), "other": other})
    assert list(found.results) == ["mine"]
    assert found.apart == {"other": other}
    judged = verdict({"mine": measured(0.0, read=range(5)), "other": other}, (), plan="mine")
    assert (judged.rival, judged.kept.rival) == ("", None)


def test_on_chosen_domains_every_result_is_over_their_windows_alone() -> None:
    results = {DENSE: measured(0.0), "mine": measured(0.1)}
    older = replace(measured(0.3), domain_names=(), domains=np.zeros(8, dtype=int))
    found = alike({**results, "older": older}, domains=("prose",))
    assert all(set(result.windows) == set(range(5)) for result in found.results.values())
    assert found.results["older"].domain_names == ("prose", "letters")
    assert alike(results, domains=("code",)).results == {}

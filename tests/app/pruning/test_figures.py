"""Comparison, trade and overlap as data: one mark a model and domain, seeds as one point."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawings import sent
from losses import result_of

from app.figures.theme import PAPER, READING_ROOM
from app.pruning.comparison_rows import comparison_table, marks
from app.pruning.figures import (
    ABOVE_DENSE,
    ALL,
    MARKS,
    PERPLEXITY,
    comparison_chart,
    overlap_profile,
)
from app.pruning.plans.trade_figures import Level, trade_chart
from app.pruning.prune_tasks import PLAN
from fnprune_core.evaluation.alike import alike
from fnprune_core.evaluation.results import DENSE, paired_difference

NLL = np.array([20.0, 22.0, 30.0, 31.0])


def result(change: float = 0.0, **fields):
    nll = np.tile(NLL + change * np.array([1.0, 1.2, 0.9, 1.1]), 3)
    whole = result_of(nll, groups=np.arange(12) // 2)
    fields = {
        "domains": np.arange(12) % 4 // 2, "domain_names": ("<i>prose", "code"), **fields
    }  # fmt: skip
    return replace(whole, **fields)


@pytest.fixture
def results():
    return {
        DENSE: result(),
        PLAN: result(1.0),
        "random, seed 0": result(3.0),
        "random, seed 1": result(5.0),
        "flap": result(2.0, failure="The loss of window 2 is not finite."),
    }


def test_marks_are_results_by_domain_and_seeds_are_one_with_their_spread(results) -> None:
    found = {(m.label, m.domain): m for m in marks(results, None).itertuples()}
    assert found["your plan", ALL].value == results[PLAN].perplexity
    assert found["your plan", "code"].value == results[PLAN].by_domain()["code"].perplexity
    seeds = [results[f"random, seed {i}"] for i in range(2)]
    pooled = found["Random", ALL]
    assert pooled.value == pytest.approx(np.exp(np.mean([r.mean_nll for r in seeds])))
    assert pooled.error == pytest.approx(np.std([r.perplexity for r in seeds], ddof=1))
    assert pooled.spread == "2 seeds"
    assert found["dense", ALL].spread == "6 documents"
    assert np.isnan(found["FLAP", ALL].value)
    above = {(m.label, m.domain): m for m in marks(results, DENSE).itertuples()}
    paired = paired_difference(results[PLAN], results[DENSE])
    assert above["your plan", ALL].value == paired.difference
    assert above["your plan", ALL].error == paired.standard_error
    assert ("dense", ALL) not in above
    assert ("FLAP", ALL) not in above


def test_the_table_has_a_row_for_each_seed_and_for_what_failed(results) -> None:
    table = comparison_table(alike(results)).set_index("model")
    assert list(table.index) == ["dense", "your plan", "Random, seed 0", "Random, seed 1", "FLAP"]
    assert table.loc["FLAP", "nats/token above dense"] == "not finite"
    assert table.loc["your plan", "nats/token above dense"].startswith("+0.1050 ±")
    assert table.loc["dense", "nats/token above your plan"].startswith("-0.1050 ±")


def test_a_rival_that_has_read_other_windows_has_a_difference_and_no_perplexity(results) -> None:
    """Averages over other windows stood beside one another while a run went."""
    begun = results["random, seed 0"]
    part = replace(begun.restricted_to(np.arange(1)), protocol=begun.protocol)
    table = comparison_table(alike({**results, "flap": part}, first=PLAN)).set_index("model")
    assert np.isnan(table.loc["FLAP, on 1 window", "perplexity"])
    first = results[PLAN].window_nll[0]
    above = (part.window_nll[0] - first) / part.window_tokens[0]
    told = table.loc["FLAP, on 1 window", "nats/token above your plan"]
    assert told.startswith(f"{above:+.4f}")


def test_the_comparison_has_the_whole_text_on_top_and_error_bars(results) -> None:
    picture = comparison_chart(marks(results, None), PERPLEXITY, palette=PAPER)
    assert picture.figure.layout.yaxis.ticktext[0] == ALL
    plan = next(t for t in picture.figure.data if t.name == "your plan")
    assert plan.marker.color == PAPER.accent
    assert plan.error_x.array[0] == pytest.approx(results[PLAN].standard_error)
    symbols = [trace.marker.symbol for trace in picture.figure.data]
    assert len(set(symbols)) == len(symbols)  # told apart without colour
    assert "Your plan is below the best of the others, Random" in picture.alternative
    assert "<i>" not in sent(picture.figure)


def test_differences_have_a_line_at_zero_and_perplexities_far_apart_a_log_axis() -> None:
    def chart(*values, quantity=PERPLEXITY):
        rows = [(f"model {i}", "baseline", ALL, v, 0.1, "") for i, v in enumerate(values)]
        return comparison_chart(pd.DataFrame(rows, columns=MARKS), quantity, palette=PAPER)

    near, far, zero = chart(20.0, 30.0), chart(20.0, 300.0), chart(0.1, 3.0, quantity=ABOVE_DENSE)
    assert near.figure.layout.xaxis.type != "log"
    assert far.figure.layout.xaxis.type == "log"
    assert zero.figure.layout.xaxis.type != "log"
    assert any(shape.x0 == 0 for shape in zero.figure.layout.shapes)
    assert "nothing read yet" in chart().alternative


def trade(**columns) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series": ["FLAP", "FLAP", "<b>mine"],
            "ratio": [0.4, 0.2, 0.4],
            "achieved_ratio": [0.4, 0.2, 0.4],
            "share_of_parameters": [0.24, 0.12, 0.24],
            "perplexity": [40.0, 25.0, 31.0],
            "error": [1.0, 0.5, 0.7],
            "difference": [0.6, 0.3, 0.4],
            "difference_error": [0.03, 0.01, 0.02],
            "seeds": [1, 1, 1],
            "spread": ["text"] * 3,
            **columns,
        }
    )


def test_the_trade_is_drawn_against_units_and_against_parameters() -> None:
    level = Level(perplexity=20.0, error=0.4)
    picture = trade_chart(trade(), level, axis="ratio", own="<b>mine", palette=READING_ROOM)
    flap = next(t for t in picture.figure.data if t.name == "FLAP")
    np.testing.assert_allclose(flap.x, [20, 40])  # in order, whatever the table's
    np.testing.assert_allclose(flap.error_y.array, [0.5, 1.0])
    assert flap.x.dtype == np.float32
    kept = trade_chart(trade(), level, axis="parameters", palette=READING_ROOM)
    flap = next(t for t in kept.figure.data if t.name == "FLAP")
    np.testing.assert_allclose(flap.x, [76, 88])
    assert kept.figure.layout.xaxis.autorange == "reversed"
    assert "<b>mine" not in sent(picture.figure)
    assert any(shape.y0 == 20.0 for shape in picture.figure.layout.shapes)  # the dense line
    assert "Dense 20.00 ± 0.40" in picture.alternative
    above = trade_chart(trade(), level, axis="ratio", quantity=ABOVE_DENSE, palette=READING_ROOM)
    flap = next(t for t in above.figure.data if t.name == "FLAP")
    np.testing.assert_allclose(flap.y, [0.3, 0.6], rtol=1e-6)
    np.testing.assert_allclose(flap.error_y.array, [0.01, 0.03], rtol=1e-6)
    assert "<b>mine: +0.4000 ± 0.0200; FLAP: +0.6000" in above.alternative
    lost = trade_chart(trade(perplexity=[np.nan, 25.0, 31.0]), None, axis="ratio", palette=PAPER)
    assert sum(len(trace.x) for trace in lost.figure.data) == 2  # but all are in the table
    assert len(lost.table) == 3


def test_the_overlap_stacks_to_what_is_removed() -> None:
    table = pd.DataFrame(
        {
            "first": [12, 12], "second": [12, 12], "both": [6, 6], "first_only": [6, 6],
            "second_only": [6, 6], "jaccard": [1 / 3] * 2, "chance": [1 / 7] * 2,
        },
        index=["0", "all"],
    )  # fmt: skip
    picture = overlap_profile(table, first="<a>", second="b", palette=PAPER)
    assert [list(trace.y) for trace in picture.figure.data] == [[6], [6], [6]]
    assert "0.33, by chance 0.14" in picture.alternative
    assert "<a>" not in sent(picture.figure)
    assert len({trace.marker.pattern.shape for trace in picture.figure.data}) == 3

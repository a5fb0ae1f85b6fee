"""The order and the filter of the gallery."""

import pandas as pd
import pytest

from app.widgets.network_order import Filter, arrange, neighbour, statistics

TABLE = pd.DataFrame(
    {
        "network": [0, 1, 2, 3],
        "reproducibility": [0.9, 0.5, float("nan"), 0.7],
        "variance_left_out": [float("nan")] * 4,
        "top_domain": ["law", "code", "law", "prose"],
        "peak_layer": [3, 1, 1, 2],
    }
)


def shown(order: str = "network", **wanted) -> list[int]:
    return arrange(
        TABLE,
        names=["contracts", "Brackets", "clauses", "dialogue"],
        tags=[["position"], [], ["punctuation", "position"], []],
        dropped=[1, 3],
        order=order,
        conditions=Filter(**wanted),
    )


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("network", [0, 3, 1, 2]),  # those that come back in halves first
        ("-network", [3, 2, 1, 0]),
        ("-reproducibility", [0, 3, 1, 2]),  # what has no value comes last either way
        ("reproducibility", [1, 3, 0, 2]),
        ("peak_layer", [1, 2, 3, 0]),  # ties by number
        ("no such column", [0, 3, 1, 2]),
    ],
)
def test_order(order, expected) -> None:
    assert shown(order) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"words": " BRACK "}, [1]),
        ({"words": "2"}, [2]),
        ({"domains": ("law",)}, [0, 2]),
        ({"tags": ("position",)}, [0, 2]),
        ({"tags": ("punctuation",), "domains": ("code",)}, []),
        ({"decision": "protected"}, [0, 2]),
        ({"decision": "not protected"}, [3, 1]),
        ({"recurs": True}, [0, 3]),
        ({"column": "reproducibility", "low": 0.6, "high": 0.8}, [3]),
    ],
)
def test_filter(wanted, expected) -> None:
    assert shown(**wanted) == expected


def test_a_statistic_without_any_value_is_not_offered() -> None:
    assert statistics(TABLE) == ["network", "reproducibility", "peak_layer"]
    of_runs = TABLE.assign(run_agreement=0.99, again_seeds=0.99)  # these say little of a network
    assert statistics(of_runs) == statistics(TABLE)


@pytest.mark.parametrize(
    ("network", "step", "expected"),
    [(5, 1, 2), (5, -1, 7), (7, 1, 5), (2, 1, 7), (9, 1, 5), (9, -1, 7)],
)
def test_neighbours_follow_the_gallery(network, step, expected) -> None:
    assert neighbour([5, 2, 7], network, step) == expected
    assert neighbour([], network, step) == network

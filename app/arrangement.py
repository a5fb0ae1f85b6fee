"""Which networks the gallery shows, and in which order: pure, so that it can be tested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

EITHER, KEPT, DROPPED = "all", "kept", "to be pruned"
DECISIONS = (EITHER, KEPT, DROPPED)
#: Columns of the table of networks that people sort by; others are called by their own name.
LABELS = {
    "network": "number",
    "stability": "stability (Iq)",
    "reproducibility": "split-half r",
    "again_bootstrap": "found again, bootstraps",
    "again_seeds": "found again, seeds",
    "variance_alone": "variance alone",
    "variance_left_out": "variance lost when left out",
    "top_domain_share": "share in its first domain",
    "peak_layer": "peak layer",
    "units_above_3": "units with |z| > 3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a network must be to be shown; what is empty asks nothing.

    Parameters
    ----------
    words : str
        In its name or number, whatever the case.
    domains : tuple of str
        The domain with most of its energy.
    tags : tuple of str
        At least one of the trivial things that it follows.
    decision : str
        One of `DECISIONS`.
    column : str
        A statistic…
    low, high : float
        … within these bounds.
    """

    words: str = ""
    domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    decision: str = EITHER
    column: str = ""
    low: float = float("-inf")
    high: float = float("inf")


def statistics(table: pd.DataFrame) -> list[str]:
    """Return the columns by which networks can be sorted: numbers that are not all missing."""
    numeric = table.select_dtypes("number")
    return [str(name) for name in numeric.columns if numeric[name].notna().any()]


def label(column: str) -> str:
    """Return what a column is called."""
    return LABELS.get(column, column.replace("_", " "))


def arrange(
    table: pd.DataFrame,
    *,
    names: Sequence[str],
    tags: Sequence[Sequence[str]],
    dropped: Sequence[int],
    order: str,
    wanted: Filter,
) -> list[int]:
    """Return the networks to show, in order.

    Parameters
    ----------
    table : DataFrame
        One row a network, as `NetworkAtlas.table` makes it.
    names, tags : sequence
        By network.
    order : str
        A column, smallest first; with a minus before it, largest first. Unknown: by number.
    """
    good = pd.Series(True, index=table.index)
    words = wanted.words.casefold().strip()
    if words:
        good &= np.array(
            [
                words in name.casefold() or words == str(number)
                for name, number in zip(names, table["network"], strict=True)
            ]
        )
    if wanted.domains:
        good &= table["top_domain"].isin(wanted.domains)
    if wanted.tags:
        good &= np.array([bool(set(wanted.tags) & set(of_network)) for of_network in tags])
    if wanted.decision != EITHER:
        good &= table["network"].isin(dropped) == (wanted.decision == DROPPED)
    if wanted.column in table:
        good &= table[wanted.column].between(wanted.low, wanted.high)
    column, largest_first = order.removeprefix("-"), order.startswith("-")
    if column not in statistics(table):
        column, largest_first = "network", False
    shown = table[good].sort_values(
        column, ascending=not largest_first, kind="stable", na_position="last"
    )
    return [int(number) for number in shown["network"]]


def neighbour(shown: Sequence[int], network: int, step: int) -> int:
    """Return the network `step` places on in the gallery, around its ends.

    A network that the filter hides leads to the first or the last of those shown.
    """
    if not shown:
        return network
    if network not in shown:
        return shown[0] if step > 0 else shown[-1]
    return shown[(list(shown).index(network) + step) % len(shown)]

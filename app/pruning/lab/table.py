"""The table of the prune lab: one component, a row a network, a card each on a phone.

It draws what it is given and tells what was picked, switched or sorted; it holds nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.shell import view_state
from app.shell.components import component

_component = component("lab_table")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """Row of the table on one network.

    Parameters
    ----------
    image : str
        Data URI.
    mark : str
        What a person should be warned of; empty if nothing.
    title : str
        All of it in one sentence.
    trust, variance, cost : float
        Length of the meter, from 0 to 1; −1 for none.
    domains : list of float
        Share of energy in each.
    """

    network: int
    image: str
    name: str
    mark: str
    words: str
    why: str
    title: str
    trust: float
    trust_text: str
    variance: float
    variance_text: str
    domains: list[float]
    top: str
    dropped: bool
    cost: float = -1.0
    cost_text: str = ""
    cost_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead:
    """A head of the table; `sort` is the statistic that a click orders by, empty for none."""

    label: str
    title: str
    sort: str = ""


def lab_table(
    rows: Sequence[TableRow],
    columns: Sequence[TableHead],
    *,
    key: str,
    facts: Mapping[str, Any],
    on: Mapping[str, Callable[[Any], None]],
) -> None:
    """Draw the table.

    Parameters
    ----------
    facts : mapping
        name, selected, sort, trust_name, domain_names, has_costs, and what to say when `empty`.
    on : mapping
        What happens before the page runs again: ``picked`` (network), ``switched`` (network and
        dropped), ``sorted`` (statistic).
    """

    def listener(event: str) -> Callable[[], None]:
        def call_back() -> None:
            value = view_state.component_value(key, event)
            if value is not None:
                on[event](value)

        return call_back

    _component(
        key=key,
        data={
            "rows": [asdict(row) for row in rows],
            "columns": [asdict(column) for column in columns],
            **facts,
        },
        on_picked_change=listener("picked"),
        on_switched_change=listener("switched"),
        on_sorted_change=listener("sorted"),
    )

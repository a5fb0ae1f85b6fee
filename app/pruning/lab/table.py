"""The table of the prune lab: one component, a row a network, a card each on a phone.

It draws what it is given, shows at once what a key or the mouse asks for, and tells it until it
is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
    trust, variance, loss : float
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
    loss: float = -1.0
    loss_units: str = ""
    loss_energy: str = ""
    loss_title: str = ""


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
    facts: dict[str, Any],
    on: Mapping[str, Callable[[Any], None]],
) -> None:
    """Draw the table.

    Parameters
    ----------
    facts : mapping
        name, selected, sort, trust_name, domain_names, has_losses, what to say when `empty`, and
        the number of the last action that was taken, with the page that it came from.
    on : mapping
        What happens before the page runs again: ``asked`` (the page, and actions that are not
        taken yet), ``sorted`` (statistic).
    """
    told = {"rows": list(map(asdict, rows)), "columns": list(map(asdict, columns))}
    _component(key, told | facts, **on)

"""Options of the Connectome page, kept in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.shell import view_state
from app.shell.codec import flag, lettered, one_of, parameter

PICTURES: Mapping[str, str] = {
    "matrix": "Matrix",
    "body": "Body",
    "graph": "Graph",
    "groups": "Groups",
    "time": "Over time",
}
MEASURES: Mapping[str, str] = {
    "fnc": "Connectivity",
    "within": "Within sessions",
    "partial": "Partial",
    "overlap": "Overlap of |z|",
    "dice": "Dice",
    "jaccard": "Jaccard",
}
ORDERS: Mapping[str, str] = {
    "bygroup": "Group",
    "bynumber": "Number",
    "bydomain": "Domain",
    "bydepth": "Depth",
}
PLACES: Mapping[str, str] = {"spring": "By edges", "cortex": "Places in the cortex"}
WIDTHS = (32, 64, 128, 256)
MOST_STATES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectomeOptions:
    """Options of the Connectome page, beside network, threshold and session.

    Parameters
    ----------
    picture, measure, order, places : str
        A key of `PICTURES`, `MEASURES`, `ORDERS`, `PLACES`.
    by_domain : bool
        Whether nodes have the colour of their domain, in place of their group.
    edges : int
        Percent of all pairs that are drawn as edges.
    n_groups : int
        0 for the number that the rule finds.
    width : int
        Tokens of a window.
    n_states : int
        0 for none.
    """

    picture: str = parameter(one_of(PICTURES), "matrix")
    measure: str = parameter(one_of(MEASURES), "fnc")
    order: str = parameter(one_of(ORDERS), "bygroup")
    places: str = parameter(one_of(PLACES), "spring")
    by_domain: bool = parameter(flag("domains"), False)
    edges: int = parameter(lettered("e", 1, 40), 4)
    n_groups: int = parameter(lettered("g", 0, 40), 0)
    width: int = parameter(lettered("w", 8, 256), 64)
    n_states: int = parameter(lettered("s", 0, MOST_STATES), 0)

    def __post_init__(self) -> None:
        if self.n_states == 1:  # one state is none
            object.__setattr__(self, "n_states", 0)


def options() -> ConnectomeOptions:
    """Return the options of the present view."""
    return view_state.page_options(ConnectomeOptions)


def change(**fields: Any) -> None:
    """Change options, and with them the URL."""
    view_state.change_options(ConnectomeOptions, **fields)

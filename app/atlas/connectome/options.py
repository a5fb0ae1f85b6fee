"""What a person chose on the connectome page, kept in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.shell import view_state

PICTURES: Mapping[str, str] = {
    "matrix": "Matrix",
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
_NUMBERS: Mapping[str, tuple[str, int, int]] = {  # letter → field, smallest, largest
    "e": ("edges", 1, 40),
    "g": ("n_groups", 0, 40),
    "w": ("width", 8, 256),
    "s": ("n_states", 0, MOST_STATES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectomeOptions:
    """What is shown of the connectome, beside network, threshold and session.

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

    picture: str = "matrix"
    measure: str = "fnc"
    order: str = "bygroup"
    places: str = "spring"
    by_domain: bool = False
    edges: int = 4
    n_groups: int = 0
    width: int = 64
    n_states: int = 0

    def encode(self) -> str:
        """Return the options as words for the URL; what is at its default stays out."""
        plain = ConnectomeOptions()
        words = [
            getattr(self, name)
            for name in ("picture", "measure", "order", "places")
            if getattr(self, name) != getattr(plain, name)
        ]
        words += ["domains"] if self.by_domain else []
        words += [
            f"{letter}{getattr(self, name)}"
            for letter, (name, _, _) in _NUMBERS.items()
            if getattr(self, name) != getattr(plain, name)
        ]
        return "-".join(words)


def decode(text: str) -> ConnectomeOptions:
    """Return the options of `encode`; words that mean nothing here are passed over."""
    fields: dict[str, Any] = {}
    tables = (("picture", PICTURES), ("measure", MEASURES), ("order", ORDERS), ("places", PLACES))
    for word in text.split("-"):
        for name, table in tables:
            if word in table:
                fields[name] = word
        if word == "domains":
            fields["by_domain"] = True
        number = word[1:]
        if word[:1] in _NUMBERS and number.isdecimal() and number.isascii() and len(number) < 4:
            name, low, high = _NUMBERS[word[0]]
            fields[name] = min(max(int(number), low), high)
    if fields.get("n_states") == 1:  # one state is none
        del fields["n_states"]
    return ConnectomeOptions(**fields)


def options() -> ConnectomeOptions:
    """Return the options of the present view."""
    return decode(view_state.view().show)


def change(**fields: Any) -> None:
    """Change options, and with them the URL."""
    view_state.change(show=replace(options(), **fields).encode())

"""Options of a network's page: its section, pole, colour range and order, kept in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.shell import codec, session_state, view_state
from app.shell.codec import flag, lettered, named, one_of, parameter
from app.widgets.controls import choose

SECTIONS: Mapping[str, str] = {
    "texts": "Texts",
    "course": "Time course",
    "statistics": "Statistics",
    "decoding": "Decoding",
    "units": "Units",
    "writing": "While it writes",
}
POLES: Mapping[int, str] = {0: "Both poles", 1: "Positive", -1: "Negative"}
#: Networks that are drawn together with the selected one.
MOST_BESIDE = 5
_SECTION = "atlas-section"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """Options of a network's page, beside network, threshold and view.

    Parameters
    ----------
    section : str
        A key of `SECTIONS`.
    pole : int
        1 for units of positive z, −1 for those of negative z, 0 for both.
    own_range : bool
        Whether colours reach their end at the network's own strongest units, in place of those
        of all networks.
    by_index : bool
        Whether units stand by their index in layers × units, in place of their network.
    gain : int
        Of the network while the model writes, in tenths.
    deciles : bool
        Whether passages are one from each decile of strength, in place of the strongest.
    """

    section: str = parameter(one_of(SECTIONS), "texts")
    pole: int = parameter(named({1: "positive", -1: "negative"}), 0)
    own_range: bool = parameter(flag("own"), False)
    by_index: bool = parameter(flag("index"), False)
    deciles: bool = parameter(flag("deciles"), False)
    gain: int = parameter(lettered("g", 0, 40), 0)


#: What a link to a place in the time course says of the page's options.
COURSE = codec.encode_words(MapOptions(section="course"))


def options() -> MapOptions:
    """Return the options of the present view."""
    return view_state.page_options(MapOptions)


def change(**fields: Any) -> None:
    """Change options, and with them the URL."""
    view_state.change_options(MapOptions, **fields)


def of_pole(values: NDArray[np.float32], pole: int) -> NDArray[np.float32]:
    """Return a map with the other pole at 0; empty cells stay empty."""
    if pole == 0:
        return values
    return np.where(np.sign(values) == -pole, np.float32(0), values)


def choose_section() -> str:
    """Draw the choice of what stands below the map; return it."""
    chosen = choose("Section", SECTIONS, key=_SECTION, default=options().section)
    change(section=chosen)
    return chosen


def open_course() -> None:
    """Show the section of the time course; for callbacks."""
    change(section="course")
    session_state.remember(_SECTION, "course")

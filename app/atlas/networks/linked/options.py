"""Options of the linked views, kept in the URL: whether they are open, and the two axes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.shell import codec, view_state
from app.shell.codec import flag, named, parameter

#: Statistics that can be an axis, in words.
AXES: Mapping[str, str] = {
    "variance_alone": "variance alone",
    "share_of_energy": "share of all energy",
    "reproducibility": "split-half r",
    "run_agreement": "agreement of runs",
    "units": "units of the network",
    "specificity": "specificity to domains",
    "top_domain_share": "share in its first domain",
    "map_kurtosis": "kurtosis of the map",
    "course_kurtosis": "kurtosis of the time course",
    "peak_layer": "peak layer",
    "mean_layer": "mean layer",
    "variance_left_out": "variance lost when left out",
    "network": "number",
}


def _words(axis: str) -> Mapping[str, str]:
    return {column: axis + column.replace("_", "") for column in AXES}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedOptions:
    """Options of the linked views.

    Parameters
    ----------
    is_open : bool
    x, y : str
        Keys of `AXES`.
    """

    is_open: bool = parameter(flag("linked"), False)
    x: str = parameter(named(_words("x")), "variance_alone")
    y: str = parameter(named(_words("y")), "reproducibility")


def options() -> LinkedOptions:
    """Return the options of the present view."""
    return codec.decode_words(LinkedOptions, view_state.view().part)


def change(**fields: object) -> None:
    """Change options, and with them the URL."""
    view_state.change(part=codec.encode_words(replace(options(), **fields)))  # type: ignore[arg-type]

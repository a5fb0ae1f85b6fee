"""What an address of an image asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

#: Below the path that the server has.
ATLAS, BRAIN = "/_fnprune/atlases/{id}", "/_fnprune/brain"
_HIGHEST = 100.0  # of a threshold or an end of colours
_MOST_BESIDE = 12
_POLES = {"": 0, "0": 0, "1": 1, "-1": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Parts of an address; what it has not is empty, 0 or 1.

    Parameters
    ----------
    id, network, fwhm, localizer, part
        Of the path.
    grey : str
        Name of the anatomy.
    z, limit : float
        Threshold, and the end of the colours, to the step of the slider of thresholds.
    solid : float
        How solid the grey body is, to the step of its slider.
    networks : tuple of int
        Networks that are drawn together.
    pole : int
        1 or −1 for one sign of a map, 0 for both.
    members : bool
        Whether a parcellation is of members of networks, and not of |z|.
    """

    id: str = ""
    network: int = 0
    fwhm: int = 0
    localizer: str = ""
    part: str = ""
    grey: str = ""
    z: float = 1.0
    limit: float = 1.0
    solid: float = 1.0
    networks: tuple[int, ...] = ()
    pole: int = 0
    members: bool = False

    @property
    def high(self) -> float:
        """End of the colours, above the threshold."""
        return max(self.limit, 1.01 * self.z)


def _number(text: str, *, steps: int) -> float:
    """Return the nearest step: addresses between two would be ever new pictures to draw and keep.

    Parameters
    ----------
    steps : int
        From 0 to 1.
    """
    value = float(text)
    if not 0 < value <= _HIGHEST:
        raise ValueError(f"{value:g}, a number above 0 and up to {_HIGHEST:g} was expected")
    return max(round(value * steps), 1) / steps


def _networks(text: str) -> tuple[int, ...]:
    networks = tuple(map(int, text.split(".")))
    if len(networks) > _MOST_BESIDE or min(networks) < 0:
        raise ValueError(f"{len(networks)} networks, at most {_MOST_BESIDE} are drawn")
    return networks


_READ: dict[str, Callable[[str], Any]] = {
    "grey": str,
    "z": lambda text: _number(text, steps=10),
    "limit": lambda text: _number(text, steps=10),
    "solid": lambda text: min(_number(text, steps=50), 1.0),
    "networks": _networks,
    "pole": _POLES.__getitem__,
    "members": {"0": False, "1": True}.__getitem__,
}


def asked_by(request: Request, needed: tuple[str, ...]) -> Asked:
    """Return what a request asks for.

    Raises
    ------
    KeyError, ValueError
        If one of the needed parts is missing, or a part makes no sense.
    """
    query = request.query_params
    given = {name: read(query[name]) for name, read in _READ.items() if name in query}
    for name in needed:
        if name not in given:
            raise KeyError(name)
    return Asked(**given, **request.path_params)

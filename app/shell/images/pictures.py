"""The table of pictures: the address of each, what it asks for, what draws it, and what is kept.

Known before anything that draws is imported: what was kept is sent without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.shell.view_fields import DEFAULT_Z

#: Below the path that the server has.
ATLAS, BRAIN = "/_fnprune/atlases/{id}", "/_fnprune/brain"
_HIGHEST = 100.0  # of a threshold or an end of colours
_MOST_BESIDE = 12
_POLES = {"": 0, "0": 0, "1": 1, "-1": -1}
_TYPES = {
    "gz": "application/gzip", "png": "image/png", "webp": "image/webp",
    "bin": "application/octet-stream",
}  # fmt: skip
#: What an address asks for, by name.
Parts = Mapping[str, Any]


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


#: A grey's name; a threshold and the end of colours; how solid the body is; networks; a sign;
#: whether a parcellation is of members of networks, and not of |z|.
_READ: dict[str, Callable[[str], Any]] = {
    "grey": str,
    "z": lambda text: _number(text, steps=10),
    "limit": lambda text: _number(text, steps=10),
    "solid": lambda text: min(_number(text, steps=50), 1.0),
    "networks": _networks,
    "pole": _POLES.__getitem__,
    "members": {"0": False, "1": True}.__getitem__,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that an address gives.

    Parameters
    ----------
    path : str
        Of the address; its ending says what kind of image it is.
    draw : str
        Module of this package and function that draws it; gets the parts of the address by name.
    needed, others : tuple of str
        What the query must and may hold.
    name : callable, optional
        Parts to the name of the file that is kept beside the atlas; empty where none is.
    is_of_example : bool
        Whether that file is kept for the worked example alone, whose pictures are seen first.
    """

    path: str
    draw: str
    needed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    name: Callable[[Parts], str] = lambda parts: ""
    is_of_example: bool = False

    @property
    def media_type(self) -> str:
        """Kind of image, as an answer says it."""
        return _TYPES[self.path.rpartition(".")[2]]

    def parts_of(self, request: Request) -> Parts:
        """Return what a request asks for.

        Raises
        ------
        KeyError, ValueError
            If a needed part is missing, or a part makes no sense.
        """
        query = request.query_params
        given = (*self.needed, *(name for name in self.others if name in query))
        return {name: _READ[name](query[name]) for name in given} | request.path_params


def _anatomy_name(parts: Parts) -> str:
    return "" if parts.get("grey") else "anatomy.nii.gz"


def _map_name(parts: Parts) -> str:
    return f"network-{parts['network']}.nii.gz"


def _thumbnail_name(parts: Parts) -> str:
    return f"network-{parts['network']}.webp" if parts["z"] == DEFAULT_Z else ""


def _rendering_name(parts: Parts) -> str:
    networks = "-".join(map(str, parts["networks"]))
    return f"rendering-{networks}-{parts['z']:g}-{parts['solid']:g}.webp"


_NETWORK = f"{ATLAS}/networks/{{network:int}}"
PICTURES = (
    Picture(f"{ATLAS}/anatomy.nii.gz", "files.anatomy", (), ("grey",), _anatomy_name, True),
    Picture(f"{ATLAS}/units.nii.gz", "files.units"),
    Picture(f"{ATLAS}/live.bin", "files.live_body_bytes"),
    Picture(f"{_NETWORK}.nii.gz", "files.network_map", name=_map_name, is_of_example=True),
    Picture(f"{_NETWORK}.png", "stills.network_map", ("z", "limit"), ("pole",)),
    Picture(f"{_NETWORK}.webp", "stills.thumbnail", ("z",), name=_thumbnail_name),
    Picture(f"{ATLAS}/networks.png", "stills.several", ("z", "networks")),
    Picture(
        f"{ATLAS}/networks.webp", "stills.rendering", ("z", "solid", "networks"),
        name=_rendering_name, is_of_example=True,
    ),
    Picture(f"{ATLAS}/parcels/{{fwhm:int}}/{{part}}.nii.gz", "files.parcels", (), ("members",)),
    Picture(f"{ATLAS}/parcels.png", "stills.parcels", ("z",), ("members",)),
    Picture(f"{ATLAS}/localizers/{{localizer}}.nii.gz", "files.contrast_map"),
    Picture(f"{ATLAS}/localizers/{{localizer}}.png", "stills.contrast", ("z", "limit")),
    Picture(f"{BRAIN}/motor.png", "brain.motor_still", ("z", "limit")),
    Picture(f"{BRAIN}/anatomy.nii.gz", "brain.anatomy_file"),
    Picture(f"{BRAIN}/motor.nii.gz", "brain.motor_file"),
)  # fmt: skip

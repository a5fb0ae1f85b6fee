"""What the viewer shows: an anatomy, overlays, a lesion, a graph, and what is said of them."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.images.anatomy import margins

Place = tuple[float, float, float]
View = Literal["cuts", "mosaic", "render"]
_STEPS = 32_767  # of two bytes
_DIGITS = 6  # that count, of millimetres, values and limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A part of a scene; the browser is told its fields, and its kind where there are several."""

    kind: ClassVar[str] = ""

    def data(self) -> dict[str, Any]:
        """Return what the browser is told."""
        return _told(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatMap(Shown):
    """A map of two signs, cold and hot from the threshold to its limit.

    Parameters
    ----------
    url : str
        Address of the image.
    limit : float
        Magnitude of the strongest colour.
    pole : int
        1 or −1 for the units of one sign, 0 for both.
    """

    kind: ClassVar[str] = "signed"
    url: str
    limit: float
    pole: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitMap(Shown):
    """A map of two signs that has no address: its values of units go to the browser.

    Parameters
    ----------
    units : str
        Address of the image that tells the unit of each voxel.
    values : ndarray (n_units,)
        In two bytes each.
    limit : float
        Magnitude of the strongest colour.
    """

    kind: ClassVar[str] = "units"
    units: str
    values: NDArray[np.floating]
    limit: float

    def data(self) -> dict[str, Any]:
        """Return what the browser is told."""
        step = float(np.abs(self.values).max(initial=0.0)) / _STEPS or 1.0
        steps = np.rint(self.values / step).astype("<i2")
        values = base64.b64encode(steps.tobytes()).decode()
        told = {"url": self.units, "values": values, "step": step, "limit": self.limit, "pole": 0}
        return {"kind": self.kind, **told}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMap(Shown):
    """The strength of a network, in one colour.

    Parameters
    ----------
    id : int
        Told when its name is pressed.
    """

    kind: ClassVar[str] = "single"
    url: str
    limit: float
    colour: str
    id: int
    name: str
    pole: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcels(Shown):
    """Labelled regions with outlines: label n has the n-th colour and name, 0 is none.

    Parameters
    ----------
    labels, strengths : mapping
        Smoothing in millimetres → address. Regions are where the strength, in hundredths, is
        beyond the scene's threshold; above 0 where it has none.
    only : int, optional
        Index of the region that keeps its colour while all others fade.
    """

    kind: ClassVar[str] = "labels"
    labels: Mapping[int, str]
    strengths: Mapping[int, str]
    colours: Sequence[str]
    names: Sequence[str]
    only: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesion(Shown):
    """Units that are cut: a hole in the anatomy.

    Parameters
    ----------
    units : str
        Address of the image that tells the unit of each voxel.
    removed : ndarray (n_units,)
        Which are cut; a bit each goes to the browser.
    """

    units: str
    removed: NDArray[np.bool_]

    def data(self) -> dict[str, Any]:
        """Return what the browser is told."""
        bits = base64.b64encode(np.packbits(self.removed).tobytes()).decode()
        return {"units": self.units, "bits": bits}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grey(Shown):
    """An anatomy that a person can choose in place of the scene's own.

    Parameters
    ----------
    name, label : str
        By which the browser remembers it, and what it is called.
    anatomy : str
        Address of the grey image.
    lesion : Lesion, optional
        What is cut out of it.
    """

    name: str
    label: str
    anatomy: str
    lesion: Lesion | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph(Shown):
    """Nodes in the body, and edges between them.

    Parameters
    ----------
    places : sequence of (float, float, float)
        Of the nodes, in millimetres.
    sizes : sequence of float
        Radius of each, in millimetres.
    colours, names : sequence of str
    edges : sequence of (int, int, float)
        Two nodes, and the value between them: its sign is its colour, its size its width.
    limit : float
        Magnitude of the widest edge.
    selected : int
        The node that is lit.
    """

    places: Sequence[Place]
    sizes: Sequence[float]
    colours: Sequence[str]
    names: Sequence[str]
    edges: Sequence[tuple[int, int, float]]
    limit: float
    selected: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Shown):
    """The threshold of all overlays, and its slider.

    Parameters
    ----------
    value, low, high : float
    label : str
        Of the slider.
    quantity : str
        What is read at the cross-hair: ``"z"`` or ``"t"``.
    """

    value: float
    low: float = 1.0
    high: float = 8.0
    label: str = "Threshold |z|"
    quantity: str = "z"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene(Shown):
    """What the viewer shows.

    Parameters
    ----------
    anatomy : str
        Address of the grey image below all else.
    greys : sequence of Grey
        Others that can be chosen in the browser.
    alternative : str
        What the picture shows, in words.
    file : str
        Name of a saved picture, without its ending.
    overlays : sequence
        From the lowest to the uppermost.
    threshold : Threshold, optional
        None where nothing has one.
    at : (float, float, float), optional
        Where the cross-hair stands at first, in millimetres.
    layers : sequence of int
        The layer of each horizontal slice of the grid; none for a real brain.
    still : str
        Address of the picture that stands in for the viewer; empty where there is none.
    poster : str
        Address of a picture of the scene as it opens, which stands until it is drawn.
    is_late : bool
        Whether that picture must be made first: it is asked for once the scene was drawn.
    without : str
        What to do without WebGL2, beside the still picture.
    hint : str
        What a press does.
    family : str
        Viewers of one family share what a person sets; each family opens by its own view.
    view : str
        By which the family opens.
    fwhm : float
        Smoothing at first, in millimetres; None where nothing can be smoothed.
    solid : float
        How much of the grey is seen in the rendering at first: less, and what lies inside shows.
    is_small : bool
        Draw the choice of view and nothing else beside the picture.
    """

    anatomy: str
    alternative: str
    file: str
    overlays: Sequence[StatMap | UnitMap | NetworkMap | Parcels] = ()
    greys: Sequence[Grey] = ()
    lesion: Lesion | None = None
    graph: Graph | None = None
    threshold: Threshold | None = None
    at: Place | None = None
    layers: Sequence[int] = ()
    still: str = ""
    poster: str = ""
    is_late: bool = False
    without: str = ""
    hint: str = "Press, or Enter, opens the unit."
    family: str = "map"
    view: View = "cuts"
    fwhm: float | None = 4.0
    solid: float = 0.4
    is_small: bool = False
    name: str = "Map in the body"

    def data(self) -> dict[str, Any]:
        """Return what the browser is told of the scene."""
        margin = margins(len(self.layers)).low if self.layers else [0, 0, 0]
        return {**_told(self), "margin": margin}


def _told(shown: Shown) -> dict[str, Any]:
    """Return the fields of a part of a scene as the browser takes them."""
    kind = {"kind": shown.kind} if shown.kind else {}
    told = {field.name.removeprefix("is_"): getattr(shown, field.name) for field in fields(shown)}
    return kind | {name: _as_json(value) for name, value in told.items()}


def _as_json(value: object) -> object:
    if isinstance(value, Shown):
        return value.data()
    if isinstance(value, Mapping):
        return {str(name): item for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_as_json(item) for item in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value

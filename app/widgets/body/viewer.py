"""The viewer: a map in the model's grey body by NiiVue, and a still picture without WebGL2.

Threshold, smoothing, opacity, colours and view change in the browser, with no run of the page. The
body lies on dark film in both modes, as scans do: on paper its bright rim would be lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.figures.theme import READING_ROOM as FILM
from app.figures.theme import Mode
from app.shell import view_state
from app.shell.components import component
from app.shell.images import routes as image_routes

Voxel = tuple[int, int, int]
_component = component("viewer")
_LIBRARY = "app/static/niivue/niivue.umd.js"
#: As FSL has them, for who is used to those; the first is the workbench's own.
_FSL = {"hot": ("#ff0000", "#ff9900", "#ffff00"), "cold": ("#0000ff", "#3399ff", "#99ffff")}
_WARM = {"hot": ("#ff7f00", "#ffc400", "#fffe00"), "cold": ("#0000ff", "#0080c4", "#00ff80")}
_KEYS = (
    "Arrow keys move the cross-hair, page up and down go through the layers, Enter picks the "
    "neuron; in the rendering, arrows turn the body."
)
_HINT = "Press, or Enter, opens the neuron."
_WITHOUT = (
    "This browser has no WebGL2, so the picture stands still. For a neuron, press it in the "
    "slices, the three sides or the layers."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the viewer shows.

    Parameters
    ----------
    anatomy, map, still : str
        Addresses of the images, as `images.routes` gives them.
    threshold, limit : float
        |z| from which the map has a colour, and of the strongest colour.
    pole : int
        1 or −1 for the units of one sign, 0 for both.
    at : (float, float, float), optional
        Where the cross-hair stands at first, in millimetres.
    layers : sequence of int
        The layer of each horizontal slice of the map.
    alternative : str
        What the picture shows, in words.
    file : str
        Name of a saved picture, without its ending.
    """

    anatomy: str
    map: str
    still: str
    threshold: float
    limit: float
    pole: int
    at: tuple[float, float, float] | None
    layers: Sequence[int]
    alternative: str
    file: str


def viewer(
    scene: Scene,
    *,
    key: str,
    mode: Mode,
    on_pick: Callable[[Voxel], None],
    on_threshold: Callable[[float], None],
) -> None:
    """Draw the viewer.

    Parameters
    ----------
    mode : str
        Of the page around it, for its controls.
    on_pick : callable
        Called with the voxel of the map that was pressed, before the page runs again.
    on_threshold : callable
        Called with the threshold once its slider is let go of: what is counted follows it.
    """

    def report_pick() -> None:
        event = view_state.component_value(key, "picked")
        if event:
            x, y, z = (int(place) for place in event["voxel"])
            on_pick((x, y, z))

    def report_threshold() -> None:
        z = view_state.component_value(key, "threshold")
        if z is not None:
            on_threshold(float(z))

    _component(
        key=key,
        data=_data(scene, mode),
        on_picked_change=report_pick,
        on_threshold_change=report_threshold,
    )


def _data(scene: Scene, mode: Mode) -> dict[str, Any]:
    house = {"hot": FILM.hot, "cold": FILM.cold}
    choices = (
        ("house", "Cold and hot", house),
        ("warm", "Warm and winter", _WARM),
        ("fsl", "Red-yellow and blue", _FSL),
    )
    return {
        "library": f"{image_routes.base_path()}/{_LIBRARY}",
        "anatomy": scene.anatomy,
        "map": scene.map,
        "still": scene.still,
        "threshold": scene.threshold,
        "limit": scene.limit,
        "pole": scene.pole,
        "at": None if scene.at is None else [round(float(place), 3) for place in scene.at],
        "layers": list(scene.layers),
        "alternative": scene.alternative,
        "file": scene.file,
        "name": "Map in the body",
        "keys": _KEYS,
        "hint": _HINT,
        "without": _WITHOUT,
        "mode": mode,
        "canvas": FILM.canvas,
        "text": FILM.text,
        "accent": FILM.accent,
        "palettes": {
            name: {"label": label, "hot": list(colours["hot"]), "cold": list(colours["cold"])}
            for name, label, colours in choices
        },
    }

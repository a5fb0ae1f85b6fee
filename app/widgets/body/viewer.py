"""The viewer: images in the model's grey body by NiiVue, and a still picture without WebGL2.

Threshold, smoothing, opacity, colours and view change in the browser, with no run of the page. The
body lies on dark film in both modes, as scans do: on paper its bright rim would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.figures.theme import READING_ROOM, Mode
from app.shell import view_fields, view_state
from app.shell.components import component
from app.shell.images import addresses

if TYPE_CHECKING:
    from app.widgets.body.scene import Scene

Voxel = tuple[int, int, int]
#: The colours of everything in the picture, in both modes.
FILM = READING_ROOM
_component = component("viewer", "niivue_files", "viewer_images", "viewer_graph", "viewer_controls")
#: As FSL has them, for who is used to those; the first is the workbench's own.
_FSL = {"hot": ("#ff0000", "#ff9900", "#ffff00"), "cold": ("#0000ff", "#3399ff", "#99ffff")}
_WARM = {"hot": ("#ff7f00", "#ffc400", "#fffe00"), "cold": ("#0000ff", "#0080c4", "#00ff80")}
_KEYS = (
    "Arrow keys move the cross-hair, page up and down go through the layers, Enter picks; in the "
    "rendering, arrows turn the body."
)
_WITHOUT = "This browser has no WebGL2, so the picture stands still."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What was pressed in the viewer.

    Parameters
    ----------
    voxel : (int, int, int) or None
        Of the grid; None for a node or a name.
    item : int or None
        Index of the region, node or network that was pressed.
    fwhm : float
        The smoothing at that moment.
    """

    voxel: Voxel | None = None
    item: int | None = None
    fwhm: float = 0.0


def pick_of(event: Any) -> Pick | None:
    """Return what a browser says was pressed; None where it makes no sense."""
    if not isinstance(event, dict):
        return None
    try:
        voxel, item = event.get("voxel"), event.get("item")
        x, y, z = (None, None, None) if voxel is None else (int(at) for at in voxel)
        pressed = None if x is None or y is None or z is None else (x, y, z)
        fwhm = min(max(float(event.get("fwhm") or 0.0), 0.0), 8.0)
        return Pick(voxel=pressed, item=None if item is None else int(item), fwhm=fwhm)
    except (TypeError, ValueError, OverflowError):
        return None


def set_threshold(threshold: float) -> None:
    """Keep the viewer's threshold in the view, to the step of the pages' sliders."""
    low, high = view_fields.Z_RANGE
    view_state.change(z=round(min(max(threshold, low), high), 1))


def viewer(
    scene: Scene | Mapping[str, Any],
    *,
    key: str,
    mode: Mode,
    on_pick: Callable[[Pick], None] | None = None,
    on_threshold: Callable[[float], None] | None = None,
) -> None:
    """Draw the viewer.

    Parameters
    ----------
    scene : Scene, or mapping
        Or what its `data` gave before.
    mode : str
        Of the page around it, for its controls.
    on_pick : callable, optional
        Called with what was pressed, before the page runs again.
    on_threshold : callable, optional
        Called with the threshold once its slider is let go of: what is counted follows it.
    """

    def report_pick(event: Any) -> None:
        pick = pick_of(event)
        if pick is not None and on_pick is not None:
            on_pick(pick)

    data = _data(scene, mode, can_pick=on_pick is not None)
    _component(key, data, picked=report_pick, threshold=on_threshold)


def _data(scene: Scene | Mapping[str, Any], mode: Mode, *, can_pick: bool = True) -> dict[str, Any]:
    house = {"hot": FILM.hot, "cold": FILM.cold}
    choices = (
        ("house", "Cold and hot", house),
        ("warm", "Warm and winter", _WARM),
        ("fsl", "Red-yellow and blue", _FSL),
    )
    shown = scene if isinstance(scene, Mapping) else scene.data()
    return {
        **shown,
        "library": addresses.library_url(),
        "keys": _KEYS,
        "without": f"{_WITHOUT} {shown['without']}".strip(),
        "picks": can_pick,
        "mode": mode,
        "canvas": FILM.canvas,
        "text": FILM.text,
        "accent": FILM.accent,
        "signs": [FILM.hot[2], FILM.cold[2]],
        "palettes": {
            name: {"label": label, "hot": list(colours["hot"]), "cold": list(colours["cold"])}
            for name, label, colours in choices
        },
    }

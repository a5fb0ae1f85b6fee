"""What the viewer shows in the atlas file: the app's own script, with all images inside."""

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np

from app.figures.pixels import data_uri
from app.html_files.atlas_facts import AtlasFacts
from app.html_files.images import Maps
from app.widgets.body.scene import Scene, StatMap, Threshold
from fnprune_core.assets import asset
from fnprune_core.atlas.images import anatomy, volumes

NOTE = (
    "The grey is how active each unit is in all networks, as its rank in its layer. Smoothing is "
    "for the eye alone, and the smoothed map is scaled back to its spread; counts are of single "
    "units. To keep this file small, its maps are in steps of about 0.1 z."
)
_KEYS = (
    "Arrow keys move the cross-hair, page up and down go through the layers; in the rendering, "
    "arrows turn the body."
)
_WITHOUT = "This browser has no WebGL2, so the picture stands still, at the threshold of the file."
_SCRIPTS = ("niivue_files", "viewer_images", "viewer_graph", "viewer_controls", "viewer")
_EXPORT = "export default function (component)"
#: Below it, images are coarse: the threshold's slider begins there, or at the file's threshold.
_LOWEST_Z = 1.5


def viewer_script() -> str:
    """Return the app's viewer as the function `drawViewer` of a plain script."""
    module = "\n".join(
        asset(f"components/{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS
    )
    before, export, after = module.partition(_EXPORT)
    if not export or "\nexport " in before + after or "\nimport " in module:
        raise RuntimeError(f"the viewer's scripts are no module of one {_EXPORT!r}")
    return f"{before}function drawViewer(component){after}"


def viewer_style() -> str:
    """Return the viewer's style sheet."""
    return asset("components/viewer.css").read_text(encoding="utf-8")


def niivue_script() -> str:
    """Return the bundle of NiiVue, which must not end the script element it stands in."""
    bundle = asset("static/niivue/niivue.umd.js").read_text(encoding="utf-8")
    if "</script" in bundle or "<!--" in bundle:
        raise RuntimeError("NiiVue's bundle would end its script element: escape it first")
    return bundle


def shared_scene(facts: AtlasFacts, maps: Maps) -> dict[str, Any]:
    """Return what the viewer is told beside each network's own scene."""
    film = maps.film
    grey = anatomy.anatomy_image(maps.activity, maps.body.grid, note=f"anatomy of {facts.atlas.id}")
    return {
        "library": "",
        "anatomy": _inside(grey),
        "keys": _KEYS,
        "picks": False,
        "canvas": film.canvas,
        "text": film.text,
        "accent": film.accent,
        "palettes": {
            "house": {"label": "Cold and hot", "hot": list(film.hot), "cold": list(film.cold)}
        },
    }


def network_scene(facts: AtlasFacts, maps: Maps, network: int, *, n_units: int) -> dict[str, Any]:
    """Return what the viewer is told of one network; its still picture is that of its article.

    Parameters
    ----------
    n_units : int
        The network's own.
    """
    atlas, grid = facts.atlas, maps.body.grid
    values = np.asarray(atlas.maps[network], dtype=np.float32)
    lowest = min(_LOWEST_Z, maps.threshold)
    image = volumes.small_image(
        grid, values, threshold=lowest, note=f"network {network} of {atlas.id}"
    )
    x, y, z = nib.affines.apply_affine(grid.affine, maps.peak(network)).tolist()
    scene = Scene(
        anatomy="",
        alternative=(
            f"Network {network} in the body of {atlas.layout.n_layers} layers: {n_units:,} units "
            f"({maps.rule}), the strongest in layer {maps.peak(network)[2]}."
        ),
        file=f"network-{network}",
        overlays=[StatMap(url=_inside(image), limit=maps.limit)],
        threshold=Threshold(
            value=maps.threshold, low=lowest, high=max(8.0, round(maps.threshold + 1, 1))
        ),
        at=(x, y, z),
        layers=range(atlas.layout.n_layers),
        without=_WITHOUT,
        hint="",
    )
    return scene.data()


def parted(scenes: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what all scenes share, and of each what it has alone."""
    shared = {
        name: value
        for name, value in scenes[0].items()
        if all(scene[name] == value for scene in scenes)
    }
    return shared, [
        {name: value for name, value in scene.items() if name not in shared} for scene in scenes
    ]


def _inside(nifti: Any) -> str:
    """Return an image as an address that holds it."""
    return data_uri(volumes.compressed(nifti, level=9), "application/gzip")

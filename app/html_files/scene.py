"""What the viewer shows in the atlas file: the same script as in the app, all images inside."""

import base64
from typing import Any

import nibabel as nib
import numpy as np

from app.html_files.atlas_facts import AtlasFacts
from app.html_files.images import Maps
from fnprune_core.assets import asset
from fnprune_core.atlas.images import anatomy, volumes

NOTE = (
    "The grey is how active each unit is in all networks, as its rank in its layer. Smoothing is "
    "for the eye alone, and the smoothed map is scaled back to its spread; counts are of single "
    "units. Maps are in steps of about 0.1 z, below 1 of 0.5."
)
_KEYS = (
    "Arrow keys move the cross-hair, page up and down go through the layers; in the rendering, "
    "arrows turn the body."
)
_WITHOUT = "This browser has no WebGL2, so the picture stands still, at the threshold of this file."
_EXPORT = "export default function (component)"


def viewer_script() -> str:
    """Return the app's viewer as a function `drawViewer` of a plain script."""
    module = asset("components/viewer.js").read_text(encoding="utf-8")
    before, export, after = module.partition(_EXPORT)
    if not export or "\nexport " in before + after or "\nimport " in module:
        raise RuntimeError(f"components/viewer.js is no module of one {_EXPORT!r}")
    return f"{before}function drawViewer(component){after}"


def viewer_style() -> str:
    """Return the viewer's style sheet."""
    return asset("components/viewer.css").read_text(encoding="utf-8")


def niivue_script() -> str:
    """Return the bundle of NiiVue."""
    return asset("static/niivue/niivue.umd.js").read_text(encoding="utf-8")


def scene_of(facts: AtlasFacts, maps: Maps) -> dict[str, Any]:
    """Return what all networks share, as the viewer is told it."""
    film, atlas = maps.film, facts.atlas
    grey = anatomy.anatomy_image(maps.activity, maps.body.grid, note=f"anatomy of {atlas.id}")
    return {
        "library": "",
        "anatomy": _inside(grey),
        "threshold": maps.threshold,
        "limit": maps.limit,
        "pole": 0,
        "layers": list(range(atlas.layout.n_layers)),
        "name": "Map in the body",
        "keys": _KEYS,
        "hint": "",
        "without": _WITHOUT,
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
        Beyond the threshold.
    """
    atlas, grid = facts.atlas, maps.body.grid
    values = np.asarray(atlas.maps[network], dtype=np.float32)
    peak = grid.voxel_of_unit[int(np.abs(values).argmax())]
    x, y, z = nib.affines.apply_affine(grid.affine, peak).tolist()
    return {
        "map": _inside(volumes.small_image(grid, values, note=f"network {network} of {atlas.id}")),
        "at": [round(place, 3) for place in (x, y, z)],
        "alternative": (
            f"Network {network} in the body of {atlas.layout.n_layers} layers: {n_units:,} units "
            f"beyond |z| {maps.threshold:g}, strongest in layer {int(peak[2])}."
        ),
        "file": f"network-{network}",
    }


def _inside(nifti: Any) -> str:
    """Return an image as an address that holds it."""
    content = base64.b64encode(volumes.compressed(nifti, level=9)).decode()
    return f"data:application/gzip;base64,{content}"

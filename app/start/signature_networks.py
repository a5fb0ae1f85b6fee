"""What the signature picture shows of an atlas, as JSON values; found once, and then kept."""

from typing import Any

from app.shell import resources
from app.shell.caches import atlas_maps, trust
from app.shell.caches import networks as network_page
from app.shell.caches.colours import network_colours
from app.shell.images import addresses, places
from app.widgets import atlas_frame
from app.widgets.body.note import PLACES
from app.widgets.body.scene import Scene, Threshold
from app.widgets.body.scenes import atlas_scene, network_maps
from app.widgets.body.viewer import FILM
from fnprune_core.atlas.membership import HIGH
from fnprune_core.atlas.topography import glance

_Z, _SOLID = 3.0, 0.35


def found(atlas_id: str) -> dict[str, Any]:
    """Return the scene of the viewer, the bars below it, and what is said of both."""
    networks = network_page.signature(atlas_id)
    if not networks:
        return {"scene": {}, "bars": [], "caption": ""}
    return {
        "scene": scene(atlas_id, networks).data(),
        "bars": _bars(atlas_id, networks),
        "caption": (
            f"{len(networks)} of the {resources.atlas(atlas_id).n_networks} networks: those on "
            f"which runs agree ({glance.STABLE} or more) and, where it was measured, halves "
            f"of the documents (split-half r of {HIGH} or more), that are one piece and lie far "
            f"apart. Drag to turn; press a name to open its network. {PLACES}"
        ),
    }


def _bars(atlas_id: str, networks: list[int]) -> list[dict[str, Any]]:
    colours = network_colours(atlas_id, FILM.mode)
    alone = trust.network_table(atlas_id)["variance_alone"]
    return [
        {
            "id": k,
            "name": atlas_frame.label(atlas_id, k),
            "note": f"{100 * alone.iloc[k]:.2f} % of variance",
            "share": float(alone.iloc[k] / alone.max()),
            "colour": colours[k],
        }
        for k in networks
    ]


def scene(atlas_id: str, networks: list[int]) -> Scene:
    """Return what the viewer shows: each network in its own colour, in a glass body."""
    limit = atlas_maps.colour_limit(atlas_id, _Z)
    n_layers = resources.atlas(atlas_id).layout.n_layers
    poster = addresses.several_url(
        atlas_id, "networks.webp", networks, z=f"{_Z:g}", solid=f"{_SOLID:g}"
    )
    return atlas_scene(
        atlas_id,
        "networks",
        overlays=network_maps(resources.atlas(atlas_id), networks, limit=limit),
        threshold=Threshold(value=_Z),
        at=places.of_network(atlas_id, networks[0]),
        alternative=(
            f"Networks {', '.join(map(str, networks))} in the body of {n_layers} layers, each in "
            f"its own colour where |z| is above {_Z:g}."
        ),
        still=addresses.several_url(atlas_id, "networks.png", networks),
        poster=poster,
        family="signature",
        view="render",
        solid=_SOLID,
        is_small=True,
        name="Networks in the body",
    )

"""The signature picture: a handful of an atlas's networks inside the body of the model."""

from collections.abc import Callable

import streamlit as st

from app.shell import resources
from app.shell.caches import networks as network_page
from app.shell.caches.colours import network_colours
from app.shell.images import files as images
from app.shell.images import places
from app.shell.images import routes as image_routes
from app.widgets import atlas_frame, frame
from app.widgets.bar_list import bar_list
from app.widgets.body.note import PLACES
from app.widgets.body.scene import Scene, Threshold
from app.widgets.body.scenes import network_maps
from app.widgets.body.viewer import FILM, viewer

_Z = 3.0


def show_signature(atlas_id: str, *, on_open: Callable[[int], None]) -> None:
    """Draw a handful of the example's networks inside the body of the model."""
    networks = network_page.signature(atlas_id)
    if not networks:
        return
    viewer(scene(atlas_id, networks), key="signature", mode=frame.palette().mode)
    colours = network_colours(atlas_id, FILM.mode)
    table = resources.network_table(atlas_id)
    bar_list(
        [
            {
                "id": k,
                "name": atlas_frame.label(atlas_id, k),
                "note": f"{100 * table['variance_alone'].iloc[k]:.2f} % of variance",
                "share": table["variance_alone"].iloc[k] / table["variance_alone"].max(),
                "colour": colours[k],
            }
            for k in networks
        ],
        key="signature-networks",
        on_pick=on_open,
        oneway=True,
        name="Networks in the picture; each opens its page",
    )
    st.caption(
        f"{len(networks)} of the {resources.atlas(atlas_id).n_networks} networks: those on which "
        f"runs agree ({network_page.STABLE} or more) and that are one piece, chosen to lie far "
        f"apart. Drag to turn; press a name to open its network. {PLACES}"
    )


def scene(atlas_id: str, networks: list[int]) -> Scene:
    """Return what the viewer shows: each network in its own colour, in a glass body."""
    version, limit = images.version(atlas_id), resources.colour_limit(atlas_id, _Z)
    n_layers = resources.atlas(atlas_id).layout.n_layers
    return Scene(
        anatomy=image_routes.anatomy_url(atlas_id, version),
        overlays=network_maps(resources.atlas(atlas_id), networks, limit=limit),
        threshold=Threshold(value=_Z),
        at=places.of_network(atlas_id, networks[0], z=_Z),
        layers=images.layers(atlas_id),
        alternative=(
            f"Networks {', '.join(map(str, networks))} in the body of {n_layers} layers, each in "
            f"its own colour where |z| is above {_Z:g}."
        ),
        file=f"fnprune-{atlas_id[:8]}-networks",
        still=image_routes.several_url(atlas_id, networks, version),
        family="signature",
        view="render",
        solid=0.35,
        is_small=True,
        name="Networks in the body",
    )

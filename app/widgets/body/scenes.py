"""Scenes that more than one page shows: an atlas's body, a network in it, a map in a real brain."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from app.shell import resources, view_state
from app.shell.caches import nilearn
from app.shell.caches.colours import network_colours
from app.shell.images import addresses, places
from app.shell.images import files as images
from app.widgets import atlas_frame
from app.widgets.body.scene import Grey, Lesion, NetworkMap, Scene, StatMap, Threshold
from app.widgets.body.viewer import FILM
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError


def atlas_scene(id: str, what: str, **shown: Any) -> Scene:
    """Return an atlas's body with what is shown in it: fields of `Scene`.

    Parameters
    ----------
    what : str
        End of the name of a saved picture.
    """
    return Scene(
        anatomy=addresses.atlas_url(id, "anatomy.nii.gz"),
        layers=images.layers(id),
        file=f"fnprune-{id[:8]}-{what}",
        **shown,
    )


def network_scene(
    atlas: NetworkAtlas, network: int, *, z: float, limit: float, words: str, pole: int = 0
) -> Scene:
    """Return a network's map in the body of its atlas.

    Parameters
    ----------
    limit : float
        z of the strongest colour.
    words : str
        What it shows, in words.
    pole : int
        1 or −1 for the units of one sign, 0 for both.
    """
    still = f"networks/{network}.png"
    return atlas_scene(
        atlas.id,
        f"network-{network}",
        greys=greys(atlas),
        overlays=(StatMap(url=addresses.map_url(atlas.id, network), limit=limit, pole=pole),),
        threshold=Threshold(value=z),
        at=places.of_network(atlas.id, network, pole=pole),
        alternative=words,
        still=addresses.atlas_url(atlas.id, still, limit=round(limit, 2), pole=pole),
    )


def lesion_of(id: str, removed: Any) -> Lesion:
    """Return units of an atlas as a hole in its body."""
    return Lesion(units=addresses.atlas_url(id, "units.nii.gz"), removed=removed)


def greys(atlas: NetworkAtlas) -> tuple[Grey, ...]:
    """Return the anatomies that a viewer offers beside typical activity.

    The last is a lesion: what the view's plan cuts, where that is of this atlas.
    """
    view = view_state.view()
    found = [
        Grey(name=name, label=label, anatomy=_anatomy(atlas.id, grey=name))
        for name, label in images.greys(atlas.id).items()
    ]
    with suppress(FnpruneError):  # the page of plans tells of it
        plan = resources.plan(view.plan) if view.plan else None
        if plan is not None and plan.decomposition_id == atlas.id:
            lesion, anatomy = lesion_of(atlas.id, ~plan.keep), _anatomy(atlas.id)
            found.append(
                Grey(name="plan", label="What the plan cuts", anatomy=anatomy, lesion=lesion)
            )
    return tuple(found)


def _anatomy(id: str, **grey: str) -> str:
    return addresses.atlas_url(id, "anatomy.nii.gz", **grey)


def network_maps(
    atlas: NetworkAtlas, networks: Sequence[int], *, limit: float, pole: int = 0
) -> tuple[NetworkMap, ...]:
    """Return overlays of networks in their own colours, the first one uppermost.

    Parameters
    ----------
    limit : float
        z of the strongest colour.
    """
    colours = network_colours(atlas.id, FILM.mode)
    return tuple(
        NetworkMap(
            url=addresses.map_url(atlas.id, k),
            limit=limit,
            colour=colours[k],
            id=k,
            name=atlas_frame.label(atlas.id, k),
            pole=pole,
        )
        for k in reversed(networks)
    )


def brain_scene(*, z: float, limit: float, words: str) -> Scene:
    """Return the map of a motor task in a real brain, over the threshold of the model's map."""
    return Scene(
        anatomy=addresses.brain_url("anatomy.nii.gz"),
        overlays=(StatMap(url=addresses.brain_url("motor.nii.gz"), limit=limit),),
        threshold=Threshold(value=z),
        at=nilearn.motor_place(z),
        alternative=words,
        file="fnprune-motor",
        still=addresses.brain_url("motor.png", limit=round(limit, 2)),
        fwhm=None,  # smoothed when it was made
        name="Map in a real brain",
    )

"""Scenes that more than one page shows: a network in the body, and a map in a real brain."""

from collections.abc import Sequence
from contextlib import suppress

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


def network_scene(
    atlas: NetworkAtlas, network: int, *, z: float, limit: float, words: str, pole: int = 0
) -> Scene:
    """Return a network's map in the body, cold and hot."""
    version = images.version(atlas.id)
    return Scene(
        anatomy=addresses.anatomy_url(atlas.id, version),
        greys=greys(atlas),
        overlays=(
            StatMap(url=addresses.map_url(atlas.id, network, version), limit=limit, pole=pole),
        ),
        threshold=Threshold(value=z),
        at=places.of_network(atlas.id, network, pole=pole),
        layers=images.layers(atlas.id),
        alternative=words,
        file=f"fnprune-{atlas.id[:8]}-network-{network}",
        still=addresses.still_url(atlas.id, network, version, limit=round(limit, 2), pole=pole),
    )


def greys(atlas: NetworkAtlas) -> tuple[Grey, ...]:
    """Return what may lie below an atlas's maps in place of typical activity.

    The last is what the plan of the view cuts, where it was made from this atlas.
    """
    version, view = images.version(atlas.id), view_state.view()
    activity = addresses.anatomy_url(atlas.id, version)
    found = [
        Grey(
            name=name,
            label=label,
            anatomy=addresses.anatomy_url(atlas.id, version, grey=name),
        )
        for name, label in images.greys(atlas.id).items()
    ]
    with suppress(FnpruneError):  # the page of plans tells of it
        plan = resources.plan(view.plan) if view.plan else None
        if plan is not None and plan.decomposition_id == atlas.id:
            lesion = Lesion(units=addresses.units_url(atlas.id, version), removed=~plan.keep)
            found.append(
                Grey(name="plan", label="What the plan cuts", anatomy=activity, lesion=lesion)
            )
    return tuple(found)


def network_maps(
    atlas: NetworkAtlas, networks: Sequence[int], *, limit: float, pole: int = 0
) -> tuple[NetworkMap, ...]:
    """Return networks in their own colours; the first lies uppermost."""
    version, colours = images.version(atlas.id), network_colours(atlas.id, FILM.mode)
    return tuple(
        NetworkMap(
            url=addresses.map_url(atlas.id, k, version),
            limit=limit,
            colour=colours[k],
            id=k,
            name=atlas_frame.label(atlas.id, k),
            pole=pole,
        )
        for k in reversed(networks)
    )


def brain_scene(*, z: float, limit: float, words: str) -> Scene:
    """Return the motor map in the template of the human brain."""
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

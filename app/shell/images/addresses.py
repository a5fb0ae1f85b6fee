"""Addresses of an atlas's images: what pages write, and `routes` answers."""

import hashlib
from collections.abc import Sequence
from importlib import metadata
from urllib.parse import urlencode

from app.doors import here
from app.shell import resources
from app.shell.images.asked import ATLAS, BRAIN
from fnprune_core.atlas.topography.laid_out import cortex_id, has_cortex


def version(id: str) -> str:
    """Return what changes when an atlas with this id is made anew, or its units are laid out."""
    is_laid_out = has_cortex(resources.workspace(), id)
    text = f"{id} {resources.made_ns(id)} {cortex_id(id) if is_laid_out else 'index'}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def atlas_url(id: str, version: str, name: str, **options: object) -> str:
    """Return the address of an image of an atlas, with its ending.

    The browser adds ``&z=`` its threshold to the address of a still picture.
    """
    query = urlencode({"v": version, **options})
    return f"{here.base_path()}{ATLAS.format(id=id)}/{name}?{query}"


def anatomy_url(id: str, version: str, **options: object) -> str:
    """Return the address of an atlas's anatomy; ``grey`` names another than typical activity."""
    return atlas_url(id, version, "anatomy.nii.gz", **options)


def units_url(id: str, version: str) -> str:
    """Return the address of the units of an atlas's voxels."""
    return atlas_url(id, version, "units.nii.gz")


def map_url(id: str, network: int, version: str) -> str:
    """Return the address of a network's map."""
    return atlas_url(id, version, f"networks/{network}.nii.gz")


def still_url(id: str, network: int, version: str, **options: object) -> str:
    """Return the address of a still picture of a network."""
    return atlas_url(id, version, f"networks/{network}.png", **options)


def thumbnail_url(id: str, network: int, version: str, *, z: float) -> str:
    """Return the address of a network's small picture at a threshold."""
    return atlas_url(id, version, f"networks/{network}.webp", z=f"{z:g}")


def several_url(id: str, networks: Sequence[int], version: str) -> str:
    """Return the address of a still picture of a few networks."""
    return atlas_url(id, version, "networks.png", networks=".".join(map(str, networks)))


def rendering_url(id: str, networks: Sequence[int], version: str, *, z: float, solid: float) -> str:
    """Return the address of a picture of a few networks as the viewer renders them."""
    numbers = ".".join(map(str, networks))
    return atlas_url(id, version, "networks.webp", networks=numbers, z=f"{z:g}", solid=f"{solid:g}")


def parcels_url(id: str, fwhm: int, part: str, version: str, **options: object) -> str:
    """Return the address of a part of the parcellation at a smoothing: labels or strengths.

    With ``members=1`` regions are made of members of networks alone.
    """
    return atlas_url(id, version, f"parcels/{fwhm}/{part}.nii.gz", **options)


def contrast_url(id: str, localizer: str, version: str) -> str:
    """Return the address of a localizer's contrast."""
    return atlas_url(id, version, f"localizers/{localizer}.nii.gz")


def brain_url(name: str, **options: object) -> str:
    """Return the address of an image of the real brain, with its ending: anatomy or motor."""
    query = urlencode({"v": metadata.version("nilearn"), **options})
    return f"{here.base_path()}{BRAIN}/{name}?{query}"


def library_url() -> str:
    """Return the address of the viewer's script."""
    return f"{here.base_path()}/app/static/niivue/niivue.umd.js"


def live_body_url(id: str, version: str) -> str:
    """Return the address of an atlas's body for the live scanner."""
    return atlas_url(id, version, "live.bin")

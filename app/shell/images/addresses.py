"""Addresses of images: what pages write, and `routes` answers."""

import hashlib
from collections.abc import Sequence
from importlib import metadata
from urllib.parse import urlencode

from app.doors import here
from app.shell import resources
from app.shell.images.pictures import ATLAS, BRAIN
from fnprune_core.atlas.topography.laid_out import cortex_id


def version(id: str, *_: object, **__: object) -> str:
    """Return what changes when an atlas with this id is made anew, or its units are laid out."""
    laid_out = cortex_id(id) if resources.is_laid_out(id) else "index"
    text = f"{id} {resources.made_ns(id)} {laid_out}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def atlas_url(id: str, name: str, **options: object) -> str:
    """Return the address of an image of an atlas, by its name in the table of pictures.

    The browser adds ``&z=`` its threshold to the address of a still picture.
    """
    query = urlencode({"v": version(id), **options})
    return f"{here.base_path()}{ATLAS.format(id=id)}/{name}?{query}"


def map_url(id: str, network: int) -> str:
    """Return the address of a network's map."""
    return atlas_url(id, f"networks/{network}.nii.gz")


def several_url(id: str, name: str, networks: Sequence[int], **options: object) -> str:
    """Return the address of a picture of a few networks together."""
    return atlas_url(id, name, networks=".".join(map(str, networks)), **options)


def brain_url(name: str, **options: object) -> str:
    """Return the address of an image of the real brain, with its ending: anatomy or motor."""
    query = urlencode({"v": metadata.version("nilearn"), **options})
    return f"{here.base_path()}{BRAIN}/{name}?{query}"


def library_url() -> str:
    """Return the address of the viewer's script."""
    return f"{here.base_path()}/app/static/niivue/niivue.umd.js"

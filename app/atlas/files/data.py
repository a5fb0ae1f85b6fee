"""Cached images that were uploaded."""

from collections.abc import Callable

from app.shell.caching import cached
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.volumes import ImportedImage
from fnprune_core.atlas.images.voxels import Sidecar


@cached(max_entries=2, spinner="Reading the image")
def imported(
    digest: str, _image: bytes, _sidecar: bytes | None, _check: Callable[[Sidecar], None]
) -> ImportedImage:
    """Return an uploaded image as values of units; `digest` is of both files.

    `_check` refuses an image of another model before it is unpacked; one that was unpacked for
    another atlas still has to be checked against this one.
    """
    return volumes.read_image(_image, _sidecar, check=_check)

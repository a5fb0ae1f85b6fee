"""Cached images that were uploaded."""

from app.shell.caching import cached
from fnprune_core.atlas import volumes
from fnprune_core.atlas.volumes import ImportedImage


@cached(max_entries=2, spinner="Reading the image")
def imported(digest: str, _image: bytes, _sidecar: bytes | None) -> ImportedImage:
    """Return an uploaded image as values of units; `digest` is of both files."""
    return volumes.read_image(_image, _sidecar)

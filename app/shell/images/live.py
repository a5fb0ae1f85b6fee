"""Cached bodies of the live scanner: in memory for stills and films, as bytes for the browser."""

from app.shell import resources
from app.shell.caching import cached
from app.shell.images import files
from fnprune_core.atlas.images.live_body import LiveBody, live_body


@cached(max_entries=2)
def body(id: str, version: str) -> LiveBody:
    """Return the body of an atlas."""
    return live_body(resources.atlas(id).maps, files.activity(id, version), files.grid(id))


@cached(max_entries=4)
def body_file(id: str, version: str) -> bytes:
    """Return the body of an atlas as bytes."""
    return body(id, version).as_bytes()

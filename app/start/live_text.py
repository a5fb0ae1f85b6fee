"""The text that the live scanner plays on Start, as JSON values; read once, and then kept."""

from typing import Any

from app.shell import resources
from app.shell.caches import live as cache
from app.widgets.body.live import scanner_data
from fnprune_core.lesions.live import LiveTexts

_DOMAIN = "french"


def found(atlas_id: str) -> dict[str, Any]:
    """Return what the browser is told of the first recorded text of a domain."""
    tokens = resources.atlas(atlas_id).tokens
    of_domain = tokens[tokens["domain"].astype(str) == _DOMAIN]
    session = int((of_domain if len(of_domain) else tokens)["session"].iloc[0])
    scene = cache.scene(atlas_id, LiveTexts(healthy=cache.recorded(atlas_id, session)))
    return scanner_data(
        scene,
        atlas_id=atlas_id,
        token=scene.brightest(),
        still=cache.recorded_still(atlas_id, session),
        is_compact=True,
    )

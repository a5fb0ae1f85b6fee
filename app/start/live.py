"""The live scanner on Start: a recorded text of the example that plays once it is asked to."""

import streamlit as st

from app import pages
from app.shell import resources
from app.shell.caches import live as cache
from app.shell.images.files import version
from app.widgets import frame
from app.widgets.body.live import live_scanner
from fnprune_core.lesions.live import LiveTexts

_DOMAIN = "french"


def show_live(atlas_id: str) -> None:
    """Draw the live scanner over a recorded text, and the way to texts of one's own."""
    tokens = resources.atlas(atlas_id).tokens
    of_domain = tokens[tokens["domain"].astype(str) == _DOMAIN]
    session = int((of_domain if len(of_domain) else tokens)["session"].iloc[0])
    scene = cache.scene(atlas_id, LiveTexts(healthy=cache.recorded(atlas_id, session)))
    live_scanner(
        scene,
        atlas_id=atlas_id,
        key="start-live",
        mode=frame.mode(),
        token=scene.brightest(),
        still=cache.recorded_still(atlas_id, session, version(atlas_id)),
        is_compact=True,
    )
    st.page_link(
        pages.path("live"),
        label="Type a text of your own, or let it write",
        icon=":material/play_circle:",
    )

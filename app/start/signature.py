"""The signature picture: a handful of an atlas's networks inside the body of the model.

It is the first picture that a visitor sees. What it shows is kept once it was found, so that a
server that was just started draws it before it can open an atlas.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.shell.images import kept
from app.widgets import frame
from app.widgets.body.viewer import viewer
from app.widgets.gallery import bar_list


def show_signature(atlas_id: str, *, on_open: Callable[[int], None]) -> None:
    """Draw a handful of the example's networks inside the body of the model."""
    is_new = not kept.has_facts(atlas_id, "signature")
    shown = kept.facts(atlas_id, "signature", lambda: _found(atlas_id))
    if not shown["bars"]:
        return
    # A picture of the body takes seconds to make: at first it is asked for when the body stands.
    viewer({**shown["scene"], "late": is_new}, key="signature", mode=frame.mode())
    bar_list(
        shown["bars"],
        key="signature-networks",
        on_pick=on_open,
        oneway=True,
        name="Networks in the picture; each opens its page",
    )
    st.caption(shown["caption"])


def _found(atlas_id: str) -> dict[str, Any]:
    from app.start import signature_networks

    return signature_networks.found(atlas_id)

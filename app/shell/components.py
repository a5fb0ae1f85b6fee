"""Components of our own in the browser: a script and a style sheet of `assets/components`."""

from typing import Any

import streamlit as st

from fnprune_core.assets import asset


def component(name: str) -> Any:
    """Return the component of ``name.js`` and, if it is there, ``name.css``."""
    script, style = (asset(f"components/{name}{suffix}") for suffix in (".js", ".css"))
    return st.components.v2.component(
        f"fnprune_{name}",
        js=script.read_text(encoding="utf-8"),
        css=style.read_text(encoding="utf-8") if style.is_file() else "",
    )

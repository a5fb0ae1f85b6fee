"""Components of our own in the browser: scripts and a style sheet of `assets/components`."""

from typing import Any

import streamlit as st

from fnprune_core.assets import asset


def component(name: str, *parts: str) -> Any:
    """Return the component of ``name.js`` and, if it is there, ``name.css``.

    Parameters
    ----------
    *parts : str
        Names of scripts that stand before it in one module: a component cannot import.
    """
    scripts = [asset(f"components/{part}.js") for part in (*parts, name)]
    style = asset(f"components/{name}.css")
    return st.components.v2.component(
        f"fnprune_{name}",
        js="\n".join(script.read_text(encoding="utf-8") for script in scripts),
        css=style.read_text(encoding="utf-8") if style.is_file() else "",
    )

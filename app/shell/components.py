"""Components of our own in the browser: scripts and a style sheet of `assets/components`."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import streamlit as st

from app.shell import session_state
from fnprune_core.assets import asset

#: What an event's value is given to; None where it is passed over.
Listener = Callable[[Any], object] | None


def component(name: str, *parts: str) -> Callable[..., None]:
    """Return what draws the component of ``name.js`` and, if it is there, ``name.css``.

    It is called with the key, the data for the browser, and by name a `Listener` for each event:
    called before the page runs again.

    Parameters
    ----------
    *parts : str
        Names of scripts that stand before it in one module: a component cannot import.
    """
    scripts = [asset(f"components/{part}.js") for part in (*parts, name)]
    style = asset(f"components/{name}.css")
    mount = st.components.v2.component(
        f"fnprune_{name}",
        js="\n".join(script.read_text(encoding="utf-8") for script in scripts),
        css=style.read_text(encoding="utf-8") if style.is_file() else "",
    )

    def draw(
        key: str,
        data: Mapping[str, Any] | None = None,
        *,
        width: Literal["stretch", "content"] = "stretch",
        **on: Listener,
    ) -> None:
        def listener(event: str, call: Listener) -> Callable[[], None]:
            def call_back() -> None:
                value = session_state.component_value(key, event)
                if value is not None and call is not None:
                    call(value)

            return call_back

        listeners: Any = {f"on_{name}_change": listener(name, call) for name, call in on.items()}
        mount(key=key, data=data, width=width, **listeners)

    return draw

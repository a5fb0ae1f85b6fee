"""Whether the browser is as narrow as a phone: the server is not told, and a 3-D view needs it."""

import streamlit as st

from app.shell import view_state

_NARROW = "is the browser narrow"
_WIDTH = 640  # CSS pixels, as in the styles of `components`
# Asked once for each change, so that a page that cannot follow never makes a loop.
_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const query = window.matchMedia(`(max-width: ${data.width}px)`)
  const tell = () => {
    if (query.matches === data.narrow || parentElement.told === query.matches) return
    parentElement.told = query.matches
    setTriggerValue("changed", { narrow: query.matches, at: Date.now() })
  }
  query.addEventListener("change", tell)
  tell()
  return () => query.removeEventListener("change", tell)
}
"""
_component = st.components.v2.component("fnprune_narrow", css="", js=_JS)


def is_narrow() -> bool:
    """Return whether the browser is narrow, and draw again once it says otherwise."""
    narrow = bool(view_state.widget(_NARROW))

    def changed() -> None:
        event = view_state.told("narrow", "changed")
        if event:
            view_state.remember(_NARROW, bool(event["narrow"]))

    _component(key="narrow", data={"narrow": narrow, "width": _WIDTH}, on_changed_change=changed)
    return narrow

"""What runs the page again when the browser changes between dark and light.

Streamlit gives the page its new colours by itself, but charts are drawn here, in the colours of
the mode of the last run.
"""

import streamlit as st

from app.theme import Mode

# Asked once for each change, so that a mode that the server cannot follow never makes a loop.
_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const shown = () => {
    const app = document.querySelector('[data-testid="stApp"]')
    const parts = app && getComputedStyle(app).backgroundColor.match(/[\\d.]+/g)
    if (!parts) return data.mode
    const [red, green, blue] = parts.map(Number)
    return 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light"
  }
  const look = () => {
    const mode = shown()
    if (mode === data.mode) parentElement.asked = ""
    else if (parentElement.asked !== mode) {
      parentElement.asked = mode
      setTriggerValue("changed", mode)
    }
  }
  // The preference of the system is one way to change it, Streamlit's menu another.
  const timer = setInterval(look, 500)
  return () => clearInterval(timer)
}
"""
_component = st.components.v2.component("fnprune_mode_watch", css="", js=_JS)


def watch_mode(mode: Mode) -> None:
    """Run the page again once the browser shows another mode than `mode`; draws nothing."""
    _component(key="mode-watch", data={"mode": mode}, on_changed_change=lambda: None)

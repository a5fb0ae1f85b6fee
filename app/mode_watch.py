"""What runs the page again when the browser changes between dark and light.

Streamlit gives the page its new colours by itself, but charts are drawn here, in the colours of
the mode of the last run.
"""

import streamlit as st

from app.figures.theme import Mode

# One timer in the whole page, whatever is drawn anew: one left over from an earlier run would ask
# for ever. Each mode is asked for once, so that one that the server cannot follow makes no loop.
_JS = """
export default function (component) {
  const { data, setTriggerValue } = component
  const shown = () => {
    const app = document.querySelector('[data-testid="stApp"]')
    const parts = app && getComputedStyle(app).backgroundColor.match(/[\\d.]+/g)
    if (!parts) return data.mode
    const [red, green, blue] = parts.map(Number)
    return 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light"
  }
  const held = (window.fnpruneMode ||= { timer: 0, asked: "" })
  clearInterval(held.timer)
  // The preference of the system is one way to change it, Streamlit's menu another.
  const timer = setInterval(() => {
    const mode = shown()
    if (mode === data.mode) held.asked = ""
    else if (held.asked !== mode) {
      held.asked = mode
      setTriggerValue("changed", mode)
    }
  }, 500)
  held.timer = timer
  return () => clearInterval(timer)
}
"""
_component = st.components.v2.component("fnprune_mode_watch", css="", js=_JS)


def watch_mode(mode: Mode) -> None:
    """Run the page again once the browser shows another mode than `mode`; draws nothing."""
    _component(key="mode-watch", data={"mode": mode}, on_changed_change=lambda: None)

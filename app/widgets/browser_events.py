"""What tells a page which cell of a heat map was clicked: Streamlit itself reports none.

A heat map cannot be selected in plotly, so Streamlit's own events stay silent; the chart's click
event is listened to instead. Nothing is drawn and nothing more is sent to the browser.
"""

from collections.abc import Callable

import streamlit as st

from app.shell import view_state

_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let chart = null
  const clicked = (event) => {
    const point = event.points && event.points[0]
    if (!point) return
    const place = [point.x, point.y, point.z].map((v) => (typeof v === "number" ? v : null))
    setTriggerValue("picked", { curve: point.curveNumber, place, at: Date.now() })
  }
  // A chart that plotly has already put away no longer has listeners to remove.
  const leave = () => {
    if (chart && chart.removeListener) chart.removeListener("plotly_click", clicked)
  }
  const attach = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`)
    if (!found || !found.on || found === chart) return
    leave()
    chart = found
    chart.on("plotly_click", clicked)
  }
  // The chart is loaded after this, and may be drawn anew.
  const timer = setInterval(attach, 300)
  attach()
  return () => {
    clearInterval(timer)
    leave()
  }
}
"""
_component = st.components.v2.component("fnprune_cell_picker", css="", js=_JS)


def pick_cells(
    key: str, *, chart: str, on_pick: Callable[[int, tuple[float | None, ...]], None]
) -> None:
    """Call back with what is clicked in the chart with the key `chart`.

    Parameters
    ----------
    on_pick : callable
        Called with the number of the trace and (x, y, z), None where there is no such number,
        before the page runs again.
    """

    def picked() -> None:
        event = view_state.told(key, "picked")
        if event:
            on_pick(int(event["curve"]), tuple(event["place"]))

    _component(key=key, data={"chart": chart}, on_picked_change=picked)

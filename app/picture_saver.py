"""Buttons that save a drawn chart as PNG or SVG, in the browser: one small component."""

from typing import Any

import streamlit as st

_CSS = """
.save { display: flex; gap: 8px; }
button {
  all: unset;
  box-sizing: border-box;
  cursor: pointer;
  border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius);
  padding: 6px 12px;
  font-family: var(--st-font);
  font-size: 14px;
  color: var(--st-text-color);
}
button:hover { border-color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
"""
# The chart's own download button does the work: Streamlit keeps plotly to itself.
_JS = """
export default function (component) {
  const { data, parentElement } = component
  let root = parentElement.querySelector(".save")
  if (root) root.remove()
  root = document.createElement("div")
  root.className = "save"
  for (const format of ["png", "svg"]) {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = format.toUpperCase()
    button.setAttribute("aria-label", `Save as ${format.toUpperCase()}`)
    button.onclick = () => {
      const chart = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`)
      const download = chart && chart.querySelector(".modebar-btn")
      if (!download) return
      chart._context.toImageButtonOptions = {
        format,
        filename: data.name,
        scale: format === "png" ? 3 : 1,
      }
      // The page shows through behind a chart; on another page its quiet text would be lost.
      const behind = chart.layout.paper_bgcolor
      chart.layout.paper_bgcolor = data.canvas  // copied as the click begins
      download.dispatchEvent(new MouseEvent("click", { bubbles: true }))
      chart.layout.paper_bgcolor = behind
    }
    root.appendChild(button)
  }
  parentElement.appendChild(root)
}
"""
_component = st.components.v2.component("fnprune_save_picture", css=_CSS, js=_JS)


def save_picture(key: str, *, chart: str, name: str, canvas: str) -> None:
    """Draw the buttons for the chart with the key `chart`.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    canvas : str
        Colour behind the chart in the file.
    """
    data: dict[str, Any] = {"chart": chart, "name": name, "canvas": canvas}
    _component(key=key, data=data)

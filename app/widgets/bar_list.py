"""Named bars, each a button: one small component."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.figures.markup import visible
from app.figures.theme import rgb
from app.shell import view_state
from app.widgets.frame import palette

_BARS_CSS = """
.bars { display: grid; gap: 2px; padding: 2px; }
.bar {
  all: unset;
  box-sizing: border-box;
  cursor: pointer;
  display: grid;
  grid-template-columns: minmax(0, 5fr) minmax(44px, 3fr) minmax(0, 3fr);
  align-items: center;
  gap: 10px;
  padding: 3px 8px;
  border-radius: var(--st-base-radius);
  font-family: var(--st-font);
  font-size: 0.87rem;
  color: var(--st-text-color);
}
.bar:hover { background: var(--st-secondary-background-color); }
.bar:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -1px; }
.bar[aria-pressed="true"] { outline: 2px solid var(--st-link-color); outline-offset: -2px; }
.name, .note { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.note { color: var(--st-gray-text-color); font-variant-numeric: tabular-nums; text-align: right; }
.track { position: relative; height: 12px; }
.track::before {
  content: "";
  position: absolute;
  inset: -2px auto -2px 50%;
  border-left: 1px solid var(--st-border-color);
}
.track.oneway::before { left: 0; }
.fill { position: absolute; top: 0; bottom: 0; border-radius: 1px; }
"""
_BARS_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let root = parentElement.querySelector(".bars")
  if (!root) {
    root = document.createElement("div")
    root.className = "bars"
    root.setAttribute("role", "group")
    parentElement.appendChild(root)
  }
  root.setAttribute("aria-label", data.name)
  root.replaceChildren(
    ...data.rows.map((row) => {
      const button = document.createElement("button")
      button.type = "button"
      button.className = "bar"
      const parts = ["name", "track", "note"].map((kind) => {
        const part = document.createElement("span")
        part.className = kind
        button.append(part)
        return part
      })
      parts[0].textContent = row.name
      parts[2].textContent = row.note
      const fill = document.createElement("span")
      fill.className = "fill"
      const both = !data.oneway
      if (data.oneway) parts[1].classList.add("oneway")
      const half = both ? 50 : 100
      fill.style.width = `${Math.abs(row.share) * half}%`
      fill.style.left = both ? `${50 + Math.min(row.share, 0) * half}%` : 0
      const colour = row.colour || (row.share > 0 ? data.hot : data.cold)
      fill.style.background = `rgb(${colour.join(",")})`
      parts[1].append(fill)
      button.title = `${row.name}: ${row.note}`
      button.setAttribute("aria-label", button.title)
      button.setAttribute("aria-pressed", String(row.id === data.selected))
      button.onclick = () => setTriggerValue("picked", row.id)
      return button
    })
  )
}
"""
_bars = st.components.v2.component("fnprune_bars", css=_BARS_CSS, js=_BARS_JS)


def bar_list(
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    on_pick: Callable[[int], None],
    selected: int | None = None,
    name: str = "Networks",
    oneway: bool = False,
) -> None:
    """Draw named bars, each a button.

    Parameters
    ----------
    rows : sequence of dict
        ``id`` (int), ``name``, ``note`` (its number in words), ``share`` in [−1, 1] (in [0, 1]
        if `oneway`), and optionally ``colour`` (``#rrggbb``).
    on_pick : callable
        Called with the id of the pressed row, before the page runs again.
    selected : int, optional
        Id of the row shown as pressed.
    """

    def picked() -> None:
        id = view_state.told(key, "picked")
        if id is not None:
            on_pick(int(id))

    colours = palette()
    _bars(
        key=key,
        data={
            "rows": [
                row
                | {"name": visible(str(row["name"])), "note": visible(str(row["note"]))}
                | ({"colour": rgb(row["colour"])} if row.get("colour") else {})
                for row in rows
            ],
            "hot": rgb(colours.hot[1]),
            "cold": rgb(colours.cold[1]),
            "selected": selected,
            "oneway": oneway,
            "name": name,
        },
        on_picked_change=picked,
    )

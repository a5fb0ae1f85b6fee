"""The gallery of networks: one component, a button for each thumbnail."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.shell import view_state

_CSS = """
.gallery {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(118px, 1fr));
  gap: 6px;
  padding: 2px;
}
.gallery.tall { max-height: 760px; overflow-y: auto; scrollbar-width: thin; }
@media (max-width: 640px) {
  .gallery, .gallery.tall { max-height: 216px; overflow-y: auto; }
}
.tile {
  all: unset;
  box-sizing: border-box;
  cursor: pointer;
  border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius);
  background: var(--st-background-color);
  overflow: hidden;
  display: flex;
  flex-direction: column;
}
.tile:hover { border-color: var(--st-text-color); }
.tile:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.tile[aria-pressed="true"] { outline: 2px solid var(--st-link-color); border-color: transparent; }
.tile img { width: 100%; aspect-ratio: 2 / 1; image-rendering: pixelated; display: block; }
.tile.dropped img { filter: grayscale(1); opacity: 0.35; }
.label {
  display: flex;
  justify-content: space-between;
  gap: 4px;
  padding: 2px 6px 3px;
  font-family: var(--st-font);
  font-size: 12px;
  color: var(--st-text-color);
  white-space: nowrap;
}
.label span:last-child, .facts {
  color: var(--st-gray-text-color);
  overflow: hidden;
  text-overflow: ellipsis;
}
.label .number { font-weight: 600; }
.label span:last-child { flex: 1; }
.facts {
  padding: 0 6px 3px;
  font-family: var(--st-font);
  font-size: 11px;
  white-space: nowrap;
}
.tile.dropped .number { text-decoration: line-through; }
"""
_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let root = parentElement.querySelector(".gallery")
  if (!root) {
    root = document.createElement("div")
    root.className = "gallery"
    root.setAttribute("role", "group")
    parentElement.appendChild(root)
  }
  root.setAttribute("aria-label", data.name)
  root.classList.toggle("tall", data.tall)
  while (root.children.length > data.tiles.length) root.lastChild.remove()
  data.tiles.forEach((tile, index) => {
    let button = root.children[index]
    if (!button) {
      button = document.createElement("button")
      button.type = "button"
      const image = document.createElement("img")
      image.alt = ""
      const label = document.createElement("span")
      label.className = "label"
      const number = document.createElement("span")
      number.className = "number"
      label.append(number, document.createElement("span"))
      const facts = document.createElement("span")
      facts.className = "facts"
      button.append(image, label, facts)
      root.appendChild(button)
    }
    const image = button.querySelector("img")
    if (image.getAttribute("src") !== tile.image) image.src = tile.image
    const [number, name] = button.querySelectorAll(".label span")
    number.textContent = tile.network
    name.textContent = tile.name
    button.querySelector(".facts").textContent = tile.facts
    button.className = tile.dropped ? "tile dropped" : "tile"
    button.title = tile.title
    button.setAttribute("aria-label", tile.title)
    const selected = tile.network === data.selected
    button.setAttribute("aria-pressed", String(selected))
    if (selected && root.dataset.shown !== String(tile.network)) {
      root.dataset.shown = String(tile.network)
      const below = button.offsetTop - root.offsetTop
      if (below < root.scrollTop || below > root.scrollTop + root.clientHeight - 80) {
        root.scrollTop = below - root.clientHeight / 2
      }
    }
    button.onclick = () => setTriggerValue("picked", tile.network)
  })
}
"""
_component = st.components.v2.component("fnprune_gallery", css=_CSS, js=_JS)


def gallery(
    tiles: Sequence[dict[str, Any]],
    *,
    selected: int | None,
    key: str,
    on_pick: Callable[[int], None],
    name: str = "Networks",
    tall: bool = False,
) -> None:
    """Draw thumbnails that can be picked by mouse, finger or keyboard.

    Parameters
    ----------
    tiles : sequence of dict
        network, image (data URI), name, facts, title, dropped.
    on_pick : callable
        Called with the network, before the page runs again.
    tall : bool
        Beside other content: scroll in place of growing.
    """

    def picked() -> None:
        network = view_state.told(key, "picked")
        if network is not None:
            on_pick(int(network))

    _component(
        key=key,
        data={"tiles": list(tiles), "selected": selected, "name": name, "tall": tall},
        on_picked_change=picked,
    )

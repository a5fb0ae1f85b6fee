"""The table of the prune lab: one component, a row a network, a card each on a phone.

It draws what it is given and tells what was picked, switched or sorted; it holds nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from app.shell import view_state

_CSS = """
.lab {
  container-type: inline-size;
  max-height: 620px;
  overflow-y: auto;
  scrollbar-width: thin;
  border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius);
  font-family: var(--st-font);
  font-size: 13px;
  line-height: 1.3;
  color: var(--st-text-color);
}
.lab:focus { outline: none; }
.row, .head {
  display: grid;
  grid-template-columns: 92px minmax(0, 1fr) 52px 52px 96px 88px;
  column-gap: 10px;
  align-items: center;
  padding: 5px 8px;
  border-bottom: 1px solid var(--st-border-color);
}
.costs .row, .costs .head { grid-template-columns: 92px minmax(0, 1fr) 50px 50px 88px 58px 86px; }
.row:last-child { border-bottom: none; }
.head {
  position: sticky;
  top: 0;
  z-index: 1;
  background: var(--st-secondary-background-color);
  padding-block: 2px;
}
.head > * { font-size: 11px; color: var(--st-gray-text-color); }
button {
  all: unset;
  box-sizing: border-box;
  cursor: pointer;
  font: inherit;
  border-radius: var(--st-base-radius);
}
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.head button:hover { color: var(--st-text-color); }
.head [aria-sort] button { color: var(--st-text-color); font-weight: 600; }
.row { cursor: pointer; scroll-margin-top: 28px; }
.row:hover { background: var(--st-secondary-background-color); }
.row.selected {
  background: var(--st-secondary-background-color);
  box-shadow: inset 3px 0 0 var(--st-link-color);
}
.row img {
  width: 92px;
  aspect-ratio: 2 / 1;
  image-rendering: pixelated;
  display: block;
  border-radius: 3px;
}
.row.pruned img { filter: grayscale(1); opacity: 0.35; }
.row.pruned .name, .row.pruned .words, .row.pruned .cell { opacity: 0.5; }
.who { min-width: 0; }
.name { display: flex; gap: 6px; align-items: baseline; max-width: 100%; }
.name b { font-weight: 600; }
.name span, .words, .why {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.row.pruned .name b { text-decoration: line-through; }
.words { opacity: 0.62; font-family: var(--st-code-font); font-size: 11.5px; }
.why { opacity: 0.75; font-size: 12px; }
.mark {
  flex: none;
  font-style: normal;
  font-size: 10.5px;
  padding: 0 5px;
  border: 1px solid var(--st-orange-text-color);
  color: var(--st-orange-text-color);
  border-radius: 8px;
}
.figure { font-variant-numeric: tabular-nums; }
.meter { height: 3px; margin-top: 3px; background: var(--st-border-color); border-radius: 2px; }
.meter i {
  display: block;
  height: 100%;
  background: var(--st-gray-text-color);
  border-radius: 2px;
}
.domains { min-width: 0; }
.bars { display: flex; align-items: flex-end; gap: 2px; height: 24px; }
.bars i {
  flex: 1;
  min-height: 1px;
  background: var(--st-gray-text-color);
  opacity: 0.45;
  border-radius: 1px 1px 0 0;
}
.bars i.most { background: var(--st-text-color); opacity: 0.9; }
.bars { border-bottom: 1px solid var(--st-border-color); }
.top {
  font-size: 11px;
  color: var(--st-gray-text-color);
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.switch {
  border: 1px solid var(--st-border-color);
  padding: 4px 8px;
  text-align: center;
  width: 100%;
  white-space: nowrap;
}
.switch:hover { border-color: var(--st-text-color); }
.switch[aria-checked="true"] {
  color: var(--st-green-text-color);
  border-color: color-mix(in srgb, var(--st-green-text-color) 45%, transparent);
}
.switch[aria-checked="false"] {
  color: var(--st-orange-text-color);
  border-color: color-mix(in srgb, var(--st-orange-text-color) 45%, transparent);
  border-style: dashed;
}
.none { padding: 18px 12px; color: var(--st-gray-text-color); }
.small { display: none; }
@container (max-width: 520px) {
  .head { display: none; }
  .row, .costs .row {
    grid-template-columns: 84px repeat(3, minmax(0, 1fr));
    grid-template-areas: "map who who who" "trust variance domains domains" "cost cost do do";
    row-gap: 6px;
    padding: 9px 8px;
  }
  .row { grid-template-areas: "map who who who" "trust variance domains do"; }
  .row img { width: 84px; grid-area: map; }
  .who { grid-area: who; }
  .trust { grid-area: trust; }
  .variance { grid-area: variance; }
  .domains { grid-area: domains; }
  .cost { grid-area: cost; }
  .do { grid-area: do; }
  .switch { padding-block: 8px; }
  .small { display: inline; font-size: 11px; color: var(--st-gray-text-color); }
  .words { display: none; }
}
@media (max-width: 640px) { .lab { max-height: 460px; } }
"""
_JS = """
function element(tag, parent, className) {
  const made = document.createElement(tag)
  if (className) made.className = className
  parent.appendChild(made)
  return made
}
function meter(row, className, label) {
  const cell = element("div", row, "cell " + className)
  cell.setAttribute("role", "cell")
  const value = element("span", cell, "figure")
  const small = element("span", cell, "small")
  small.textContent = " " + label
  const bar = element("div", cell, "meter")
  return { cell, value, small, bar, fill: element("i", bar) }
}
function makeRow(root) {
  const row = element("div", root, "row")
  row.setAttribute("role", "row")
  row.picture = element("img", row)
  row.picture.alt = ""
  const who = element("div", row, "who")
  who.setAttribute("role", "cell")
  row.pick = element("button", who, "name")
  row.pick.type = "button"
  row.number = element("b", row.pick)
  row.called = element("span", row.pick)
  row.mark = element("em", row.pick, "mark")
  row.words = element("div", who, "words")
  row.why = element("div", who, "why")
  row.trust = meter(row, "trust", "trust")
  row.variance = meter(row, "variance", "var.")
  const domains = element("div", row, "cell domains")
  domains.setAttribute("role", "cell")
  row.domains = domains
  row.bars = element("div", domains, "bars")
  row.bars.setAttribute("aria-hidden", "true")
  row.top = element("div", domains, "top")
  row.cost = meter(row, "cost", "to drop")
  const last = element("div", row, "do")
  last.setAttribute("role", "cell")
  row.change = element("button", last, "switch")
  row.change.type = "button"
  row.change.setAttribute("role", "switch")
  return row
}
function setMeter(shown, text, share, title) {
  shown.value.textContent = text
  shown.cell.title = title
  shown.bar.hidden = share < 0
  shown.fill.style.width = Math.round(100 * Math.max(0, Math.min(1, share))) + "%"
}
function setSwitch(row, data, dropped) {
  row.classList.toggle("pruned", dropped)
  row.change.setAttribute("aria-checked", String(!dropped))
  row.change.textContent = dropped ? "\\u2715 pruned" : "\\u2713 kept"
  row.change.setAttribute(
    "aria-label", "Network " + data.network + (dropped ? ": pruned. Keep it" : ": kept. Prune it"))
}
function setRow(row, data, all) {
  if (row.picture.getAttribute("src") !== data.image) row.picture.src = data.image
  row.number.textContent = data.network
  row.called.textContent = data.name
  row.mark.textContent = data.mark
  row.mark.hidden = !data.mark
  row.words.textContent = data.words
  row.why.textContent = data.why
  row.why.hidden = !data.why
  row.pick.setAttribute("aria-label", data.title)
  row.title = data.title
  setMeter(row.trust, data.trust_text, data.trust, all.trust_name + " " + data.trust_text)
  row.trust.small.textContent = " " + all.trust_name
  setMeter(row.variance, data.variance_text, data.variance,
    data.variance_text + " of variance alone")
  while (row.bars.children.length > data.domains.length) row.bars.lastChild.remove()
  while (row.bars.children.length < data.domains.length) element("i", row.bars)
  const most = Math.max(...data.domains)
  data.domains.forEach((share, d) => {
    row.bars.children[d].style.height = Math.round(100 * share) + "%"
    row.bars.children[d].className = share === most ? "most" : ""
  })
  row.domains.title = data.domains
    .map((share, d) => all.domain_names[d] + " " + Math.round(100 * share) + " %").join("\\n")
  row.top.textContent = data.top
  row.cost.cell.hidden = row.cost.cell.style.display = all.has_costs ? "" : "none"
  setMeter(row.cost, data.cost_text, data.cost, data.cost_title)
  setSwitch(row, data, data.dropped)
  const selected = data.network === all.selected
  row.classList.toggle("selected", selected)
  row.setAttribute("aria-selected", String(selected))
}
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let root = parentElement.querySelector(".lab")
  if (!root) {
    root = element("div", parentElement, "lab")
    root.setAttribute("role", "table")
    root.head = element("div", root, "head")
    root.head.setAttribute("role", "row")
  }
  root.setAttribute("aria-label", data.name)
  root.classList.toggle("costs", data.has_costs)
  root.head.replaceChildren()
  data.columns.forEach(({ label, sort, title }) => {
    const cell = element("div", root.head)
    cell.setAttribute("role", "columnheader")
    cell.title = title
    if (!sort) { cell.textContent = label; return }
    const by = element("button", cell)
    by.type = "button"
    const down = data.sort === "-" + sort
    const is = down || data.sort === sort
    by.textContent = label + (is ? (down ? " \\u2193" : " \\u2191") : "")
    if (is) cell.setAttribute("aria-sort", down ? "descending" : "ascending")
    by.onclick = () => setTriggerValue("sorted", sort)
  })
  let none = root.querySelector(".none")
  if (none) none.remove()
  const rows = [...root.querySelectorAll(".row")]
  while (rows.length > data.rows.length) rows.pop().remove()
  while (rows.length < data.rows.length) rows.push(makeRow(root))
  data.rows.forEach((each, index) => {
    const row = rows[index]
    setRow(row, each, data)
    row.onclick = () => setTriggerValue("picked", each.network)
    row.change.onclick = (event) => {
      event.stopPropagation()
      const dropped = row.change.getAttribute("aria-checked") === "true"
      setSwitch(row, each, dropped)
      setTriggerValue("switched", { network: each.network, dropped })
    }
    if (each.network === data.selected && root.dataset.shown !== String(each.network)) {
      root.dataset.shown = String(each.network)
      const top = row.offsetTop - root.offsetTop
      if (top < root.scrollTop + 30 || top > root.scrollTop + root.clientHeight - 60) {
        root.scrollTop = top - root.clientHeight / 2
      }
    }
  })
  if (!data.rows.length) element("div", root, "none").textContent = data.empty
  root.onkeydown = (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (!step || !data.rows.length) return
    event.preventDefault()
    event.stopPropagation()
    const place = data.rows.findIndex((row) => row.network === data.selected)
    const next = (place + step + data.rows.length) % data.rows.length
    rows[next].pick.focus()
    setTriggerValue("picked", data.rows[next].network)
  }
}
"""
_component = st.components.v2.component("fnprune_lab_table", css=_CSS, js=_JS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the table says of one network.

    Parameters
    ----------
    image : str
        Data URI.
    mark : str
        What a person should be warned of; empty if nothing.
    title : str
        All of it in one sentence.
    trust, variance, cost : float
        Length of the meter, from 0 to 1; −1 for none.
    domains : list of float
        Share of energy in each.
    """

    network: int
    image: str
    name: str
    mark: str
    words: str
    why: str
    title: str
    trust: float
    trust_text: str
    variance: float
    variance_text: str
    domains: list[float]
    top: str
    dropped: bool
    cost: float = -1.0
    cost_text: str = ""
    cost_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A head of the table; `sort` is the statistic that a click orders by, empty for none."""

    label: str
    title: str
    sort: str = ""


def lab_table(
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    key: str,
    facts: Mapping[str, Any],
    on: Mapping[str, Callable[[Any], None]],
) -> None:
    """Draw the table.

    Parameters
    ----------
    facts : mapping
        name, selected, sort, trust_name, domain_names, has_costs, and what to say when `empty`.
    on : mapping
        What happens before the page runs again: ``picked`` (network), ``switched`` (network and
        dropped), ``sorted`` (statistic).
    """

    def listener(event: str) -> Callable[[], None]:
        def told() -> None:
            value = view_state.told(key, event)
            if value is not None:
                on[event](value)

        return told

    _component(
        key=key,
        data={
            "rows": [asdict(row) for row in rows],
            "columns": [asdict(column) for column in columns],
            **facts,
        },
        on_picked_change=listener("picked"),
        on_switched_change=listener("switched"),
        on_sorted_change=listener("sorted"),
    )

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
  row.change.textContent = dropped ? "\u2715 pruned" : "\u2713 kept"
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
    .map((share, d) => all.domain_names[d] + " " + Math.round(100 * share) + " %").join("\n")
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
    by.textContent = label + (is ? (down ? " \u2193" : " \u2191") : "")
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

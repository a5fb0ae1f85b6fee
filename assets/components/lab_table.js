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
  row.loss = meter(row, "loss", "would go")
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
function setSwitch(row, network, dropped) {
  row.classList.toggle("pruned", dropped)
  row.change.setAttribute("aria-checked", String(!dropped))
  row.change.textContent = dropped ? "\u2715 not protected" : "\u2713 protected"
  row.change.setAttribute(
    "aria-label",
    "Network " + network + (dropped ? ": not protected. Protect it" : ": protected. Don't protect it"))
}
function setSelected(row, selected) {
  row.classList.toggle("selected", selected)
  row.setAttribute("aria-selected", String(selected))
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
  row.title = row.pick.title = data.title
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
  row.loss.cell.style.display = all.has_losses ? "" : "none"
  const units = element("b", document.createElement("p"))
  units.textContent = data.loss_units
  setMeter(row.loss, "", data.loss, data.loss_title)
  row.loss.value.replaceChildren(units, " \u00b7 " + data.loss_energy)
}
// What keys and mouse ask for is shown at once, and told with a number until the page has taken
// it: of keys that are pressed faster than the page runs, none is lost.
class Asking {
  constructor(tell) {
    this.tell = tell
    this.page = Math.random().toString(36).slice(2)
    this.serial = 0
    this.waiting = []
  }
  ask(does, network) {
    this.serial += 1
    this.waiting.push({ serial: this.serial, does, network })
    this.tell("asked", { page: this.page, actions: this.waiting })
  }
  taken([page, serial]) {
    if (page === this.page) this.waiting = this.waiting.filter((each) => each.serial > serial)
  }
  state(data) {
    const dropped = new Set(data.rows.filter((row) => row.dropped).map((row) => row.network))
    let selected = data.selected
    for (const { does, network } of this.waiting) {
      if (does === "undo") continue
      selected = network
      if (does === "protect") dropped.delete(network)
      if (does === "unprotect") dropped.add(network)
    }
    return { selected, dropped }
  }
}
function isTyping(event) {
  const at = event.composedPath()[0]
  return at instanceof Element &&
    (at.matches("input, textarea, select, [contenteditable], [role=slider], [role=textbox]"))
}
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let root = parentElement.querySelector(".lab")
  if (!root) {
    root = element("div", parentElement, "lab")
    root.setAttribute("role", "table")
    root.head = element("div", root, "head")
    root.head.setAttribute("role", "row")
    root.asking = new Asking()
  }
  const asking = root.asking
  asking.tell = setTriggerValue
  asking.taken(data.taken)
  root.setAttribute("aria-label", data.name)
  root.classList.toggle("losses", data.has_losses)
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
  const show = () => {
    const { selected, dropped } = asking.state(data)
    data.rows.forEach((each, index) => {
      setSwitch(rows[index], each.network, dropped.has(each.network))
      setSelected(rows[index], each.network === selected)
      if (each.network === selected && root.dataset.shown !== String(selected)) {
        root.dataset.shown = String(selected)
        const top = rows[index].offsetTop - root.offsetTop
        if (top < root.scrollTop + 30 || top > root.scrollTop + root.clientHeight - 60) {
          root.scrollTop = top - root.clientHeight / 2
        }
      }
    })
  }
  const ask = (does, network) => { asking.ask(does, network); show() }
  data.rows.forEach((each, index) => {
    const row = rows[index]
    setRow(row, each, data)
    row.onclick = () => ask("pick", each.network)
    row.change.onclick = (event) => {
      event.stopPropagation()
      ask(row.change.getAttribute("aria-checked") === "true" ? "unprotect" : "protect", each.network)
    }
  })
  show()
  if (!data.rows.length) element("div", root, "none").textContent = data.empty
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    const isInside = event.composedPath().includes(root)
    const steps = { ArrowLeft: -1, ArrowRight: 1, ...(isInside ? { ArrowUp: -1, ArrowDown: 1 } : {}) }
    const does = { k: "protect", p: "unprotect", u: "undo" }[key]
    if (!data.rows.length || (!steps[key] && !does)) return
    event.preventDefault()
    const { selected } = asking.state(data)
    if (does) { ask(does, selected); return }
    const place = data.rows.findIndex((row) => row.network === selected)
    const next = place < 0
      ? (steps[key] > 0 ? 0 : data.rows.length - 1)
      : (place + steps[key] + data.rows.length) % data.rows.length
    if (isInside) rows[next].pick.focus()
    ask("pick", data.rows[next].network)
  }
  // This function runs at each change of the data: the listener of the run before goes.
  document.removeEventListener("keydown", root.press)
  root.press = press
  document.addEventListener("keydown", press)
  return () => document.removeEventListener("keydown", press)
}

// Text of the model's own only ever goes through textContent: markup stays text.
const SPACE = { " ": "space", "\n": "line break", "\t": "tab" }

function draw(root, data) {
  const rows = document.createDocumentFragment()
  data.pieces.forEach((piece, index) => {
    const token = document.createElement("span")
    token.className = "token"
    token.dataset.index = index
    token.tabIndex = -1
    token.setAttribute("role", "option")
    piece.split("\n").forEach((line, number) => {
      if (number) {
        const sign = document.createElement("span")
        sign.className = "break"
        sign.textContent = "↵"
        token.append(sign, "\n")
      }
      if (line) token.append(line)
    })
    const value = data.values[index]
    let tip = "left out: dummy token"
    if (value !== null) {
      const share = data.limit > 0 ? Math.min(Math.abs(value) / data.limit, 1) : 0
      const colour = data.hues ? data.hues[index] : value > 0 ? data.hot : data.cold
      if (share > data.least) {
        token.style.background = `rgba(${colour.join(",")},${(share * data.opacity).toFixed(3)})`
      }
      if (share > data.strong) {
        token.style.borderBottom =
          `2px ${value > 0 ? "solid" : "dashed"} rgb(${colour.join(",")})`
      }
      tip = value.toFixed(2)
    }
    if (data.tips) tip += `, ${data.tips[index]}`
    token.title = `token ${data.places[index]}: ${tip}`
    const name = SPACE[piece] || piece.trim() || "white space"
    token.setAttribute("aria-label", `${name}, ${token.title}`)
    rows.append(token)
  })
  data.marks.forEach((index) => rows.children[index]?.classList.add("marked"))
  root.replaceChildren(rows)
}

// The token of the line above or below that lies nearest
function across(root, from, down) {
  const here = from.getBoundingClientRect()
  const middle = (here.left + here.right) / 2
  let best = from, least = Infinity, line = null
  for (let t = from; t; t = down ? t.nextElementSibling : t.previousElementSibling) {
    const box = t.getBoundingClientRect()
    const beyond = down ? box.top - here.top : here.top - box.top
    if (beyond < here.height / 2) continue
    if (line === null) line = box.top
    if (Math.abs(box.top - line) > here.height / 2) break
    const distance = Math.abs((box.left + box.right) / 2 - middle)
    if (distance < least) [best, least] = [t, distance]
  }
  return best
}

function reached(root, from, key) {
  if (key === "ArrowRight") return from.nextElementSibling
  if (key === "ArrowLeft") return from.previousElementSibling
  if (key === "ArrowDown" || key === "ArrowUp") return across(root, from, key === "ArrowDown")
  if (key === "Home") return root.firstElementChild
  if (key === "End") return root.lastElementChild
  return undefined
}

function enter(root, token) {
  root.querySelectorAll('.token[tabindex="0"]').forEach((each) => (each.tabIndex = -1))
  if (token) token.tabIndex = 0
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let root = parentElement.querySelector(".tokens")
  if (!root) {
    root = document.createElement("div")
    root.className = "tokens"
    root.setAttribute("role", "listbox")
    root.setAttribute("aria-orientation", "horizontal")
    parentElement.appendChild(root)
  }
  root.setAttribute("aria-label", data.name)
  root.style.maxHeight = data.height ? `${data.height}px` : ""
  const isNew = root.dataset.version !== data.version
  if (isNew) {
    draw(root, data)
    root.dataset.version = data.version
    root.scrollTop = 0
  }
  const pick = (token) => setTriggerValue("picked", Number(token.dataset.index))
  root.onclick = (event) => {
    const token = event.target.closest(".token")
    if (token) pick(token)
  }
  root.onkeydown = (event) => {
    const token = event.target.closest(".token")
    if (!token || event.ctrlKey || event.metaKey || event.altKey) return
    const isPick = event.key === "Enter" || event.key === " "
    const next = isPick ? undefined : reached(root, token, event.key)
    if (!isPick && next === undefined) return
    event.preventDefault()
    event.stopPropagation()  // the page's own keys also listen to arrows
    if (isPick) pick(token)
    else if (next) {
      enter(root, next)
      next.focus()
    }
  }
  root.querySelectorAll('[aria-selected="true"]').forEach((each) => {
    each.setAttribute("aria-selected", "false")
  })
  const chosen = data.selected === null ? null : root.children[data.selected]
  if (chosen) {
    chosen.setAttribute("aria-selected", "true")
    if (isNew || root.dataset.shown !== String(data.selected)) {
      enter(root, chosen)
      const below = chosen.offsetTop
      if (below < root.scrollTop || below > root.scrollTop + root.clientHeight - 40) {
        root.scrollTop = below - root.clientHeight / 2
      }
    }
  } else if (isNew || !root.querySelector('.token[tabindex="0"]')) {
    enter(root, root.firstElementChild)
  }
  root.dataset.shown = String(data.selected)
}

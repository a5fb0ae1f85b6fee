export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let root = parentElement.querySelector(".gallery")
  if (!root) {
    root = document.createElement("div")
    root.className = "gallery"
    root.setAttribute("role", "group")
    root.addEventListener("keydown", (event) => moveFocus(root, event))
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
      image.loading = "lazy"
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
    const selected = tile.network === data.selected
    button.setAttribute("aria-pressed", String(selected))
    if (selected && root.dataset.shown !== String(tile.network)) {
      root.dataset.shown = String(tile.network)
      const below = button.offsetTop - root.offsetTop
      if (below < root.scrollTop || below > root.scrollTop + root.clientHeight - 80) {
        root.scrollTop = below - root.clientHeight / 2
      }
    }
    button.onclick = (event) => {
      // After a press by mouse, arrow keys belong to the page again.
      if (event.detail > 0) button.blur()
      setTriggerValue("picked", tile.network)
    }
  })
  const entrance = root.querySelector(".tile[aria-pressed=true]") ?? root.firstElementChild
  if (!root.contains(root.getRootNode().activeElement)) setEntrance(root, entrance)
}

// The gallery is one stop of the Tab key; arrow keys move inside it, Enter picks.
function setEntrance(root, tile) {
  for (const each of root.children) each.tabIndex = each === tile ? 0 : -1
}

function moveFocus(root, event) {
  const tiles = [...root.children]
  const from = tiles.indexOf(root.getRootNode().activeElement)
  const nColumns = tiles.filter((tile) => tile.offsetTop === tiles[0]?.offsetTop).length
  const targets = {
    ArrowLeft: from - 1, ArrowRight: from + 1, ArrowUp: from - nColumns, ArrowDown: from + nColumns,
    Home: 0, End: tiles.length - 1,
  }
  if (from < 0 || !(event.key in targets) || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  event.stopPropagation()
  const target = tiles[targets[event.key]]
  if (!target) return
  setEntrance(root, target)
  target.focus()
}

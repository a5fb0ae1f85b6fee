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

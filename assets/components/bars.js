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
      button.setAttribute("aria-pressed", String(row.id === data.selected))
      button.onclick = () => setTriggerValue("picked", row.id)
      return button
    })
  )
}

// A button that copies the address of one thing; without the clipboard the address is shown.
export default function (component) {
  const { data, parentElement } = component
  parentElement.querySelector(".copy")?.remove()
  const root = document.createElement("div")
  root.className = "copy"
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = data.label
  button.setAttribute("aria-label", `Copy link to ${data.what}`)
  button.title = `Copy link to ${data.what}`
  button.onclick = async () => {
    const address = new URL(data.path, window.location.href).href
    try {
      await navigator.clipboard.writeText(address)
      button.textContent = "Copied"
      setTimeout(() => { button.textContent = data.label }, 1500)
    } catch {
      const field = document.createElement("input")
      field.readOnly = true
      field.value = address
      field.setAttribute("aria-label", `Link to ${data.what}`)
      button.replaceWith(field)
      field.focus()
      field.select()
    }
  }
  root.appendChild(button)
  parentElement.appendChild(root)
}

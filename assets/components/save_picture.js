// The chart's own download button does the work: Streamlit keeps plotly to itself.
export default function (component) {
  const { data, parentElement } = component
  let root = parentElement.querySelector(".save")
  if (root) root.remove()
  root = document.createElement("div")
  root.className = "save"
  for (const format of ["png", "svg"]) {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = format.toUpperCase()
    button.setAttribute("aria-label", `Save as ${format.toUpperCase()}`)
    button.onclick = () => {
      const chart = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`)
      const download = chart && chart.querySelector(".modebar-btn")
      if (!download) return
      chart._context.toImageButtonOptions = {
        format,
        filename: data.name,
        scale: format === "png" ? 3 : 1,
      }
      // The page shows through behind a chart; on another page its quiet text would be lost.
      const behind = chart.layout.paper_bgcolor
      chart.layout.paper_bgcolor = data.canvas  // copied as the click begins
      download.dispatchEvent(new MouseEvent("click", { bubbles: true }))
      chart.layout.paper_bgcolor = behind
    }
    root.appendChild(button)
  }
  parentElement.appendChild(root)
}

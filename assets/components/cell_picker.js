export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let chart = null
  const clicked = (event) => {
    const point = event.points && event.points[0]
    if (!point) return
    const place = [point.x, point.y, point.z].map((v) => (typeof v === "number" ? v : null))
    setTriggerValue("picked", { curve: point.curveNumber, place, at: Date.now() })
  }
  // A chart that plotly has already put away no longer has listeners to remove.
  const leave = () => {
    if (chart && chart.removeListener) chart.removeListener("plotly_click", clicked)
  }
  const attach = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`)
    if (!found || !found.on || found === chart) return
    leave()
    chart = found
    chart.on("plotly_click", clicked)
  }
  // The chart is loaded after this, and may be drawn anew.
  const timer = setInterval(attach, 300)
  attach()
  return () => {
    clearInterval(timer)
    leave()
  }
}

// One timer in the whole page, whatever is drawn anew: one left over from an earlier run would ask
// for ever. Each mode is asked for once, so that one that the server cannot follow makes no loop.
export default function (component) {
  const { data, setTriggerValue } = component
  const shown = () => {
    const app = document.querySelector('[data-testid="stApp"]')
    const parts = app && getComputedStyle(app).backgroundColor.match(/[\d.]+/g)
    if (!parts) return data.mode
    const [red, green, blue] = parts.map(Number)
    return 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light"
  }
  const held = (window.fnpruneMode ||= { timer: 0, asked: "" })
  clearInterval(held.timer)
  // The preference of the system is one way to change it, Streamlit's menu another.
  const timer = setInterval(() => {
    const mode = shown()
    if (mode === data.mode) held.asked = ""
    else if (held.asked !== mode) {
      held.asked = mode
      setTriggerValue("changed", mode)
    }
  }, 500)
  held.timer = timer
  return () => clearInterval(timer)
}

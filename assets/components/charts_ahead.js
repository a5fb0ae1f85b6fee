// Streamlit's script for charts is large, and comes with the first one that a visit draws. Here it
// is loaded before, while the browser has nothing to do, so that nobody waits for it.
export default function (component) {
  const { address } = component.data
  if (!address || window.fnpruneCharts || navigator.connection?.saveData) return
  window.fnpruneCharts = true
  const load = () => import(new URL(address, document.baseURI).href).catch(() => {})
  const whenIdle = window.requestIdleCallback || setTimeout
  setTimeout(() => whenIdle(load), 200)
}

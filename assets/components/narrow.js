// Asked once for each change, so that a page that cannot follow never makes a loop.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const query = window.matchMedia(`(max-width: ${data.width}px)`)
  const tell = () => {
    if (query.matches === data.narrow || parentElement.told === query.matches) return
    parentElement.told = query.matches
    setTriggerValue("changed", { narrow: query.matches, at: Date.now() })
  }
  query.addEventListener("change", tell)
  tell()
  return () => query.removeEventListener("change", tell)
}

// The key / opens the search, as it does elsewhere; Streamlit's own shortcuts are letters only.
export default function () {
  const onKey = (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]")
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return
    const button = document.querySelector(".st-key-find-open button")
    if (!button) return
    event.preventDefault()
    button.click()
  }
  document.addEventListener("keydown", onKey)
  return () => document.removeEventListener("keydown", onKey)
}

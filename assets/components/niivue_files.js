// What the viewer and the live scanner load, and whether this browser can draw it.

// The bundle is loaded once a visit, by the first viewer.
function library(address) {
  window.fnpruneNiivue ||= window.niivue ? Promise.resolve(window.niivue)
    : new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.src = address
      script.onload = () => resolve(window.niivue)
      script.onerror = () => {
        window.fnpruneNiivue = undefined
        reject(new Error("The viewer could not be loaded."))
      }
      document.head.append(script)
    })
  return window.fnpruneNiivue
}

function hasWebGL2() {
  try {
    const context = document.createElement("canvas").getContext("webgl2")
    context?.getExtension("WEBGL_lose_context")?.loseContext()
    return Boolean(context)
  } catch { return false }
}

function decoded(text) {
  const binary = atob(text)
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0)).buffer
}

// A page that stands alone has its files as data URIs. Elsewhere they come once and stay for the
// visit, so that what was seen before needs no request.
function file(address) {
  if (address.startsWith("data:")) return Promise.resolve(decoded(address.split(",")[1]))
  const files = (window.fnpruneImages ||= new Map())
  if (!files.has(address)) {
    const got = fetch(address).then((answer) => {
      if (!answer.ok) throw new Error(`The image did not come (${answer.status}).`)
      return answer.arrayBuffer()
    })
    got.catch(() => files.delete(address))
    files.set(address, got)
    if (files.size > 80) files.delete(files.keys().next().value)
  }
  return files.get(address)
}

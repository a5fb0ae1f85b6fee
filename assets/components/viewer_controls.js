// The viewer's controls as elements; what they do is the viewer's.
const VIEWS = [["cuts", "Cuts"], ["mosaic", "Mosaic"], ["render", "Rendering"]]
const MOVES = {
  ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowDown: [0, -1, 0], ArrowUp: [0, 1, 0],
  PageDown: [0, 0, -1], PageUp: [0, 0, 1],
}

function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

function button(label, onclick, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label)
  made.onclick = onclick
  return made
}

function slider(name, label, { min, max, step }) {
  const input = element("input", { type: "range", min, max, step, name, "aria-label": label })
  const output = element("output")
  const caption = element("span", {}, label)
  const row = element("label", { class: `row ${name}` }, caption, input, output)
  return { row, input, output, caption }
}

function controls() {
  const made = {
    z: slider("threshold", "Threshold |z|", { min: 1, max: 8, step: 0.1 }),
    fwhm: slider("fwhm", "Smoothing", { min: 0, max: 8, step: 0.5 }),
    opacity: slider("opacity", "Opacity", { min: 0.1, max: 1, step: 0.05 }),
    solid: slider("solid", "Grey", { min: 0.02, max: 1, step: 0.02 }),
    cut: slider("cut", "Cut open", { min: 0, max: 1, step: 0.02 }),
    colours: element("select", { "aria-label": "Colours" }),
    greys: element("select", { "aria-label": "Grey below the map" }),
    views: element("div", { class: "views", role: "group", "aria-label": "View" }),
    legend: element("div", { class: "legend" }),
    status: element("p", { class: "status", role: "status" }),
    tip: element("div", { class: "tip", "aria-hidden": "true", hidden: "" }),
    canvas: element("canvas", { tabindex: "0", role: "application" }),
    still: element("img", { hidden: "" }),
    poster: element("img", { class: "poster", alt: "", hidden: "" }),
  }
  made.stage = element("div", { class: "stage" }, made.canvas, made.still, made.poster, made.tip)
  made.sliders = element("div", { class: "sliders" },
    made.z.row, made.fwhm.row, made.opacity.row, made.solid.row, made.cut.row)
  return made
}

const signed = (number) => number.toFixed(1).replace("-", "−")

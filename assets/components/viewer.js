// A map in the grey body by NiiVue: three cuts, mosaic, rendering. What is set here changes in the
// browser alone; a press tells the voxel, and a threshold that is let go of tells its number.
const VIEWS = [["cuts", "Cuts"], ["mosaic", "Mosaic"], ["render", "Rendering"]]
const SIGMA_PER_FWHM = 1 / Math.sqrt(8 * Math.log(2))
const MOVES = {
  ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowDown: [0, -1, 0], ArrowUp: [0, 1, 0],
  PageDown: [0, 0, -1], PageUp: [0, 0, 1],
}
const FLOAT32 = 16  // NIfTI's number of the type

// The bundle is loaded once a visit, by the first viewer.
function library(address) {
  window.fnpruneNiivue ||= new Promise((resolve, reject) => {
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

// Files stay for the visit, so that a network seen before needs no request.
function file(address) {
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

function hasWebGL2() {
  try {
    const context = document.createElement("canvas").getContext("webgl2")
    context?.getExtension("WEBGL_lose_context")?.loseContext()
    return Boolean(context)
  } catch { return false }
}

const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
const unit = (colour, alpha = 1) => [...parts(colour).map((part) => part / 255), alpha]

// From the first step on; NiiVue gives the very first colour to all that lies below the threshold.
function ramp(colours) {
  const rgb = [colours[0], ...colours].map(parts)
  const [R, G, B] = [0, 1, 2].map((channel) => rgb.map((colour) => colour[channel]))
  const steps = colours.map((_, at) => Math.max(1, Math.round((255 * at) / (colours.length - 1))))
  return { R, G, B, A: [0, ...colours.map(() => 255)], I: [0, ...steps] }
}

// One axis of a separable Gaussian, with zeros outside, as nilearn smooths.
function blurAxis(values, sizes, axis, sigma) {
  const reach = Math.ceil(3 * sigma)
  if (sigma < 0.2) return values
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, at) =>
    Math.exp(-0.5 * ((at - reach) / sigma) ** 2))
  const total = kernel.reduce((sum, each) => sum + each, 0)
  const stride = axis === 0 ? 1 : axis === 1 ? sizes[0] : sizes[0] * sizes[1]
  const length = sizes[axis]
  const out = new Float32Array(values.length)
  for (let at = 0; at < values.length; at++) {
    const value = values[at]
    if (value === 0) continue
    const place = Math.floor(at / stride) % length
    const first = Math.max(-reach, -place), last = Math.min(reach, length - 1 - place)
    for (let step = first; step <= last; step++) {
      out[at + step * stride] += (value * kernel[step + reach]) / total
    }
  }
  return out
}

// The smoothed map has the spread of the raw one, so that a threshold leaves about as much of it.
function smoothed(values, sizes, millimetres, fwhm) {
  let out = values
  for (const axis of [0, 1, 2]) {
    out = blurAxis(out, sizes, axis, (fwhm * SIGMA_PER_FWHM) / millimetres[axis])
  }
  if (out === values) return values
  let before = 0, after = 0
  for (let at = 0; at < values.length; at++) {
    if (values[at] === 0) continue  // outside the body, or a unit that takes no part
    before += values[at] ** 2
    after += out[at] ** 2
  }
  const scale = after > 0 ? Math.sqrt(before / after) : 1
  return out.map((value) => value * scale)
}

function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

function slider(name, label, { min, max, step }) {
  const input = element("input", { type: "range", min, max, step, name, "aria-label": label })
  const output = element("output")
  const row = element("label", { class: `row ${name}` }, element("span", {}, label), input, output)
  return { row, input, output }
}

class Viewer {
  constructor(parent) {
    this.parent = parent
    // What a person has set outlives a page: the next network is seen in the same way.
    this.settings = (window.fnpruneViewer ||= {
      view: "cuts", opacity: 1, fwhm: 4, colours: "house", cut: 0,
    })
    this.threshold = null
    this.told = null
    this.build()
  }

  build() {
    this.root = element("div", { class: "viewer", role: "group" })
    this.views = VIEWS.map(([name, label]) => {
      const button = element("button", { type: "button", "data-view": name }, label)
      button.onclick = () => this.set({ view: name })
      return button
    })
    this.z = slider("threshold", "Threshold |z|", { min: 1, max: 8, step: 0.1 })
    this.fwhm = slider("fwhm", "Smoothing", { min: 0, max: 8, step: 0.5 })
    this.opacity = slider("opacity", "Opacity", { min: 0.1, max: 1, step: 0.05 })
    this.cut = slider("cut", "Cut open", { min: 0, max: 1, step: 0.02 })
    this.z.input.oninput = () => this.show({ threshold: Number(this.z.input.value) })
    this.z.input.onchange = () => this.tell("threshold", this.threshold)
    this.fwhm.input.oninput = () => this.set({ fwhm: Number(this.fwhm.input.value) })
    this.opacity.input.oninput = () => this.set({ opacity: Number(this.opacity.input.value) })
    this.cut.input.oninput = () => this.set({ cut: Number(this.cut.input.value) })
    this.colours = element("select", { "aria-label": "Colours" })
    this.colours.onchange = () => this.set({ colours: this.colours.value })
    const full = element("button", { type: "button", class: "tool" }, "Full screen")
    full.onclick = () => this.root.requestFullscreen?.()
    const save = element("button", { type: "button", class: "tool" }, "Save picture")
    save.onclick = () => this.niivue?.saveScene(`${this.data.file}.png`)
    this.canvas = element("canvas", { tabindex: "0", role: "application" })
    this.still = element("img", { hidden: "" })
    this.stage = element("div", { class: "stage" }, this.canvas, this.still)
    this.status = element("p", { class: "status", role: "status" })
    const choice = element("div", { class: "views", role: "group", "aria-label": "View" })
    choice.append(...this.views)
    this.root.append(
      element("div", { class: "bar" }, choice, this.colours, full, save),
      this.stage,
      this.status,
      element("div", { class: "sliders" },
        this.z.row, this.fwhm.row, this.opacity.row, this.cut.row),
    )
    // Above NiiVue's own listeners, whose letters are keys of the page.
    this.stage.addEventListener("keydown", (event) => this.pressedKey(event), true)
    // A drag in the rendering turns it, and is no press; in the cuts the cross-hair follows it.
    let start = null
    this.canvas.addEventListener("pointerdown", (event) => {
      start = [event.clientX, event.clientY, event.button]
    })
    this.canvas.addEventListener("pointerup", (event) => {
      if (!start || start[2] !== 0) return
      const moved = Math.hypot(event.clientX - start[0], event.clientY - start[1])
      start = null
      // A press in the rendering is looked up while it is drawn.
      if (this.settings.view === "cuts" || moved < 4) setTimeout(() => this.pick(), 80)
    })
    this.parent.append(this.root)
  }

  update(data, setTriggerValue) {
    const before = this.data
    this.data = data
    this.tell = (name, value) => setTriggerValue(name, value)
    this.root.setAttribute("aria-label", data.name)
    this.root.style.colorScheme = data.mode
    this.canvas.setAttribute("aria-label", `${data.alternative} ${data.keys}`)
    if (this.told !== data.threshold) {
      // Only what the page says anew: its own number comes back from it, too.
      this.told = this.threshold = data.threshold
    }
    const same = before && JSON.stringify(before.palettes) === JSON.stringify(data.palettes)
    if (!same) {
      this.colours.replaceChildren(...Object.entries(data.palettes).map(([name, each]) =>
        element("option", { value: name }, each.label)))
    }
    this.queue = (this.queue || this.start()).then(() => this.load(before)).catch((error) => {
      this.root.dataset.state = "failed"
      this.status.textContent = error.message
    })
    this.marks()
  }

  async start() {
    if (!hasWebGL2()) {
      this.root.classList.add("without-webgl")
      this.still.hidden = false
      this.canvas.hidden = true
      return
    }
    const { Niivue } = await library(this.data.library)
    const niivue = new Niivue({
      logLevel: "error", dragAndDropEnabled: false, isAlphaClipDark: true, scrollRequiresFocus: true,
      isResizeCanvas: true, crosshairWidthUnit: "percent", crosshairWidth: 0.6, crosshairGap: 3,
      show3Dcrosshair: true, loadingText: "", dragMode: 3, isAntiAlias: false, tileMargin: 4,
      multiplanarShowRender: 1, multiplanarPadPixels: 4, clipPlaneColor: [0, 0, 0, 0],
      isClipAllVolumes: true, centerMosaic: true, viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "",
      isOrientationTextVisible: false, isColorbar: true, colorbarHeight: 0.035,
      showColorbarBorder: false, fontMinPx: 11,
    })
    niivue.keyDownListener = () => {}
    niivue.keyUpListener = () => {}
    niivue.resetBriCon = () => {}  // a double click would set a threshold that no slider shows
    niivue.onLocationChange = (place) => this.located(place)
    await niivue.attachToCanvas(this.canvas, false)
    this.stage.style.backgroundColor = this.data.canvas
    this.niivue = niivue
  }

  async load(before) {
    const { data, niivue } = this
    if (!niivue) return this.showStill()
    const isNew = before?.map !== data.map || this.loaded !== data.map
    if (isNew) {
      this.root.dataset.state = "loading"
      const started = performance.now()
      const [anatomy, map] = await Promise.all([file(data.anatomy), file(data.map)])
      if (this.data.map !== data.map) return  // another network was chosen meanwhile
      await this.take(anatomy, map)
      this.loaded = data.map
      this.root.dataset.loadedMs = Math.round(performance.now() - started)
    } else if (before?.pole !== data.pole) this.shape(niivue.volumes[1])
    this.dress()
    if (isNew || String(before?.at) !== String(data.at)) this.goTo(data.at)
    this.root.dataset.state = "drawn"
    this.root.dataset.map = data.map
  }

  // Another map of the same body only changes numbers: no image is made anew.
  async take(anatomy, map) {
    const { niivue, data } = this
    const { NVImage } = window.niivue
    if (this.body !== data.anatomy) {
      for (const volume of [...niivue.volumes].reverse()) niivue.removeVolume(volume)
      const body = await NVImage.new(anatomy.slice(0), "anatomy.nii.gz", "gray")
      Object.assign(body, { cal_min: 0, cal_max: 255, colorbarVisible: false })
      niivue.addVolume(body)
    }
    const volume = await NVImage.new(map.slice(0), "map.nii.gz", "warm")
    const { hdr } = volume
    const slope = hdr.scl_slope || 1
    // Scaled whole numbers miss zero by a little, and outside the body is zero.
    this.raw = Float32Array.from(volume.img, (value) => {
      const z = value * slope + hdr.scl_inter
      return Math.abs(z) <= slope ? 0 : z
    })
    this.sizes = [1, 2, 3].map((axis) => hdr.dims[axis])
    this.millimetres = [1, 2, 3].map((axis) => hdr.pixDims[axis])
    if (this.body === data.anatomy) return this.shape(niivue.volumes[1])
    Object.assign(hdr, { datatypeCode: FLOAT32, numBitsPerVoxel: 32, scl_slope: 1, scl_inter: 0 })
    this.shape(volume)
    niivue.addVolume(volume)
    this.body = data.anatomy
  }

  // The map as it is shown: its pole, smoothed.
  shape(volume) {
    const { pole } = this.data
    const part = pole ? this.raw.map((value) => (value * pole > 0 ? value : 0)) : this.raw
    volume.img = smoothed(part, this.sizes, this.millimetres, this.settings.fwhm)
  }

  // Colours, threshold, opacity, view and cut: all that NiiVue is told anew without a new image.
  dress() {
    const { niivue, data, settings } = this
    const volume = niivue.volumes[1]
    const palette = data.palettes[settings.colours] || Object.values(data.palettes)[0]
    niivue.addColormap("fnprune-hot", ramp(palette.hot))
    niivue.addColormap("fnprune-cold", ramp(palette.cold))
    volume._colormap = "fnprune-hot"
    volume.colormapNegative = "fnprune-cold"
    volume.cal_min = this.threshold
    volume.cal_max = Math.max(data.limit, 1.05 * this.threshold)
    volume._opacity = settings.opacity
    const { opts } = niivue
    opts.backColor = unit(data.canvas)
    opts.fontColor = unit(data.text)
    opts.crosshairColor = unit(data.accent, 0.9)
    this.layOut()
    niivue.updateGLVolume()
    niivue.drawScene()
  }

  layOut() {
    const { niivue, settings } = this
    const { opts } = niivue
    const isNarrow = this.stage.clientWidth < 560
    opts.sliceMosaicString = ""
    this.stage.dataset.view = settings.view
    if (settings.view === "mosaic") opts.sliceMosaicString = this.mosaic(isNarrow)
    opts.sliceType = settings.view === "render" ? 4 : 3
    opts.multiplanarLayout = isNarrow ? 2 : 3
    const depth = settings.view === "render" && settings.cut > 0 ? 0.5 - settings.cut : 2
    niivue.setClipPlane([depth, niivue.scene.renderAzimuth + 180, niivue.scene.renderElevation])
  }

  mosaic(isNarrow) {
    const half = this.sizes.map((size, axis) => (size * this.millimetres[axis]) / 2)
    const at = (axis, count) => Array.from({ length: count }, (_, number) =>
      Math.round(half[axis] * 0.86 * ((2 * number) / (count - 1) - 1)))
    const rows = isNarrow
      ? [["A", at(2, 6).slice(0, 3)], ["A", at(2, 6).slice(3)], ["C", at(1, 3)], ["S", at(0, 3)]]
      : [["A", at(2, 7)], ["C", at(1, 7)], ["S", at(0, 7)]]
    return rows.map(([letter, places]) => `${letter} ${places.join(" ")}`).join(" ; ")
  }

  // A setting of this browser.
  set(changed) {
    Object.assign(this.settings, changed)
    this.show("fwhm" in changed ? { isReshaped: true } : {})
  }

  show({ threshold = this.threshold, isReshaped = false }) {
    this.threshold = threshold
    this.marks()
    if (!this.niivue) return this.showStill()
    if (this.root.dataset.state !== "drawn") return
    const started = performance.now()
    if (isReshaped) this.shape(this.niivue.volumes[1])
    this.dress()
    this.root.dataset.changedMs = (performance.now() - started).toFixed(1)
  }

  showStill() {
    const { data } = this
    const address = `${data.still}&z=${this.threshold.toFixed(1)}`
    if (this.still.getAttribute("src") !== address) this.still.setAttribute("src", address)
    this.still.alt = data.alternative
    this.status.textContent = data.without
    this.root.dataset.state = "still"
  }

  // The controls as they are set.
  marks() {
    const { settings } = this
    for (const button of this.views) {
      button.setAttribute("aria-pressed", String(button.dataset.view === settings.view))
    }
    this.colours.value = this.data.palettes[settings.colours] ? settings.colours : "house"
    this.z.input.value = this.threshold
    this.z.output.textContent = this.threshold.toFixed(1)
    this.fwhm.input.value = settings.fwhm
    this.fwhm.output.textContent = settings.fwhm ? `${settings.fwhm} mm` : "none"
    this.opacity.input.value = settings.opacity
    this.opacity.output.textContent = `${Math.round(100 * settings.opacity)} %`
    this.cut.input.value = settings.cut
    this.cut.output.textContent = settings.cut ? `${Math.round(100 * settings.cut)} %` : "closed"
    this.cut.row.hidden = settings.view !== "render"
  }

  goTo(place) {
    if (!place) return
    this.niivue.scene.crosshairPos = this.niivue.mm2frac(place)
    this.niivue.createOnLocationChange()
    this.niivue.drawScene()
  }

  located(place) {
    const [body, map] = place.values
    if (!map) return
    this.voxel = Array.from(map.vox).slice(0, 3).map(Math.round)
    const [x, y, z] = this.voxel
    const [columns, rows] = this.sizes
    const inside = this.voxel.every((at, axis) => at >= 0 && at < this.sizes[axis])
    this.isUnit = inside && body.value > 0
    const layer = this.data.layers[z]
    const raw = this.isUnit ? this.raw[x + columns * (y + rows * z)] : 0
    this.status.textContent = this.isUnit
      ? `Layer ${layer}, z ${raw.toFixed(1).replace("-", "−")}. ${this.data.hint}`
      : `Outside the body. ${this.data.hint}`
  }

  pick() {
    if (this.voxel && this.isUnit) this.tell("picked", { voxel: this.voxel, at: Date.now() })
  }

  pressedKey(event) {
    if (!this.niivue || event.ctrlKey || event.metaKey || event.altKey) return
    const move = MOVES[event.key]
    const isPick = event.key === "Enter" || event.key === " "
    if (!move && !isPick) return
    event.preventDefault()
    event.stopPropagation()  // the page's own keys also listen to arrows
    if (isPick) this.pick()
    else if (this.settings.view === "render") {
      const { scene } = this.niivue
      this.niivue.setRenderAzimuthElevation(
        scene.renderAzimuth + 5 * move[0], scene.renderElevation + 5 * (move[1] + move[2]))
    } else this.niivue.moveCrosshairInVox(...move)
  }

  leave() {
    this.niivue?.cleanup()
    this.niivue?.gl?.getExtension("WEBGL_lose_context")?.loseContext()
    this.root.remove()
  }
}

const viewers = new WeakMap()

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let viewer = viewers.get(parentElement)
  if (!viewer) {
    viewer = new Viewer(parentElement)
    viewers.set(parentElement, viewer)
  }
  viewer.update(data, setTriggerValue)
  // A browser has few contexts for drawing: one is given back where the page has moved on.
  return () => setTimeout(() => {
    if (parentElement.isConnected) return
    viewers.delete(parentElement)
    viewer.leave()
  })
}

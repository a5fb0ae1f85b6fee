// Images in the grey body by NiiVue: three cuts, mosaic, rendering. What is set here changes in
// the browser alone; a press tells the voxel, and a threshold that is let go of tells its number.
const CHANGED = "fnprune-viewer"

class Viewer {
  constructor(parent) {
    this.parent = parent
    this.overlays = []
    this.build()
  }

  // What a person has set outlives a page: the next network is seen in the same way.
  get settings() {
    const kept = (window.fnpruneViewers ||= {})
    return (kept[this.data.family] ||= {
      view: this.data.view, opacity: 1, solid: this.data.solid, fwhm: this.data.fwhm ?? 0, colours: "house",
      cut: 0, grey: "",
    })
  }

  // The anatomy that was chosen, or the scene's own where it is not among this scene's.
  get grey() {
    return this.data.greys.find((each) => each.name === this.settings.grey) || this.data
  }

  get fwhm() { return this.data.fwhm === null ? 0 : this.settings.fwhm }

  build() {
    this.parts = controls()
    const { parts } = this
    this.root = element("div", { class: "viewer", role: "group" })
    parts.views.append(...VIEWS.map(([name, label]) =>
      button(label, () => this.set({ view: name }), { "data-view": name })))
    parts.z.input.oninput = () => this.show({ threshold: Number(parts.z.input.value) })
    parts.z.input.onchange = () => this.tell("threshold", this.threshold)
    for (const name of ["fwhm", "opacity", "solid", "cut"]) {
      const { input } = parts[name]
      input.oninput = () => this.set({ [name]: Number(input.value) })
    }
    parts.greys.onchange = () => this.set({ grey: parts.greys.value })
    parts.colours.onchange = () => this.set({ colours: parts.colours.value })
    const full = button("Full screen", () => this.root.requestFullscreen?.(), { class: "tool" })
    const save = button("Save", () => this.niivue?.saveScene(`${this.data.file}.png`),
      { class: "tool", "aria-label": "Save picture" })
    this.bar = element("div", { class: "bar" }, parts.views, parts.greys, parts.colours, full, save)
    this.root.append(this.bar, parts.stage, parts.legend, parts.status, parts.sliders)
    // Above NiiVue's own listeners, whose letters are keys of the page.
    parts.stage.addEventListener("keydown", (event) => this.pressedKey(event), true)
    this.listenToPointer()
    this.onOther = (event) => this.followOther(event.detail)
    window.addEventListener(CHANGED, this.onOther)
    // Tiles lie otherwise where it is narrow; NiiVue itself only draws them smaller.
    this.sizes = new ResizeObserver(() => {
      if (this.root.dataset.state === "drawn" && this.isNarrow !== this.drawnNarrow) this.dress()
    })
    this.sizes.observe(parts.stage)
    this.parent.append(this.root)
  }

  // A drag in the rendering turns it, and is no press; in the cuts the cross-hair follows it.
  listenToPointer() {
    const { canvas, tip } = this.parts
    let start = null
    canvas.addEventListener("pointerdown", (event) => {
      start = [event.clientX, event.clientY, event.button]
      tip.hidden = true
    })
    canvas.addEventListener("pointerup", (event) => {
      if (!start || start[2] !== 0) return
      const moved = Math.hypot(event.clientX - start[0], event.clientY - start[1])
      start = null
      const point = this.pointOf(event)
      // A press in the rendering is looked up while it is drawn.
      if (moved < 4 || !this.isInRendering(point)) setTimeout(() => this.pick(point), 80)
    })
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons || this.hovering) return
      this.hovering = requestAnimationFrame(() => {
        this.hovering = null
        this.hover(event)
      })
    })
    canvas.addEventListener("pointerleave", () => { tip.hidden = true })
  }

  update(data, setTriggerValue) {
    const { parts } = this
    this.data = data
    this.tell = (name, value) => setTriggerValue(name, value)
    this.root.setAttribute("aria-label", data.name)
    this.root.style.colorScheme = data.mode
    this.root.classList.toggle("small", data.small)
    parts.canvas.setAttribute("aria-label", `${data.alternative} ${data.keys}`)
    parts.canvas.classList.toggle("picks", data.picks)
    const told = data.threshold?.value
    if (this.told !== told) {
      // Only what the page says anew: its own number comes back from it, too.
      this.told = this.threshold = told
    }
    if (data.threshold) {
      const { low: min, high: max, label } = data.threshold
      Object.assign(parts.z.input, { min, max })
      parts.z.input.setAttribute("aria-label", label)
      parts.z.caption.textContent = label
    }
    if (!parts.colours.options.length) {
      parts.colours.append(...Object.entries(data.palettes).map(([name, each]) =>
        element("option", { value: name }, each.label)))
    }
    const greys = data.greys.map((each) => element("option", { value: each.name }, each.label))
    parts.greys.replaceChildren(element("option", { value: "" }, "Typical activity"), ...greys)
    parts.greys.hidden = !greys.length
    this.drawLegend()
    this.showPoster()
    this.queue = (this.queue || this.start()).then(() => this.load()).catch((error) => {
      this.root.dataset.state = "failed"
      parts.status.textContent = error.message
    })
    this.marks()
  }

  // A picture of the scene as it opens stands until it is drawn.
  showPoster() {
    const { poster, stage } = this.parts
    const isWaiting = !this.loaded && this.settings.view === this.data.view
    poster.hidden = !this.data.poster || this.data.late || !isWaiting
    if (poster.hidden) return
    poster.setAttribute("src", this.data.poster)
    stage.dataset.view = this.settings.view
    stage.style.backgroundColor = this.data.canvas
  }

  async start() {
    const { canvas, stage, still } = this.parts
    if (!hasWebGL2()) {
      this.root.classList.add("without-webgl")
      still.hidden = false
      canvas.hidden = true
      return
    }
    const { Niivue } = await library(this.data.library)
    const niivue = new Niivue({
      logLevel: "error", dragAndDropEnabled: false, isAlphaClipDark: true, scrollRequiresFocus: true,
      isResizeCanvas: true, crosshairWidthUnit: "percent", crosshairWidth: 0.6, crosshairGap: 3,
      show3Dcrosshair: true, loadingText: "", dragMode: 3, isAntiAlias: false, tileMargin: 4,
      multiplanarShowRender: 1, multiplanarPadPixels: 4, clipPlaneColor: [0, 0, 0, 0],
      isClipAllVolumes: true, centerMosaic: true, viewModeHotKey: "", clipPlaneHotKey: "",
      cycleClipPlaneHotKey: "", isOrientationTextVisible: false, isColorbar: true,
      colorbarHeight: 0.035, showColorbarBorder: false, fontMinPx: 11, meshThicknessOn2D: 5,
    })
    niivue.keyDownListener = () => {}
    niivue.keyUpListener = () => {}
    niivue.resetBriCon = () => {}  // a double click would set a threshold that no slider shows
    niivue.onLocationChange = (place) => this.located(place)
    niivue.scene.volScaleMultiplier = 1.2  // NiiVue leaves much room around what it renders
    await niivue.attachToCanvas(canvas, false)
    stage.style.backgroundColor = this.data.canvas
    this.niivue = niivue
  }

  // What names all images that a scene shows; the same name, nothing to fetch.
  content() {
    const { overlays, graph } = this.data
    const { anatomy, lesion } = this.grey
    const addresses = overlays.map((spec) => new OVERLAYS[spec.kind](spec).addresses(this.fwhm))
    return JSON.stringify([anatomy, addresses, lesion, graph])
  }

  async load() {
    if (!this.niivue) return this.showStill()
    const content = this.content()
    const isNew = this.loaded !== content
    if (isNew) {
      this.root.dataset.state = "loading"
      const started = performance.now()
      await this.take()
      if (this.content() !== content) return  // another network was chosen meanwhile
      this.loaded = content
      this.root.dataset.loadedMs = Math.round(performance.now() - started)
    } else {
      this.overlays.forEach((each, at) => { each.spec = this.data.overlays[at] })
    }
    this.shape()
    this.dress()
    const at = String(this.data.at)
    if (isNew || this.wentTo !== at) this.goTo(this.data.at)
    this.wentTo = at
    this.root.dataset.state = "drawn"
    this.parts.poster.hidden = true
    if (this.data.late && !this.asked) {
      this.asked = true
      setTimeout(() => fetch(this.data.poster).catch(() => {}), 3000)  // kept for the next visit
    }
    this.root.dataset.map = this.data.overlays.map((spec) => spec.url || "").join(" ")
  }

  // Other maps of the same body only change numbers: no image is made anew.
  async take() {
    const { niivue, data } = this
    const address = this.grey.anatomy
    const made = data.overlays.map((spec) => new OVERLAYS[spec.kind](spec))
    const [body] = await Promise.all([
      this.body?.address === address ? this.body : imageOf(address),
      ...made.map((each) => each.take(this.fwhm)),
    ])
    const kinds = data.overlays.map((spec) => spec.kind).join()
    if (this.body !== body || this.kinds !== kinds) {
      const first = this.body === body ? 1 : 0
      for (const volume of niivue.volumes.slice(first).reverse()) niivue.removeVolume(volume)
      if (!first) {
        this.body = Object.assign(body, { address })
        Object.assign(body.image, { cal_min: 0, cal_max: BRIGHTEST, colorbarVisible: false })
        niivue.addVolume(body.image)
      }
      for (const each of made) {
        each.fresh.img = each.shaped({ fwhm: this.fwhm, threshold: this.threshold })
        niivue.addVolume(each.fresh)
      }
      this.kinds = kinds
    }
    made.forEach((each) => { delete each.fresh })
    this.overlays = made
    await this.wound()
    this.drawGraph()
  }

  async wound() {
    const { margin } = this.data
    const { lesion } = this.grey
    const { image, raw, space } = this.body
    image.img = lesion ? await lesioned(raw, space.sizes, lesion, margin, this.fwhm) : raw
  }

  drawGraph() {
    const { niivue, data } = this
    for (const mesh of [...niivue.meshes]) niivue.removeMesh(mesh)
    if (data.graph) niivue.addMesh(graphMesh(niivue, data.graph, data))
  }

  // The overlays' numbers as they are shown.
  shape() {
    this.overlays.forEach((each, at) => {
      this.niivue.volumes[at + 1].img = each.shaped({ fwhm: this.fwhm, threshold: this.threshold })
    })
  }

  // Colours, threshold, opacity, view and cut: all that NiiVue is told anew without a new image.
  dress() {
    const { niivue, data, settings } = this
    const palette = data.palettes[settings.colours] || Object.values(data.palettes)[0]
    const { opts } = niivue
    this.overlays.forEach((each, at) => {
      const volume = niivue.volumes[at + 1]
      each.dress(volume, { threshold: this.threshold, niivue, palette })
      volume._opacity = settings.opacity
    })
    opts.backColor = unit(data.canvas)
    opts.fontColor = unit(data.text)
    opts.crosshairColor = unit(data.accent, 0.9)
    opts.show3Dcrosshair = !data.graph && !data.small
    opts.meshXRay = data.graph ? 0.6 : 0
    opts.isColorbar = !data.graph && !data.small
    this.quietly(() => {
      this.layOut()
      this.upload()
    })
    niivue.drawScene()
  }

  // NiiVue draws at each thing that it is told; once is enough.
  quietly(tell) {
    this.niivue.drawScene = () => {}
    try { tell() } finally { delete this.niivue.drawScene }
  }

  // The images as they are now: the grey only where it is new, for it takes as long as a map.
  upload() {
    const { niivue } = this
    const [body, ...overlays] = niivue.volumes
    // The rendering takes the grey's opacity here, the cuts when they are drawn: in the cuts it is
    // whole, in the rendering it lets through what lies inside.
    body._opacity = this.settings.solid
    if (this.uploaded !== body.img || !overlays.length) niivue.updateGLVolume()
    else overlays.forEach((volume, at) => niivue.refreshLayers(volume, at + 1))
    body._opacity = 1
    this.uploaded = body.img
  }

  get isNarrow() { return this.parts.stage.clientWidth < 560 }

  layOut() {
    const { niivue, settings, isNarrow } = this
    const { stage } = this.parts
    const { opts } = niivue
    this.drawnNarrow = isNarrow
    opts.sliceMosaicString = ""
    stage.dataset.view = settings.view
    if (settings.view === "mosaic") opts.sliceMosaicString = this.mosaic(isNarrow)
    opts.sliceType = settings.view === "render" ? RENDERING : 3
    opts.multiplanarLayout = isNarrow ? 2 : 3
    const depth = settings.view === "render" && settings.cut > 0 ? 0.5 - settings.cut : 2
    niivue.setClipPlane([depth, niivue.scene.renderAzimuth + 180, niivue.scene.renderElevation])
  }

  mosaic(isNarrow) {
    const { sizes, millimetres } = this.body.space
    const { matRAS } = this.body.image
    const half = sizes.map((size, axis) => (size * millimetres[axis]) / 2)
    const middle = sizes.map((size, axis) =>
      matRAS[4 * axis + 3] + ((size - 1) * millimetres[axis]) / 2)
    const at = (axis, count) => Array.from({ length: count }, (_, number) =>
      Math.round(middle[axis] + half[axis] * 0.8 * ((2 * number) / (count - 1) - 1)))
    const rows = isNarrow
      ? [["A", at(2, 6).slice(0, 3)], ["A", at(2, 6).slice(3)], ["C", at(1, 3)], ["S", at(0, 3)]]
      : [["A", at(2, 7)], ["C", at(1, 7)], ["S", at(0, 7)]]
    return rows.map(([letter, places]) => `${letter} ${places.join(" ")}`).join(" ; ")
  }

  // A setting of this browser; other pictures of the family follow.
  set(changed) {
    Object.assign(this.settings, changed)
    this.show({ isReshaped: "fwhm" in changed || "grey" in changed })
  }

  show({ threshold = this.threshold, isReshaped = false }) {
    this.threshold = threshold
    this.redraw(isReshaped)
    const detail = { from: this, family: this.data.family, threshold, isReshaped }
    window.dispatchEvent(new CustomEvent(CHANGED, { detail }))
  }

  followOther({ from, family, threshold, isReshaped }) {
    if (from === this || !this.data || this.data.family !== family) return
    if (this.data.threshold) this.threshold = threshold
    this.redraw(isReshaped)
  }

  redraw(isReshaped) {
    this.marks()
    if (!this.niivue) return this.showStill()
    if (this.root.dataset.state !== "drawn") return
    if (isReshaped && this.content() !== this.loaded) {
      this.queue = this.queue.then(() => this.load())  // regions come smoothed
      return
    }
    const started = performance.now()
    if (isReshaped && this.grey.lesion) {
      this.queue = this.queue.then(() => this.wound()).then(() => this.dress())
    }
    if (isReshaped || this.kinds.includes("labels")) this.shape()
    this.dress()
    this.root.dataset.changedMs = (performance.now() - started).toFixed(1)
  }

  showStill() {
    const { data } = this
    const { still, status } = this.parts
    const z = this.threshold === undefined ? "" : `&z=${this.threshold.toFixed(1)}`
    const address = data.still ? `${data.still}${z}` : ""
    still.hidden = !address
    if (address && still.getAttribute("src") !== address) still.setAttribute("src", address)
    still.alt = data.alternative
    this.parts.poster.hidden = true
    status.textContent = data.without
    this.root.dataset.state = "still"
  }

  // The controls as they are set.
  marks() {
    const { settings, parts, data } = this
    for (const each of parts.views.children) {
      each.setAttribute("aria-pressed", String(each.dataset.view === settings.view))
    }
    const kinds = data.overlays.map((spec) => spec.kind)
    parts.colours.hidden = !kinds.some((kind) => kind === "signed" || kind === "units")
    parts.colours.value = data.palettes[settings.colours] ? settings.colours : "house"
    parts.greys.value = this.grey.name && this.grey !== data ? this.grey.name : ""
    parts.z.row.hidden = !data.threshold
    if (data.threshold) {
      parts.z.input.value = this.threshold
      parts.z.output.textContent = this.threshold.toFixed(1)
    }
    parts.fwhm.row.hidden = data.fwhm === null
    parts.fwhm.input.value = settings.fwhm
    parts.fwhm.output.textContent = settings.fwhm ? `${settings.fwhm} mm` : "none"
    parts.opacity.row.hidden = !kinds.length
    parts.opacity.input.value = settings.opacity
    parts.opacity.output.textContent = `${Math.round(100 * settings.opacity)} %`
    parts.solid.row.hidden = settings.view !== "render"
    parts.solid.input.value = settings.solid
    parts.solid.output.textContent = `${Math.round(100 * settings.solid)} %`
    parts.cut.row.hidden = settings.view !== "render"
    parts.cut.input.value = settings.cut
    parts.cut.output.textContent = settings.cut ? `${Math.round(100 * settings.cut)} %` : "closed"
  }

  // Names of the networks that have a colour of their own; a press tells which.
  drawLegend() {
    const named = this.data.overlays.filter((spec) => spec.kind === "single").reverse()
    this.parts.legend.hidden = !named.length
    this.parts.legend.replaceChildren(...named.map((spec) => {
      const swatch = element("i", { style: `background:${spec.colour}` })
      const chip = button("", () => this.tell("picked", { item: spec.id, at: Date.now() }))
      chip.append(swatch, spec.name)
      chip.disabled = !this.data.picks
      return chip
    }))
  }

  goTo(place) {
    if (!place) return
    this.niivue.scene.crosshairPos = this.niivue.mm2frac(place)
    this.niivue.createOnLocationChange()
    this.niivue.drawScene()
  }

  // What is at a place: its voxel of the grid, what it is of, and that in words.
  read(place) {
    const { data, body } = this
    const [x, y, z] = body.image.mm2vox(place).map(Math.round)
    const { sizes } = body.space
    const isInside = [x, y, z].every((at, axis) => at >= 0 && at < sizes[axis])
      && body.raw[x + sizes[0] * (y + sizes[1] * z)] > 0
    const voxel = [x, y, z].map((at, axis) => at - data.margin[axis])
    if (!isInside) return { isInside, voxel, item: null, words: [] }
    const words = data.layers.length ? [`Layer ${data.layers[voxel[2]]}`]
      : [`${Array.from(place).slice(0, 3).map((at) => signed(at)).join(", ")} mm`]
    let item = null
    this.overlays.forEach((overlay, number) => {
      const at = this.niivue.volumes[number + 1].mm2vox(place).map(Math.round)
      const [columns, rows, depth] = overlay.space.sizes
      if (!at.every((each, axis) => each >= 0 && each < [columns, rows, depth][axis])) return
      const index = at[0] + columns * (at[1] + rows * at[2])
      const shown = (overlay.shown || this.niivue.volumes[number + 1].img)[index]
      const { spec } = overlay
      if (spec.kind === "labels") {
        if (!shown) return
        item = shown - 1
        words.push(spec.names[item])
      } else if (spec.kind === "signed" || spec.kind === "units") {
        words.push(`${data.threshold?.quantity ?? ""} ${signed(overlay.raw[index])}`)
      } else if (spec.kind === "single" && shown >= this.threshold) {
        item = spec.id
        words.push(spec.name)
      }
    })
    return { isInside, voxel, item, words }
  }

  located(place) {
    if (!this.body) return
    this.place = Array.from(place.mm).slice(0, 3)
    const { isInside, words } = this.read(place.mm)
    const hint = this.data.picks ? ` ${this.data.hint}` : ""
    const node = this.data.graph ? nodeAt(this.data.graph, this.place) : -1
    if (node >= 0) words.push(this.data.graph.names[node])
    this.parts.status.textContent = isInside ? `${words.join(", ")}.${hint}`
      : `Outside the body.${hint}`
  }

  pointOf(event) {
    const box = this.parts.canvas.getBoundingClientRect()
    const scale = this.parts.canvas.width / box.width
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale]
  }

  isInRendering(point) {
    if (this.settings.view === "render") return true
    return this.settings.view === "cuts" && !(this.niivue?.canvasPos2frac(point)[0] >= 0)
  }

  hover(event) {
    const { data, niivue } = this
    const { tip, stage } = this.parts
    if (!niivue || this.root.dataset.state !== "drawn") return
    const point = this.pointOf(event)
    const node = data.graph ? nodeUnder(niivue, data.graph, point) : -1
    const frac = niivue.canvasPos2frac(point)
    let words = []
    if (node >= 0) words = [data.graph.names[node]]
    else if (frac[0] >= 0) ({ words } = this.read(niivue.frac2mm(frac)))
    tip.hidden = !words.length
    if (tip.hidden) return
    tip.textContent = words.join(", ")
    const box = stage.getBoundingClientRect()
    const left = event.clientX - box.left, top = event.clientY - box.top
    const room = box.width - tip.offsetWidth - 4
    tip.style.left = `${Math.max(0, Math.min(left + 12, room))}px`
    tip.style.top = `${top > 40 ? top - 30 : top + 16}px`
  }

  pick(point) {
    const { data } = this
    if (!data.picks || !this.place || !this.niivue) return
    if (data.graph) {
      const under = point ? nodeUnder(this.niivue, data.graph, point) : -1
      const item = under >= 0 ? under : nodeAt(data.graph, this.place)
      if (item >= 0) this.tell("picked", { item, at: Date.now() })
      return
    }
    const { isInside, voxel, item } = this.read(this.place)
    if (isInside) this.tell("picked", { voxel, item, fwhm: this.fwhm, at: Date.now() })
  }

  pressedKey(event) {
    if (!this.niivue || event.ctrlKey || event.metaKey || event.altKey) return
    const move = MOVES[event.key]
    const isPick = event.key === "Enter" || event.key === " "
    if (!move && !isPick) return
    event.preventDefault()
    event.stopPropagation()  // the page's own keys also listen to arrows
    if (isPick) this.pick(null)
    else if (this.settings.view === "render") {
      const { scene } = this.niivue
      this.niivue.setRenderAzimuthElevation(
        scene.renderAzimuth + 5 * move[0], scene.renderElevation + 5 * (move[1] + move[2]))
    } else this.niivue.moveCrosshairInVox(...move)
  }

  leave() {
    window.removeEventListener(CHANGED, this.onOther)
    this.sizes.disconnect()
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
  // A browser has few contexts for drawing: one is given back where the page has moved on, and not
  // at once, for without a graphics card that takes a sixth of a second.
  return () => setTimeout(() => {
    if (parentElement.isConnected || viewers.get(parentElement) !== viewer) return
    viewers.delete(parentElement)
    viewer.leave()
  }, 1000)
}

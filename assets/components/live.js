// The live scanner: networks light up in the grey body while a text runs, token by token. All of a
// text comes at once; a frame is a sum over the voxels of the networks that are active, written
// into the overlay's texture, so that nothing is asked of the server while it plays.
const LEAST_Z = 2, FULL_Z = 4.5  // smoothed |z| from which a voxel lights up, and fully
const LEAST = 1, FULL = 4, EASE = 0.7  // times a network's usual strength, likewise; faint ones lifted
const WARM_FROM = 2.5, WARM_FULL = 12  // of the sum over networks of z × strength / FULL
const SPEEDS = [1, 2, 4, 8, 16]  // tokens a second
const VIEWS = [["all", "All"], ["cuts", "Cuts"], ["render", "Rendering"]]
const RENDER = 4
const N_TICKER = 3, N_NETWORKS = 12
const SLOW_MS = 60, REST = 6  // of a whole drawing, and how long after it, in its own length
const SUM_MS = 3000  // over which frames are counted
const FILM_WIDTH = 1280, FILM_FPS = 30, FILM_END_MS = 600  // the last frame stays for a moment
// Formats that browsers write, the one that most programs open first.
const FILM_TYPES = ["video/mp4;codecs=avc1.42E01E", "video/mp4", "video/webm;codecs=vp9", "video/webm"]

async function unpacked(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"))
  return new Response(stream).arrayBuffer()
}

// As `LiveBody.as_bytes` writes it.
async function readBody(address) {
  const content = await unpacked((await file(address)).slice(0))
  const length = new DataView(content).getUint32(0, true)
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length)))
  const n = facts.starts[facts.starts.length - 1]
  const voxels = new Uint32Array(content.slice(4 + length, 4 + length + 4 * n))
  for (let k = 0; k + 1 < facts.starts.length; k++) {
    for (let at = facts.starts[k] + 1; at < facts.starts[k + 1]; at++) voxels[at] += voxels[at - 1]
  }
  const weights = new Int8Array(content, 4 + length + 4 * n, n)
  return { ...facts, voxels, weights, grey: new Uint8Array(content, 4 + length + 5 * n) }
}

// The grey volume as a NIfTI file, which is what NiiVue opens.
function nifti(body, grey) {
  const buffer = new ArrayBuffer(352 + grey.length)
  const header = new DataView(buffer)
  header.setInt32(0, 348, true)
  ;[3, ...body.shape, 1, 1, 1, 1].forEach((size, at) => header.setInt16(40 + 2 * at, size, true))
  header.setInt16(70, 2, true)  // unsigned bytes
  header.setInt16(72, 8, true)
  const sizes = [0, 1, 2].map((axis) => Math.abs(body.affine[axis][axis]))
  ;[1, ...sizes].forEach((size, at) => header.setFloat32(76 + 4 * at, size, true))
  header.setFloat32(108, 352, true)
  header.setFloat32(112, 1, true)
  header.setInt16(254, 2, true)
  body.affine.slice(0, 3).forEach((row, axis) => row.forEach((value, column) =>
    header.setFloat32(280 + 16 * axis + 4 * column, value, true)))
  new Uint8Array(buffer, 344, 4).set([0x6e, 0x2b, 0x31, 0])  // "n+1"
  new Uint8Array(buffer, 352).set(grey)
  return buffer
}

const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
const clamp = (value, low = 0, high = 1) => Math.min(Math.max(value, low), high)
const activity = (times) => clamp((Math.abs(times) - LEAST) / (FULL - LEAST)) ** EASE
const signed = (value, digits = 1) => value.toFixed(digits).replace("-", "−")

function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

function button(label, text, attributes = {}) {
  return element("button", { type: "button", "aria-label": label, title: label, ...attributes }, text)
}

// Drawn here, for fonts differ in which signs they have.
const ICONS = {
  play: "M7 4v16l13-8z", pause: "M6 4h4v16H6zM14 4h4v16h-4z", back: "M6 5h2v14H6zM19 5v14L9 12z",
  on: "M16 5h2v14h-2zM5 5v14l10-7z",
  full: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg"
  const drawing = document.createElementNS(space, "svg")
  const path = document.createElementNS(space, "path")
  drawing.setAttribute("viewBox", "0 0 24 24")
  drawing.setAttribute("aria-hidden", "true")
  path.setAttribute("d", ICONS[name])
  drawing.append(path)
  return drawing
}

function choice(label, options, value) {
  const select = element("select", { "aria-label": label, title: label })
  for (const [name, text] of options) select.append(element("option", { value: name }, text))
  select.value = value
  return select
}

// What is seen of the film, on one canvas that can be recorded.
class FilmCanvas {
  constructor(film, background) {
    const scale = FILM_WIDTH / film.clientWidth
    this.film = film
    this.background = background
    this.canvas = element("canvas", { width: FILM_WIDTH, height: 2 * Math.round(film.clientHeight * scale / 2) })
    this.pen = this.canvas.getContext("2d")
    this.pen.scale(scale, scale)
  }

  box(part) {
    const [outer, inner] = [this.film, part].map((each) => each.getBoundingClientRect())
    return [inner.left - outer.left, inner.top - outer.top, inner.width, inner.height]
  }

  fill(part, colour) {
    this.pen.fillStyle = colour
    this.pen.fillRect(...this.box(part))
  }

  write(part) {
    const style = getComputedStyle(part)
    const [left, top, width, height] = this.box(part)
    const { pen } = this
    pen.save()
    pen.beginPath()
    pen.rect(left, top, width, height)
    pen.clip()
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`
    pen.fillStyle = style.color
    pen.textBaseline = "middle"
    const isRight = style.textAlign === "right" || part.dataset.end !== undefined
    pen.textAlign = isRight ? "right" : "left"
    pen.fillText(part.textContent, isRight ? left + width : left, top + height / 2)
    pen.restore()
  }

  draw() {
    const { film, pen } = this
    const seen = (selector) => [...film.querySelectorAll(selector)].filter((each) => each.offsetParent)
    this.fill(film, this.background)
    for (const canvas of seen("canvas")) pen.drawImage(canvas, ...this.box(canvas))
    for (const row of seen(".ticker button")) {
      const style = getComputedStyle(row)
      const [left, top, width, height] = this.box(row)
      pen.globalAlpha = 0.34
      pen.fillStyle = style.getPropertyValue("--colour")
      pen.fillRect(left, top, width * Number(style.getPropertyValue("--share")), height)
      pen.globalAlpha = 1
      pen.strokeStyle = style.borderTopColor
      pen.strokeRect(left, top, width, height)
      this.fill(row.querySelector("i"), row.querySelector("i").style.background)
    }
    for (const part of seen(".label, .caption > span, .caption mark, .ticker b, .ticker .name, "
      + ".ticker .share, .note, .most")) this.write(part)
    this.fill(film.querySelector(".cursor"), "#ffffff")
  }
}

// One body in a canvas of its own; two stand side by side where a lesion is shown.
class Body {
  constructor(label) {
    this.canvas = element("canvas", { tabindex: "-1" })
    this.label = element("span", { class: "label" }, label)
    this.root = element("div", { class: "body" }, this.canvas, this.label)
  }

  async open(data) {
    const { Niivue, NVImage } = await library(data.library)
    // What is not drawn anew must stay: where a machine is slow, cuts are drawn without the rendering.
    this.canvas.getContext("webgl2", { alpha: true, antialias: false, preserveDrawingBuffer: true })
    const niivue = new Niivue({
      logLevel: "error", dragAndDropEnabled: false, isAlphaClipDark: true, loadingText: "",
      isResizeCanvas: true, crosshairWidthUnit: "percent", crosshairWidth: 0.35, crosshairGap: 4,
      show3Dcrosshair: false, dragMode: 3, isAntiAlias: false, isColorbar: false, viewModeHotKey: "",
      clipPlaneHotKey: "", cycleClipPlaneHotKey: "", isOrientationTextVisible: false,
      scrollRequiresFocus: true, isOrientCube: false,
    })
    niivue.keyDownListener = niivue.keyUpListener = niivue.resetBriCon = () => {}
    await niivue.attachToCanvas(this.canvas, false)
    Object.assign(niivue.opts, {
      backColor: [...parts(data.canvas).map((part) => part / 255), 1],
      crosshairColor: [0.5, 0.52, 0.56, 0.5],
    })
    // Opaque in the cuts, and glass in the rendering, which alone reads the alpha.
    niivue.addColormap("fnprune-glass", {
      R: [0, 0, 255], G: [0, 0, 255], B: [0, 0, 255], A: [0, 5, 20], I: [0, 1, 255],
    })
    this.NVImage = NVImage
    this.niivue = niivue
  }

  // The body with what the lesion takes as a hole, and an overlay whose texture is written anew.
  async take(body, hole) {
    const { niivue } = this
    const grey = body.grey.slice()
    for (const voxel of hole) grey[voxel] = 1
    for (const volume of [...niivue.volumes].reverse()) niivue.removeVolume(volume)
    const base = await this.NVImage.new(nifti(body, grey), "body.nii", "fnprune-glass")
    Object.assign(base, { cal_min: 0, cal_max: 255 })
    niivue.addVolume(base)
    const light = await this.NVImage.new(nifti(body, new Uint8Array(grey.length)), "light.nii", "gray")
    Object.assign(light, { cal_min: 1, cal_max: 2 })
    niivue.addVolume(light)
    this.hole = new Set(hole)
    this.body = body
    this.sums = new Float32Array(4 * grey.length)
    this.pixels = new Uint8Array(4 * grey.length)
    this.touched = new Uint32Array(grey.length)
    this.n = 0
  }

  // Lights up networks, each with a strength in multiples of its usual one.
  light(strengths, colours, scale) {
    const { body, sums, pixels, touched } = this
    for (let at = 0; at < this.n; at++) {
      const place = 4 * touched[at]
      sums[place] = sums[place + 1] = sums[place + 2] = sums[place + 3] = 0
      pixels[place + 3] = 0
    }
    let n = 0
    for (let k = 0; k < strengths.length; k++) {
      const times = strengths[k]
      const active = activity(times)
      if (scale ? Math.abs(times) < 0.5 : active <= 0.02) continue
      const [red, green, blue] = colours[k]
      for (let at = body.starts[k]; at < body.starts[k + 1]; at++) {
        const voxel = body.voxels[at]
        if (this.hole.has(voxel)) continue
        const place = 4 * voxel
        const z = body.weights[at] * body.z_of_weight
        if (scale) {
          if (sums[place] === 0) touched[n++] = voxel
          sums[place] += (z * times) / FULL || Number.MIN_VALUE
          continue
        }
        const share = active * clamp((Math.abs(z) - LEAST_Z) / (FULL_Z - LEAST_Z))
        if (share < 0.01) continue
        if (sums[place + 3] === 0) touched[n++] = voxel
        sums[place] += share * red
        sums[place + 1] += share * green
        sums[place + 2] += share * blue
        sums[place + 3] += share
      }
    }
    this.n = n
    for (let at = 0; at < n; at++) {
      const place = 4 * touched[at]
      if (scale) scale(sums[place], pixels, place)
      else {
        const total = sums[place + 3]
        for (let channel = 0; channel < 3; channel++) {
          pixels[place + channel] = sums[place + channel] / total
        }
        pixels[place + 3] = 255 * Math.min(1, total)
      }
    }
  }

  // `isPlaying`: the rendering of a machine that draws in software costs a second; then it follows
  // a few times slower than the cuts, which are drawn alone between.
  draw(isPlaying) {
    const { niivue, body, part } = this
    const started = performance.now()
    const isWhole = !isPlaying || !part || !(this.wholeMs > SLOW_MS)
      || started - this.wholeAt > REST * this.wholeMs
    const { gl } = niivue
    gl.activeTexture(gl.TEXTURE2)
    gl.bindTexture(gl.TEXTURE_3D, niivue.overlayTexture)
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, ...body.shape, gl.RGBA, gl.UNSIGNED_BYTE, this.pixels)
    if (isWhole) {
      niivue.drawScene()
      // Reading a pixel waits until it is drawn; after a few quick ones no more is measured.
      if (!(this.nQuick > 2)) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4))
      this.wholeAt = performance.now()
      this.wholeMs = this.wholeAt - started
      this.nQuick = this.wholeMs > SLOW_MS ? 0 : (this.nQuick || 0) + 1
      return
    }
    niivue.opts.bounds = part.bounds
    niivue.customLayout = part.tiles
    niivue.drawScene()
    niivue.opts.bounds = null
    niivue.customLayout = this.tiles
  }

  layOut(view, isBeside) {
    const { clientWidth: width, clientHeight: height } = this.canvas
    const cuts = (left, top, right, bottom) => {
      const step = (right - left) / 3
      return [0, 1, 2].map((sliceType) => ({
        sliceType, position: [left + step * sliceType, top, 0.999 * step, bottom - top],
      }))
    }
    const whole = { sliceType: RENDER, position: [0, 0, 1, 1] }
    const isWide = width > 1.7 * height
    const within = ([left, top, right, bottom]) => ({
      bounds: [[left, 1 - bottom], [right, 1 - top]],  // NiiVue counts these from below
      tiles: this.tiles.filter((tile) => tile.sliceType !== RENDER).map(({ sliceType, position }) => ({
        sliceType,
        position: [(position[0] - left) / (right - left), (position[1] - top) / (bottom - top),
          position[2] / (right - left), position[3] / (bottom - top)],
      })),
    })
    let tiles = [whole]
    if (view === "cuts") {
      tiles = width > height || isBeside ? cuts(0, 0, 1, 1)
        : [0, 1, 2].map((sliceType) => ({ sliceType, position: [0, sliceType / 3, 1, 0.333] }))
    } else if (view === "all" && isWide) {
      tiles = [
        { sliceType: RENDER, position: [0, 0, 0.449, 1] },
        { sliceType: 0, position: [0.45, 0.03, 0.279, 0.94] },
        { sliceType: 1, position: [0.73, 0.03, 0.269, 0.46] },
        { sliceType: 2, position: [0.73, 0.51, 0.269, 0.46] },
      ]
    } else if (view === "all") {
      tiles = [{ sliceType: RENDER, position: [0, 0, 1, 0.599] }, ...cuts(0, 0.6, 1, 1)]
    }
    this.tiles = this.niivue.customLayout = tiles
    this.nQuick = 0
    this.part = view !== "all" ? null : within(isWide ? [0.45, 0, 1, 1] : [0, 0.6, 1, 1])
  }

  goTo(voxel) {
    const { body, niivue } = this
    const [columns, rows] = body.shape
    const place = [voxel % columns, Math.floor(voxel / columns) % rows, Math.floor(voxel / columns / rows)]
    niivue.scene.crosshairPos = niivue.vox2frac(place)
  }

  leave() {
    this.niivue?.cleanup()
    this.niivue?.gl?.getExtension("WEBGL_lose_context")?.loseContext()
  }
}

class Live {
  constructor(parent) {
    this.parent = parent
    // What a person has set outlives a text.
    this.settings = (window.fnpruneLive ||= { view: "all", colours: "networks", speed: 4 })
    this.bodies = []
    this.position = 0
    this.isPlaying = false
    this.times = []
    this.build()
  }

  build() {
    this.root = element("div", { class: "live", role: "group", tabindex: "0" })
    this.stage = element("div", { class: "bodies" })
    this.still = element("img", { class: "still", hidden: "" })
    this.open = button("Play", icon("play"), { class: "open", hidden: "" })
    this.ticker = element("ol", { class: "ticker", "aria-label": "Strongest networks here" })
    this.rows = Array.from({ length: N_TICKER }, () => {
      const row = element("button", { type: "button", class: "network" })
      row.append(element("i"), element("b"), element("span", { class: "name" }),
        element("span", { class: "share" }))
      const item = element("li", {}, row)
      this.ticker.append(item)
      row.onclick = () => this.stopAt(Number(row.dataset.network))
      return row
    })
    this.caption = element("p", { class: "caption", "aria-hidden": "true" })
    this.trace = element("canvas", { "aria-hidden": "true" })
    this.cursor = element("div", { class: "cursor" })
    this.note = element("span", { class: "note" })
    this.most = element("span", { class: "most" })
    this.traceBox = element("div", { class: "trace" }, this.trace, this.cursor, this.note, this.most)
    this.film = element("div", { class: "film" },
      element("div", { class: "room" }, this.stage, this.still, this.open, this.caption), this.ticker,
      this.traceBox)
    this.back = button("One token back", icon("back"), { class: "step" })
    this.play = button("Play", icon("play"), { class: "play" })
    this.on = button("One token on", icon("on"), { class: "step" })
    this.scrub = element("input", { type: "range", min: 0, step: 1, "aria-label": "Token" })
    this.clock = element("output", { class: "clock" })
    this.speed = choice("Speed", SPEEDS.map((each) => [each, `${each} tokens/s`]), this.settings.speed)
    this.views = choice("View", VIEWS, this.settings.view)
    this.colours = choice("Colours", [["networks", "By network"], ["warm", "Warm and cold"]],
      this.settings.colours)
    const full = button("Full screen", icon("full"), { class: "tool" })
    full.onclick = () => this.root.requestFullscreen?.()
    this.filmButton = button("Record a film", "Film", { class: "tool", "aria-expanded": "false" })
    this.filmButton.onclick = () => this.openFilm()
    this.bar = element("div", { class: "bar" }, this.back, this.play, this.on, this.scrub, this.clock,
      this.speed, this.views, this.colours, full, this.filmButton)
    const [from, to] = ["First token", "Last token"].map((label) =>
      element("input", { type: "number", min: 1, "aria-label": label }))
    this.range = { from, to }
    this.recordButton = button("Record this range", "Record", { class: "record" })
    this.recordButton.onclick = () => (this.recorder ? this.pause() : this.record())
    this.filmSays = element("span", { role: "status" })
    this.filmBar = element("div", { class: "filming", hidden: "" }, "Tokens", from, "to", to,
      this.recordButton, this.filmSays)
    this.list = element("div", { class: "networks", role: "group", "aria-label": "Networks of this text" })
    this.text = element("div", { class: "tokens", role: "group", tabindex: "0", "aria-label": "Tokens" })
    this.status = element("p", { class: "status", role: "status" })
    this.root.append(this.film, this.bar, this.filmBar, this.status, this.text, this.list)
    this.play.onclick = this.open.onclick = () => this.toggle()
    this.back.onclick = () => this.step(-1)
    this.on.onclick = () => this.step(1)
    this.scrub.oninput = () => this.stop(Number(this.scrub.value))
    this.scrub.onchange = () => this.said()
    this.speed.onchange = () => this.set({ speed: Number(this.speed.value) })
    this.views.onchange = () => this.set({ view: this.views.value })
    this.colours.onchange = () => this.set({ colours: this.colours.value })
    this.text.onclick = (event) => {
      const token = event.target.closest(".token")
      if (token) this.stop(Number(token.dataset.index), true)
    }
    this.list.onclick = (event) => {
      const pressed = event.target.closest("button")
      if (pressed) this.stopAt(Number(pressed.dataset.network))
    }
    const seek = (event) => {
      const box = this.trace.getBoundingClientRect()
      const share = clamp((event.clientX - box.left) / box.width, 0, 0.9999)
      this.stop(Math.floor(share * this.n))
    }
    this.traceBox.onpointerdown = (event) => {
      this.traceBox.setPointerCapture(event.pointerId)
      seek(event)
    }
    this.traceBox.onpointermove = (event) => { if (event.buttons) seek(event) }
    this.traceBox.onpointerup = () => this.said()
    this.root.addEventListener("keydown", (event) => this.pressedKey(event), true)
    // Two bodies turn and are cut alike.
    this.stage.addEventListener("pointermove", (event) => { if (event.buttons) this.follow(event) })
    this.stage.addEventListener("pointerup", (event) => this.follow(event))
    this.stage.addEventListener("wheel", (event) => this.follow(event), { passive: true })
    this.sizes = new ResizeObserver(() => {
      const size = `${this.film.clientWidth} ${this.film.clientHeight}`
      if (size === this.size) return
      this.size = size
      this.layOut()
      this.drawTrace()
      this.show()
    })
    this.sizes.observe(this.film)
    this.parent.append(this.root)
  }

  update(data, tell) {
    const before = this.data
    this.data = data
    this.tell = tell
    this.root.setAttribute("aria-label", `${data.name}. ${data.alternative} ${data.keys}`)
    this.root.style.colorScheme = data.mode
    this.root.classList.toggle("compact", Boolean(data.compact))
    if (data.still && this.still.src !== data.still) this.still.src = data.still
    this.still.alt = data.alternative
    if (before?.version !== data.version) this.takeText()
    if (before?.version !== data.version || this.told !== data.token) {
      this.told = data.token
      if (!(this.isPlaying && before?.version === data.version)) this.position = clamp(data.token, 0, this.n - 1)
    }
    if (!this.isLazy()) this.load(before)
    else {
      this.root.dataset.state = "waiting"
      this.still.hidden = this.open.hidden = false
    }
    this.show()
  }

  // On a page of other things the picture stands until it is asked to play.
  isLazy() {
    return this.data.compact && !this.isOpened
  }

  load(before) {
    const version = this.data.version
    if (before?.version === version && this.loaded) return
    const started = performance.now()
    this.root.dataset.state = "loading"
    this.queue = (this.queue || Promise.resolve()).then(() => this.takeBodies(version)).then(() => {
      if (this.data.version !== version) return
      this.loaded = version
      this.root.dataset.loadedMs = Math.round(performance.now() - started)
      this.root.dataset.state = this.isStill ? "still" : "paused"
      this.shownToken = null
      this.show()
      // An epoch, so that whoever pressed Read can tell how long it took.
      this.root.dataset.firstFrame = Date.now()
      if (this.isWanted || (this.data.autoplay && !matchMedia("(prefers-reduced-motion: reduce)").matches)) {
        this.isWanted = false
        this.start()
      }
    }).catch((error) => {
      this.root.dataset.state = "failed"
      this.status.textContent = error.message
    })
  }

  async takeBodies(version) {
    if (this.data.version !== version) return
    const { data } = this
    this.isStill ??= !hasWebGL2()
    this.open.hidden = true
    this.still.hidden = !this.isStill
    this.stage.hidden = this.isStill
    this.root.classList.toggle("without-webgl", this.isStill)
    this.filmButton.hidden = this.isStill || !window.MediaRecorder
    if (this.isStill) {
      if (!data.still) this.said()  // the page then draws it
      return
    }
    if (this.bodyOf !== data.body) {
      [this.body] = await Promise.all([readBody(data.body), library(data.library)])
      this.bodyOf = data.body
    }
    const { body } = this
    while (this.bodies.length > data.runs.length) {
      const gone = this.bodies.pop()
      gone.root.remove()
      gone.leave()
    }
    for (const [number, run] of data.runs.entries()) {
      if (!this.bodies[number]) {
        const made = new Body(run.label)
        this.stage.append(made.root)
        await made.open(data)
        made.niivue.onLocationChange = () => {}
        this.bodies.push(made)
      }
      const shown = this.bodies[number]
      shown.label.textContent = run.label
      shown.label.hidden = data.runs.length < 2
      shown.canvas.setAttribute("aria-label", `${run.label}: ${data.alternative}`)
      const key = data.body + run.hole
      if (shown.key !== key) {
        await shown.take(body, run.hole ? new Uint32Array(decoded(run.hole)) : [])
        shown.key = key
        const [x, y, z] = data.at
        shown.goTo(x + body.shape[0] * (y + body.shape[1] * z))
      }
    }
    this.stage.dataset.bodies = this.film.dataset.bodies = this.bodies.length
    this.layOut()
  }

  // A new text: strengths are unpacked, and its tokens and networks are listed.
  takeText() {
    const { data } = this
    this.loaded = null
    this.pause()
    this.n = data.pieces.length
    for (const end of Object.values(this.range)) end.max = this.n
    this.range.from.value = 1
    this.range.to.value = this.n
    this.filmSays.textContent = ""
    this.rgb = data.colours.map(parts)
    this.isDummy = new Uint8Array(this.n)
    data.dummy.forEach((token) => { this.isDummy[token] = 1 })
    this.runs = data.runs.map((run) => ({ ...run, times: new Int16Array(decoded(run.relative)) }))
    const energy = data.names.map((_, k) => {
      let sum = 0
      for (let token = 0; token < this.n; token++) sum += this.timesOf(0, k, token) ** 2
      return sum
    })
    this.order = energy.map((_, k) => k).sort((a, b) => energy[b] - energy[a])
    this.strongest = Array.from({ length: this.n }, (_, token) => this.rank(0, token))
    this.frame = new Float32Array(data.names.length)
    this.scrub.max = this.n - 1
    this.drawTokens()
    this.drawNetworks()
    this.drawTrace()
    this.shownToken = null
  }

  // How many times its usual strength a network has at a token.
  timesOf(run, network, token) {
    return this.runs[run].times[network * this.n + token] / 100
  }

  // The three networks of most energy at a token, with their shares.
  rank(run, token) {
    if (this.isDummy[token]) return []
    let total = 0
    const best = []
    for (let network = 0; network < this.data.names.length; network++) {
      const times = this.timesOf(run, network, token)
      const energy = times * times
      total += energy
      if (best.length < N_TICKER || energy > best[best.length - 1].energy) {
        best.push({ network, times, energy })
        best.sort((a, b) => b.energy - a.energy)
        if (best.length > N_TICKER) best.pop()
      }
    }
    return total > 0 ? best.map((each) => ({ ...each, share: each.energy / total })) : []
  }

  peakOf(network) {
    const { body } = this.bodies[0]
    let best = body.starts[network]
    for (let at = best; at < body.starts[network + 1]; at++) {
      if (Math.abs(body.weights[at]) > Math.abs(body.weights[best])) best = at
    }
    return body.voxels[best] || 0
  }

  drawTokens() {
    const rows = document.createDocumentFragment()
    this.data.pieces.forEach((piece, index) => {
      const token = element("span", { class: "token", "data-index": index })
      piece.split("\n").forEach((line, number) => {
        if (number) token.append(element("span", { class: "break" }, "↵"), "\n")
        if (line) token.append(line)  // as text, whatever it says
      })
      const [first] = this.strongest[index]
      if (first) {
        const alpha = 0.35 * activity(first.times)  // the word stays readable on any colour
        token.style.background = `rgba(${this.rgb[first.network].join(",")},${alpha.toFixed(3)})`
      }
      if (index < this.data.n_prompt) token.classList.add("given")
      if (this.isDummy[index]) token.classList.add("dummy")
      token.title = this.words(index)
      rows.append(token)
    })
    this.text.replaceChildren(rows)
  }

  drawNetworks() {
    const shown = this.order.slice(0, N_NETWORKS)
    this.list.replaceChildren(...shown.map((network) => {
      const pressed = button(`Network ${network}, ${this.data.names[network]}: stop where it is strongest`,
        "", { "data-network": network })
      const dot = element("i")
      dot.style.background = this.data.colours[network]
      pressed.append(dot, `${network} · ${this.data.names[network]}`)
      return pressed
    }))
  }

  // The surprise of each token as bars, and below it the colour of the strongest network.
  drawTrace() {
    if (!this.runs) return
    const { trace, data } = this
    const density = window.devicePixelRatio || 1
    const width = trace.clientWidth, height = trace.clientHeight
    if (!width) return
    trace.width = width * density
    trace.height = height * density
    const pen = trace.getContext("2d")
    pen.scale(density, density)
    const most = Math.max(4, ...this.runs.flatMap((run) => run.surprise.filter((each) => each !== null)))
    const ribbon = 7, top = 18, room = height - ribbon - 4 - top, step = width / this.n
    for (let token = 0; token < this.n; token++) {
      const x = token * step, bar = Math.max(step - (step > 3 ? 1 : 0), 0.6)
      const value = this.runs[0].surprise[token]
      if (value !== null) {
        pen.fillStyle = data.quiet
        const size = (value / most) * room
        pen.fillRect(x, top + room - size, bar, size)
      }
      const [first] = this.strongest[token]
      if (first) {
        pen.fillStyle = data.colours[first.network]
        pen.globalAlpha = 0.25 + 0.75 * activity(first.times)
        pen.fillRect(x, height - ribbon, bar, ribbon)
        pen.globalAlpha = 1
      }
    }
    if (this.runs[1]) {
      pen.strokeStyle = data.accent
      pen.lineWidth = 1.4
      pen.beginPath()
      let isDown = false
      this.runs[1].surprise.forEach((value, token) => {
        const x = (token + 0.5) * step
        if (value === null) isDown = false
        else if (isDown) pen.lineTo(x, top + room - (value / most) * room)
        else pen.moveTo(x, top + room - (value / most) * room)
        if (value !== null) isDown = true
      })
      pen.stroke()
    }
    this.note.textContent = this.runs[1] ? "Surprise: healthy (bars), lesioned (line)" : "Surprise"
    this.most.textContent = `${most.toFixed(0)} nats`
  }

  words(token) {
    if (this.isDummy[token]) return `token ${token}: left out, the model only warms up`
    const tells = this.strongest[token].map(({ network, times, share }) =>
      `${network} ${this.data.names[network]} ${Math.round(100 * share)} % (${signed(times)}×)`)
    const surprise = this.runs[0].surprise[token]
    const told = surprise === null ? "" : `; surprise ${surprise.toFixed(1)} nats`
    const beside = this.runs[1]?.surprise[token]
    const lesioned = beside === undefined || beside === null ? "" : `, ${beside.toFixed(1)} lesioned`
    return `token ${token}: ${tells.join(", ")}${told}${lesioned}`
  }

  set(changed) {
    Object.assign(this.settings, changed)
    this.layOut()
    this.times = []
    this.show()
  }

  layOut() {
    this.film.dataset.view = this.settings.view
    for (const body of this.bodies) if (body.body) body.layOut(this.settings.view, this.bodies.length > 1)
  }

  // Frame at the present position: between two tokens one fades into the other.
  show() {
    if (!this.runs) return
    const token = Math.min(Math.floor(this.position), this.n - 1)
    const next = Math.min(token + 1, this.n - 1)
    const part = clamp((this.position - token - 0.45) / 0.55)
    const fade = part * part * (3 - 2 * part)
    if (this.loaded && !this.isStill) {
      const scale = this.settings.colours === "warm" ? this.scale() : null
      const started = performance.now()
      this.bodies.forEach((body, run) => {
        for (let k = 0; k < this.frame.length; k++) {
          const from = this.isDummy[token] ? 0 : this.timesOf(run, k, token)
          const to = this.isDummy[next] ? 0 : this.timesOf(run, k, next)
          this.frame[k] = from + fade * (to - from)
        }
        body.light(this.frame, this.rgb, scale)
        body.draw(this.isPlaying)
      })
      this.root.dataset.frameMs = (performance.now() - started).toFixed(1)
    }
    this.cursor.style.left = `${(100 * (token + 0.5)) / this.n}%`
    if (this.shownToken !== token) this.showToken(token)
    this.filmCanvas?.draw()
  }

  showToken(token) {
    this.shownToken = token
    this.root.dataset.token = token
    this.scrub.value = token
    this.clock.textContent = `${token + 1} / ${this.n}`
    this.showTicker(token)
    this.showWords(token)
    if (!this.isPlaying) this.tellWords(token)
  }

  scale() {
    const [hot, cold] = [this.data.hot, this.data.cold].map((colours) => colours.map(parts))
    return (value, pixels, place) => {
      const size = Math.abs(value)
      if (size < WARM_FROM) return
      const colours = value > 0 ? hot : cold
      const step = clamp((size - WARM_FROM) / (WARM_FULL - WARM_FROM)) * (colours.length - 1)
      const low = Math.min(Math.floor(step), colours.length - 2)
      for (let channel = 0; channel < 3; channel++) {
        const from = colours[low][channel], to = colours[low + 1][channel]
        pixels[place + channel] = from + (step - low) * (to - from)
      }
      pixels[place + 3] = 255
    }
  }

  showTicker(token) {
    const ranked = this.strongest[token]
    this.ticker.classList.toggle("silent", !ranked.length)
    this.rows.forEach((row, place) => {
      const found = ranked[place]
      row.parentElement.hidden = !found
      if (!found) return
      const { network, times, share } = found
      row.dataset.network = network
      row.querySelector("b").textContent = network
      row.querySelector(".name").textContent = this.data.names[network]
      row.querySelector(".share").textContent = `${Math.round(100 * share)} %`
      const mark = row.querySelector("i")
      mark.style.background = this.data.colours[network]
      mark.style.opacity = 0.3 + 0.7 * activity(times)
      row.style.setProperty("--share", share.toFixed(3))
      row.style.setProperty("--colour", this.data.colours[network])
      row.title = `${Math.round(100 * share)} % of the energy, ${signed(times)} times its usual `
        + "strength; press to stop where it is strongest"
    })
  }

  // The words that run below the body, and the place in the text.
  showWords(token) {
    const from = Math.max(0, token - 14)
    const before = this.data.pieces.slice(from, token).join("").replaceAll("\n", " ")
    const now = element("mark", {}, this.data.pieces[token].replaceAll("\n", "↵") || "…")
    const [first] = this.strongest[token]
    now.style.setProperty("--colour", first ? this.data.colours[first.network] : this.data.quiet)
    this.caption.replaceChildren(element("span", { "data-end": "" }, element("span", {}, before)), now)
    this.text.querySelector('[aria-current="true"]')?.removeAttribute("aria-current")
    const here = this.text.children[token]
    here.setAttribute("aria-current", "true")
    const below = here.offsetTop - this.text.offsetTop
    if (below < this.text.scrollTop || below > this.text.scrollTop + this.text.clientHeight - 36) {
      this.text.scrollTop = below - this.text.clientHeight / 3
    }
  }

  tellWords(token) {
    const text = this.data.pieces[token]
    const piece = text.trim() || (text.includes("\n") ? "line break" : "space")
    const still = this.isStill ? ` ${this.data.without}` : ""
    this.status.textContent = `“${piece}”, ${this.words(token)}.${still}`
  }

  toggle() {
    if (this.isLazy()) {
      this.isOpened = this.isWanted = true
      this.load()
    } else if (this.isPlaying) {
      this.pause()
      this.said()
    } else this.start()
  }

  start() {
    if (!this.loaded || this.isPlaying) return
    const end = this.recorder ? this.range.to.value - 1 : this.n - 1
    if (this.position >= end && !this.recorder) this.position = 0
    this.isPlaying = true
    this.marks()
    this.times = []
    let last = performance.now()
    const tick = (now) => {
      if (!this.isPlaying || !this.root.isConnected) return
      // By the clock: where a machine draws slowly, frames are left out and the text goes on.
      this.position += (clamp(now - last, 0, 500) / 1000) * this.settings.speed
      last = now
      if (this.position >= end) {
        this.position = end
        this.show()
        this.pause()
        this.tellWords(end)
        this.said()
        return
      }
      this.show()
      this.count(performance.now())
      requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  }

  count(now) {
    this.times.push(now)
    this.root.dataset.frames = Number(this.root.dataset.frames || 0) + 1
    while (now - this.times[0] > SUM_MS) this.times.shift()
    const span = now - this.times[0]
    if (span > 0.2 * SUM_MS) this.root.dataset.fps = ((1000 * (this.times.length - 1)) / span).toFixed(1)
  }

  pause() {
    this.isPlaying = false
    this.marks()
    this.endFilm()
  }

  openFilm() {
    this.filmBar.hidden = !this.filmBar.hidden
    this.filmButton.setAttribute("aria-expanded", String(!this.filmBar.hidden))
  }

  // Plays a range of tokens at the chosen speed while the browser records it; then saves the file.
  record() {
    const { from, to } = this.range
    const ends = [from, to].map((end) => clamp(Math.round(Number(end.value)) || 1, 1, this.n))
    ;[from.value, to.value] = ends
    if (ends[1] <= ends[0]) {
      this.filmSays.textContent = "The last token must come after the first."
      return
    }
    this.pause()
    this.position = ends[0] - 1
    this.shownToken = null
    this.filmCanvas = new FilmCanvas(this.film, this.data.canvas)
    const type = FILM_TYPES.find((each) => MediaRecorder.isTypeSupported(each))
    const pieces = []
    const recorder = new MediaRecorder(this.filmCanvas.canvas.captureStream(FILM_FPS),
      { mimeType: type, videoBitsPerSecond: 6_000_000 })
    recorder.ondataavailable = ({ data }) => { if (data.size) pieces.push(data) }
    recorder.onstop = () => this.saveFilm(new Blob(pieces, { type }))
    recorder.start()
    this.recorder = recorder
    this.recordButton.textContent = "Stop"
    const seconds = (ends[1] - ends[0]) / this.settings.speed
    this.filmSays.textContent = `Recording, ${Math.ceil(seconds)} s at this speed`
    this.start()
  }

  endFilm() {
    const { recorder } = this
    if (!recorder) return
    this.recorder = null
    this.recordButton.textContent = "Record"
    setTimeout(() => {
      recorder.stop()
      this.filmCanvas = null
    }, FILM_END_MS)
  }

  saveFilm(film) {
    const ending = film.type.startsWith("video/mp4") ? "mp4" : "webm"
    const link = element("a", { href: URL.createObjectURL(film), download: `fnprune-live.${ending}` })
    this.filmSays.replaceChildren(link)
    link.textContent = `Save the film (${ending.toUpperCase()}, ${(film.size / 1e6).toFixed(1)} MB)`
    this.root.dataset.filmBytes = film.size
    link.click()
  }

  marks() {
    if (this.loaded) this.root.dataset.state = this.isPlaying ? "playing" : this.isStill ? "still" : "paused"
    this.play.replaceChildren(icon(this.isPlaying ? "pause" : "play"))
    const label = this.isPlaying ? "Pause" : "Play"
    this.play.setAttribute("aria-label", label)
    this.play.title = `${label} (space)`
  }

  stop(token, isTold = false) {
    this.pause()
    this.position = clamp(token, 0, this.n - 1)
    this.shownToken = null
    this.show()
    if (isTold) this.said()
  }

  step(by) {
    this.stop(Math.floor(this.position) + by, true)
  }

  // Where a network is strongest, in the text and in the body.
  stopAt(network) {
    let best = 0
    for (let token = 0; token < this.n; token++) {
      const isMore = Math.abs(this.timesOf(0, network, token)) > Math.abs(this.timesOf(0, network, best))
      if (!this.isDummy[token] && (this.isDummy[best] || isMore)) best = token
    }
    if (this.loaded && !this.isStill) {
      const peak = this.peakOf(network)
      for (const body of this.bodies) body.goTo(peak)
    }
    this.stop(best)
    this.said(network)
  }

  // Tells the page where it stopped, which keeps it in the address.
  said(network = null) {
    const token = Math.floor(this.position)
    this.told = token
    if (this.data.told) {
      this.tell("stopped", { token, network, isStill: Boolean(this.isStill), at: Date.now() })
    }
  }

  follow(event) {
    const moved = this.bodies.find((body) => body.root.contains(event.target))
    if (!moved?.body) return
    setTimeout(() => {
      for (const body of this.bodies) {
        if (body === moved) continue
        body.niivue.scene.crosshairPos = [...moved.niivue.scene.crosshairPos]
        const { renderAzimuth, renderElevation } = moved.niivue.scene
        body.niivue.setRenderAzimuthElevation(renderAzimuth, renderElevation)
      }
    })
  }

  pressedKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const own = event.target.closest("button, select, input")
    const moves = { ArrowLeft: -1, ArrowRight: 1 }
    if (own?.tagName === "SELECT" || (own?.type === "range" && event.key in moves)) {
      event.stopPropagation()  // the page's own keys also listen to arrows
      return
    }
    if (event.key in moves) this.step(moves[event.key])
    else if (event.key === " " && !own) this.toggle()
    else if (event.key === "Home") this.stop(0, true)
    else if (event.key === "End") this.stop(this.n - 1, true)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  leave() {
    this.pause()
    this.sizes.disconnect()
    for (const body of this.bodies) body.leave()
    this.root.remove()
  }
}

const scanners = new WeakMap()

function scanner(component) {
  const { data, parentElement, setTriggerValue } = component
  let live = scanners.get(parentElement)
  if (!live) {
    live = new Live(parentElement)
    scanners.set(parentElement, live)
  }
  live.update(data, setTriggerValue)
  // A browser has few contexts for drawing: they are given back where the page has moved on.
  return () => setTimeout(() => {
    if (parentElement.isConnected) return
    scanners.delete(parentElement)
    live.leave()
  })
}

export default scanner

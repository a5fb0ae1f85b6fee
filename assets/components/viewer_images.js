// Images of the viewer: fetched once a visit, coloured, smoothed for the eye, and cut.
const SIGMA_PER_FWHM = 1 / Math.sqrt(8 * Math.log(2))
const FLOAT32 = 16, RGBA32 = 2304  // NIfTI's numbers of two types
// Opacities of regions: of their inside, and of those that fade beside the selected one.
const INSIDE = 0.62, FADED = 0.12
const BRIGHTEST = 255

const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
const unit = (colour, alpha = 1) => [...parts(colour).map((part) => part / 255), alpha]

// From the first step on; NiiVue gives the very first colour to all that lies below the threshold.
function ramp(rgb) {
  const [R, G, B] = [0, 1, 2].map((channel) => [rgb[0], ...rgb].map((colour) => colour[channel]))
  const steps = rgb.map((_, at) => Math.max(1, Math.round((255 * at) / (rgb.length - 1))))
  return { R, G, B, A: [0, ...rgb.map(() => 255)], I: [0, ...steps] }
}

// One colour that gets lighter where a map is stronger.
function shades(colour) {
  const rgb = parts(colour)
  const towards = (target, share) => rgb.map((part) => Math.round(part + share * (target - part)))
  return [towards(0, 0.25), rgb, towards(255, 0.45)]
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

function blurred(values, { sizes, millimetres }, fwhm) {
  let out = values
  for (const axis of [0, 1, 2]) {
    out = blurAxis(out, sizes, axis, (fwhm * SIGMA_PER_FWHM) / millimetres[axis])
  }
  return out
}

// The smoothed map has the spread of the raw one, so that a threshold leaves about as much of it.
function smoothed(values, space, fwhm) {
  const out = blurred(values, space, fwhm)
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

// A fetched file as NiiVue's image, and its numbers as they were written.
async function imageOf(address) {
  const bytes = await file(address)
  const image = await window.niivue.NVImage.new(bytes.slice(0), "image.nii.gz", "gray")
  const { hdr } = image
  const slope = hdr.scl_slope || 1
  const isWhole = slope === 1 && !hdr.scl_inter
  // Scaled whole numbers miss zero by a little, and outside the body is zero.
  const raw = isWhole ? image.img : Float32Array.from(image.img, (value) => {
    const number = value * slope + hdr.scl_inter
    return Math.abs(number) <= slope ? 0 : number
  })
  const space = {
    sizes: [1, 2, 3].map((axis) => hdr.dims[axis]),
    millimetres: [1, 2, 3].map((axis) => hdr.pixDims[axis]),
  }
  return { image, raw, space }
}

function typed(image, datatypeCode, numBitsPerVoxel) {
  Object.assign(image.hdr, { datatypeCode, numBitsPerVoxel, scl_slope: 1, scl_inter: 0 })
}

// What lies over the anatomy: each kind fetches its numbers, shapes them, and dresses a volume.
class SignedOverlay {
  constructor(spec) { this.spec = spec }

  addresses() { return [this.spec.url] }

  async take() {
    const { image, raw, space } = await imageOf(this.spec.url)
    Object.assign(this, { raw, space, fresh: image })
    typed(image, FLOAT32, 32)
  }

  // The part that is shown: its pole, smoothed.
  shaped({ fwhm }) {
    const { pole } = this.spec
    const part = pole ? this.raw.map((value) => (value * pole > 0 ? value : 0)) : this.raw
    return smoothed(Float32Array.from(part), this.space, fwhm)
  }

  dress(volume, { threshold, niivue, palette }) {
    niivue.addColormap("fnprune-hot", ramp(palette.hot.map(parts)))
    niivue.addColormap("fnprune-cold", ramp(palette.cold.map(parts)))
    volume._colormap = "fnprune-hot"
    volume.colormapNegative = "fnprune-cold"
    volume.cal_min = threshold
    volume.cal_max = Math.max(this.spec.limit, 1.05 * threshold)
    volume.colorbarVisible = true
  }
}

// A map whose values of units came with the page.
class UnitsOverlay extends SignedOverlay {
  addresses() { return [this.spec.url, this.spec.values] }

  async take() {
    const { image, raw, space } = await imageOf(this.spec.url)
    const bytes = Uint8Array.from(atob(this.spec.values), (letter) => letter.charCodeAt(0))
    const values = new Int16Array(bytes.buffer)
    this.raw = Float32Array.from(raw, (number) =>
      (number > 0 ? values[number - 1] * this.spec.step : 0))
    Object.assign(this, { space, fresh: image })
    typed(image, FLOAT32, 32)
  }
}

class SingleOverlay extends SignedOverlay {
  shaped(settings) { return super.shaped(settings).map(Math.abs) }

  dress(volume, { threshold, niivue }) {
    const name = `fnprune-${this.spec.colour.slice(1)}`
    niivue.addColormap(name, ramp(shades(this.spec.colour)))
    volume._colormap = name
    volume.colormapNegative = ""
    volume.cal_min = threshold
    volume.cal_max = Math.max(this.spec.limit, 1.05 * threshold)
    volume.colorbarVisible = false
  }
}

class LabelsOverlay {
  constructor(spec) { this.spec = spec }

  // Of the smoothings that there are, the one nearest to what is wanted.
  at(fwhm) {
    const known = Object.keys(this.spec.labels).map(Number)
    return known.reduce((best, each) =>
      Math.abs(each - fwhm) < Math.abs(best - fwhm) ? each : best)
  }

  addresses(fwhm) {
    return [this.spec.labels[this.at(fwhm)], this.spec.strengths[this.at(fwhm)]]
  }

  async take(fwhm) {
    const [labels, strengths] = await Promise.all(this.addresses(fwhm).map(imageOf))
    Object.assign(this, {
      raw: labels.raw, strengths: strengths.raw, space: labels.space, fresh: labels.image,
    })
    typed(labels.image, RGBA32, 32)
    labels.image.hdr.intent_code = 0
  }

  // Colours of regions with outlines: NiiVue's own take ten times as long without a GPU.
  shaped({ threshold }) {
    const { only, colours } = this.spec
    const beyond = 100 * (threshold ?? 0)  // members need none
    const shown = this.shown = Int16Array.from(this.raw, (label, at) =>
      (this.strengths[at] > beyond ? label : 0))
    const rgb = colours.map(parts)
    const [columns, rows] = this.space.sizes
    const out = new Uint8Array(4 * shown.length)
    for (let at = 0; at < shown.length; at++) {
      const label = shown[at]
      if (!label) continue
      // One side of each border, so that the line between two regions is one voxel wide.
      const isBorder = shown[at + 1] !== label || shown[at + columns] !== label
        || shown[at + columns * rows] !== label
      const isFaded = only !== null && only !== label - 1
      const colour = rgb[label - 1]
      out[4 * at] = colour[0]
      out[4 * at + 1] = colour[1]
      out[4 * at + 2] = colour[2]
      out[4 * at + 3] = 255 * (isFaded ? FADED : isBorder ? 1 : INSIDE)
    }
    return out
  }

  dress(volume) { volume.colorbarVisible = false }
}

const OVERLAYS = {
  signed: SignedOverlay, units: UnitsOverlay, single: SingleOverlay, labels: LabelsOverlay,
}

// The anatomy with what is cut taken out of it, as far as each place consists of it.
async function lesioned(grey, body, { units, bits }, margin, fwhm) {
  const { raw, space } = await imageOf(units)
  const cut = Uint8Array.from(atob(bits), (letter) => letter.charCodeAt(0))
  const isCut = (number) => (cut[number >> 3] >> (7 - (number & 7))) & 1
  const removed = Float32Array.from(raw, (number) => (number > 0 && isCut(number - 1) ? 1 : 0))
  const present = Float32Array.from(raw, (number) => (number > 0 ? 1 : 0))
  const share = blurred(removed, space, fwhm), whole = blurred(present, space, fwhm)
  const [columns, rows, depth] = space.sizes
  const out = Uint8Array.from(grey)
  for (let z = 0, at = 0; z < depth; z++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, at++) {
        if (!present[at]) continue
        const place = x + margin[0] + body[0] * (y + margin[1] + body[1] * (z + margin[2]))
        const left = 1 - share[at] / whole[at]
        out[place] = Math.round(grey[place] * left * left)
      }
    }
  }
  return out
}

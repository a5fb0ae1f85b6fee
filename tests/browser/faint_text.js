// Return all text on the page whose contrast with what lies behind it is below 4.5 (WCAG AA): ratio,
// element, colours, words. Words on pictures are passed over, as are icons, what is disabled, and a
// slider's value, which stands above the thumb that it is inside of.
const parse = (text) => {
  const probe = parse.probe ??= document.createElement('canvas').getContext('2d', {willReadFrequently: true})
  probe.clearRect(0, 0, 1, 1); probe.fillStyle = '#000'; probe.fillStyle = text; probe.fillRect(0, 0, 1, 1)
  const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data
  return [r, g, b, a / 255]
}
const over = (top, below) => {
  const a = top[3]
  return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(1)
}
const parentOf = (e) => e.assignedSlot ?? e.parentElement ?? e.getRootNode().host ?? null
const luminance = (c) => {
  const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const faint = new Map()
const look = (root) => {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT)
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    if (node.shadowRoot) look(node.shadowRoot)
    if (node.nodeType !== Node.TEXT_NODE || !node.data.trim()) continue
    const owner = node.parentElement ?? node.getRootNode().host
    if (!owner || ['STYLE', 'SCRIPT', 'NOSCRIPT', 'TEMPLATE'].includes(owner.tagName)) continue
    if (owner.closest('[disabled], [aria-disabled=true], [aria-hidden=true], [data-testid=stIconMaterial], [data-testid=stSliderThumbValue]')) continue
    const range = document.createRange(); range.selectNodeContents(node)
    const box = range.getBoundingClientRect()
    if (box.width < 2 || box.height < 2) continue
    const style = getComputedStyle(owner)
    if (style.visibility !== 'visible') continue
    const isSvg = owner instanceof SVGElement
    let colour = parse(isSvg ? style.fill : style.color), opacity = 1, layers = []
    if (isSvg) colour[3] *= Number(style.fillOpacity)
    for (let e = owner; e; e = parentOf(e)) {
      const s = getComputedStyle(e)
      opacity *= Number(s.opacity)
      const image = s.backgroundImage !== 'none' && !isSvg
      const c = parse(s.backgroundColor)
      if (image) { layers = null; break }
      if (c[3] > 0) layers.push(c)
      if (c[3] === 1) break
    }
    if (layers === null || opacity < 0.05) continue
    let ground = [255, 255, 255, 1]
    for (const c of layers.reverse()) ground = over(c, ground)
    colour[3] *= opacity
    const shown = over(colour, ground)
    const [light, dark] = [luminance(shown), luminance(ground)].sort((a, b) => b - a)
    const ratio = (light + 0.05) / (dark + 0.05)
    if (ratio < 4.5) {
      const name = `${owner.tagName.toLowerCase()}.${String(owner.className.baseVal ?? owner.className).split(' ')[0].slice(0, 30)}`
      const key = `${name} ${style.color} on ${ground.slice(0, 3).map(Math.round)}`
      if (!faint.has(key)) faint.set(key, `${ratio.toFixed(2)} ${key} “${node.data.trim().slice(0, 40)}”`)
    }
  }
}
look(document.body)
return [...faint.values()]

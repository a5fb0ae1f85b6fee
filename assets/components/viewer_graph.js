// Nodes and edges in the glass body: NiiVue's connectome, and the node that is under the pointer.
const EDGE_MM = 1.2  // radius of the widest edge
const RENDERING = 4  // NiiVue's number of the view

function graphMesh(niivue, graph, { accent, signs }) {
  const nodes = {
    names: graph.names.map(() => ""),
    X: graph.places.map((place) => place[0]),
    Y: graph.places.map((place) => place[1]),
    Z: graph.places.map((place) => place[2]),
    // Each node has a colour of its own: its number, in a map of as many steps.
    Color: graph.places.map((_, at) => at + 1),
    Size: graph.sizes.map((size, at) => size * (at === graph.selected ? 1.35 : 1)),
  }
  const n = graph.places.length
  const edges = new Array(n * n).fill(0)
  for (const [a, b, value] of graph.edges) edges[Math.min(a, b) * n + Math.max(a, b)] = value
  const colours = graph.colours.map((colour, at) => (at === graph.selected ? accent : colour))
  niivue.addColormap("fnprune-nodes", stepped(colours.map(parts)))
  niivue.addColormap("fnprune-plus", stepped([parts(signs[0])]))
  niivue.addColormap("fnprune-minus", stepped([parts(signs[1])]))
  return niivue.loadConnectomeAsMesh({
    name: "graph", nodes, edges, nodeScale: 1, nodeColormap: "fnprune-nodes",
    nodeColormapNegative: "fnprune-nodes", nodeMinColor: 0, nodeMaxColor: 255,
    edgeColormap: "fnprune-plus", edgeColormapNegative: "fnprune-minus",
    edgeMin: 0, edgeMax: graph.limit, edgeScale: EDGE_MM / graph.limit, showLegend: false,
    legendLineThickness: 0,
  })
}

// A colour map of 256 entries in which entry n has the n-th colour, the last one from then on.
function stepped(rgb) {
  const at = (number) => rgb[Math.min(Math.max(number - 1, 0), rgb.length - 1)]
  const entries = Array.from({ length: 256 }, (_, number) => at(number))
  const [R, G, B] = [0, 1, 2].map((channel) => entries.map((colour) => colour[channel]))
  return { R, G, B, A: entries.map(() => 255), I: entries.map((_, number) => number) }
}

// The node that is drawn under a point of the canvas in the rendering, −1 for none.
function nodeUnder(niivue, graph, point) {
  const tile = niivue.screenSlices?.find((each) => each.axCorSag === RENDERING)
  const [left, top, width, height] = tile?.leftTopWidthHeight ?? [0, 0, 0, 0]
  const box = width && height ? [left, top, width, height]
    : [0, 0, niivue.gl.canvas.width, niivue.gl.canvas.height]
  const inside = point[0] >= box[0] && point[0] <= box[0] + box[2]
    && point[1] >= box[1] && point[1] <= box[1] + box[3]
  if (!inside) return -1
  const { scene } = niivue
  const [matrix] = niivue.calculateMvpMatrix(null, box, scene.renderAzimuth, scene.renderElevation)
  let found = -1, nearest = Infinity
  graph.places.forEach((place, at) => {
    const [x, y, depth] = projected(matrix, place, box)
    const [edge] = projected(matrix, [place[0] + graph.sizes[at], place[1], place[2]], box)
    const [, side] = projected(matrix, [place[0], place[1], place[2] + graph.sizes[at]], box)
    const reach = Math.max(Math.abs(edge - x), Math.abs(side - y), 6) + 2
    if (Math.hypot(point[0] - x, point[1] - y) <= reach && depth < nearest) {
      found = at
      nearest = depth
    }
  })
  return found
}

function projected(matrix, [x, y, z], [left, top, width, height]) {
  const row = (at) => matrix[at] * x + matrix[at + 4] * y + matrix[at + 8] * z + matrix[at + 12]
  const w = row(3) || 1
  return [
    left + ((row(0) / w + 1) / 2) * width, top + ((1 - row(1) / w) / 2) * height, row(2) / w,
  ]
}

// The node that holds a place, −1 for none.
function nodeAt(graph, place) {
  let found = -1, nearest = Infinity
  graph.places.forEach((centre, at) => {
    const distance = Math.hypot(...centre.map((each, axis) => each - place[axis]))
    if (distance <= Math.max(graph.sizes[at], 4) && distance < nearest) {
      found = at
      nearest = distance
    }
  })
  return found
}

// Density: a hexagon's area is the share of its side's points there, as in the picture beneath.
const HALF = 8, ROW = 14

// Points (pixels from the map's corner, and their side) become cells: the nearer of two lattices.
const binned = points => {
  const cells = new Map(), totals = [0, 0]
  for (const [x, y, side] of points) {
    const across = x / (2 * HALF), down = y / (2 * ROW)
    const near = [Math.round(across), Math.round(down)], other = [Math.floor(across) + .5, Math.floor(down) + .5]
    const far = ([a, b]) => (across - a) ** 2 + (ROW / HALF) ** 2 * (down - b) ** 2
    const [a, b] = far(near) <= far(other) ? near : other, key = `${a},${b}`
    if (!cells.has(key)) cells.set(key, [2 * HALF * a, 2 * ROW * b, 0, 0])
    cells.get(key)[2 + side]++
    totals[side]++
  }
  return { cells: [...cells.values()], totals }
}

const hexagons = (pen, { cells, totals }, whole, inks) => {
  const shares = cells.flatMap(([, , ...n]) => n.map((each, side) => each / Math.max(whole[side], 1))).filter(each => each)
  const most = shares.sort((a, b) => a - b)[Math.floor(.99 * (shares.length - 1))]
  for (const side of [0, 1]) {
    if (!totals[side]) continue
    pen.beginPath()
    for (const [x, y, ...n] of cells) {
      if (!n[side]) continue
      const size = Math.max(Math.sqrt(Math.min(n[side] / whole[side] / most, 1)), .25), wide = HALF * size, tall = ROW / 3 * size
      pen.moveTo(x, y - 2 * tall)
      for (const [a, b] of [[1, -1], [1, 1], [0, 2], [-1, 1], [-1, -1]]) pen.lineTo(x + a * wide, y + b * tall)
      pen.closePath()
    }
    pen.lineWidth = side ? 1.5 : 1
    pen.strokeStyle = inks.line[side]
    pen.fillStyle = inks.fill
    if (!side) pen.fill()
    pen.stroke()
  }
}

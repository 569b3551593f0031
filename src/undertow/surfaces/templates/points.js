// The points of a map out of the page's data, and a few words; in one function with map.js.
const make = (name, kind, text = '') => {
  const made = document.createElement(name)
  made.className = kind
  made.textContent = text
  return made
}
const line = (term, text) => {
  const made = make('div', '')
  made.append(make('dt', '', term), make('dd', '', text))
  return made
}
const count = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`
const percent = share => share === 0 ? '0%' : share < .001 ? 'under 0.1%' : `${(100 * share).toFixed(share < .0995 ? 1 : 0)}%`
const SIDES = ['reference', 'current']
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))

// Packed points: the reference first, y upward, drawn in an order shuffled once, the same each time.
const unpack = text => {
  const data = JSON.parse(text), split = data.drawn.reference
  const x = new Uint16Array(bytes(data.x).buffer), y = new Uint16Array(bytes(data.y).buffer), n = x.length
  const order = new Uint32Array(n).map((_, i) => i)
  for (let i = n - 1, seed = 7; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    const j = Math.floor(seed / 2 ** 32 * (i + 1)), kept = order[i]
    order[i] = order[j]
    order[j] = kept
  }
  const period = new Uint8Array(n).fill(1, split)
  const fields = { period: { values: SIDES, codes: period } }
  for (const each of data.classes) fields[each.field] = { ...each, codes: bytes(each.codes) }
  const time = data.time && { ...data.time, codes: bytes(data.time.codes) }
  return { data, x, y, n, split, order, period, fields, time, ids: data.ids && ids(data.ids, split, n) }
}

// What names a point: its id, written as what differs from the one before, or its row, counted from 0;
// rows come as gaps of seven bits a byte.
const ids = (given, split, n) => {
  const made = []
  for (const side of SIDES) {
    const found = given[side], many = side === 'reference' ? split : n - split
    if (Array.isArray(found)) found.reduce((last, each) => (made.push(last.slice(0, parseInt(each[0], 36)) + each.slice(1)), made.at(-1)), '')
    else if (found === null) for (let i = 0; i < many; i++) made.push(i)
    else {
      let row = 0, gap = 0, shift = 1
      for (const byte of bytes(found)) {
        gap += (byte & 127) * shift
        shift *= 128
        if (byte < 128) { made.push(row += gap); gap = 0; shift = 1 }
      }
    }
  }
  return made
}

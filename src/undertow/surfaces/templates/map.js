// The map: points over the hexagons that stand without scripts. Nothing here is needed to read the page.
const EDGE = 18, OTHER = 254, NONE = 255

// A colour that the style sheet names, as bytes: drawn once, so that any notation will do.
const dot = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
const colour = (name, from) => {
  const probe = from.appendChild(make('i', 'probe'))
  probe.style.color = `var(--${name})`
  dot.fillStyle = getComputedStyle(probe).color
  probe.remove()
  dot.fillRect(0, 0, 1, 1)
  return [...dot.getImageData(0, 0, 1, 1).data.slice(0, 3)]
}

const css = ink => `rgb(${ink})`

const start = figure => {
  const $ = selector => figure.querySelector(selector), $$ = selector => [...figure.querySelectorAll(selector)]
  const view = $('.view'), [canvas, over] = view.querySelectorAll('canvas'), readout = $('.readout')
  const picked = $('.picked'), area = $('textarea'), live = $('.picked output'), mix = $('.mix')
  const [from, to] = $$('.when input'), span = $('.when output'), [before, after] = $$('.span i')
  let map, width = 0, height = 0, k = 1, ox = 0, oy = 0, fitted = 0, queued = 0, inks, pixels, word = ''
  let field = 'period', side = '', tool = matchMedia('(pointer: coarse)').matches ? '' : 'lasso'
  let low = 0, high = 255, chosen, many = 0, path = [], cross = null, corner = null, hover = -1
  const fingers = new Map()

  const shown = i => (!side || SIDES[map.period[i]] === side)
    && (!map.time || low === 0 && high >= map.time.slots - 1 || map.time.codes[i] >= low && map.time.codes[i] <= high)
  const queue = () => { queued ||= requestAnimationFrame(() => { queued = 0; if (map && width) { paint(); trace() } }) }
  const seen = () => field === 'density' ? 'period' : field
  const fit = () => {
    const [wide, tall] = map.data.size
    k = fitted = Math.min((width - 2 * EDGE) / Math.max(wide, 1), (height - 2 * EDGE) / Math.max(tall, 1))
    ox = (width - wide * k) / 2
    oy = (height + tall * k) / 2
  }
  const zoom = (factor, x = width / 2, y = height / 2) => {
    const next = Math.min(Math.max(k * factor, fitted), fitted * 60)
    ox = x - (x - ox) * next / k
    oy = y - (y - oy) * next / k
    k = next
    if (k === fitted) fit()
    queue()
  }
  const recolour = () => {
    if (!map) return
    inks = { ground: colour('bg', figure), ink: colour('ink', figure), quiet: colour('ref-fill', figure) }
    inks.period = [colour('ref', figure), colour('cur', figure)]
    inks.error = [inks.period[0], colour('changed', figure)]
    inks.label = inks.cluster = Array.from({ length: 12 }, (_, i) => colour(`k${i + 1}`, figure))
    queue()
  }
  const resize = () => {
    const old = [width, height].join()
    width = view.clientWidth
    height = view.clientHeight
    if (map && width && old !== [width, height].join()) fit()
    queue()
  }

  // Points are stamped into the picture's bytes: 20,000 of them in a few milliseconds, on any machine.
  const paint = () => {
    const fine = devicePixelRatio || 1, w = Math.round(width * fine), h = Math.round(height * fine)
    if (canvas.width !== w || canvas.height !== h || !pixels) {
      for (const each of [canvas, over]) { each.width = w; each.height = h }
      pixels = canvas.getContext('2d').createImageData(w, h)
    }
    if (field === 'density') return dense(canvas.getContext('2d'), fine)
    const data = pixels.data, [r, g, b] = inks.ground
    new Uint32Array(data.buffer).fill(new Uint32Array(new Uint8Array([r, g, b, 255]).buffer)[0])
    const codes = map.fields[seen()].codes, palette = inks[seen()]
    const radius = fine * Math.min(1.5 * Math.min((20000 / map.n) ** .2, 2) * (k / fitted) ** .35 * Math.min(Math.max(width / 720, .7), 1), 6)
    const reach = Math.ceil(radius), across = 2 * reach + 1
    const mask = Float32Array.from({ length: across * across }, (_, i) =>
      Math.min(Math.max(radius + .5 - Math.hypot(i % across - reach, Math.floor(i / across) - reach), 0), 1))
    const stamp = (i, alpha) => {
      const x = Math.round((ox + map.x[i] * k) * fine) - reach, y = Math.round((oy - map.y[i] * k) * fine) - reach
      if (x < 0 || y < 0 || x + across > w || y + across > h) return
      const code = codes[i], ink = code === NONE && (!many || field === 'error') ? inks.quiet : palette[code] ?? inks.period[0]
      for (let row = 0, m = 0; row < across; row++) {
        for (let column = 0, at = 4 * ((y + row) * w + x); column < across; column++, at += 4) {
          const a = mask[m++] * alpha
          data[at] += (ink[0] - data[at]) * a
          data[at + 1] += (ink[1] - data[at + 1]) * a
          data[at + 2] += (ink[2] - data[at + 2]) * a
        }
      }
    }
    const faint = many ? .13 : .62
    // What has no class lies beneath what has one.
    for (const named of [false, true]) for (const i of map.order) if (codes[i] < OTHER === named && !(many && chosen[i]) && shown(i)) stamp(i, faint)
    if (many) for (const i of map.order) if (chosen[i] && shown(i)) stamp(i, .9)
    canvas.getContext('2d').putImageData(pixels, 0, 0)
  }

  const dense = (pen, fine) => {
    const spots = wanted => binned(Array.from(map.order).filter(wanted).map(i => [map.x[i] * k, -map.y[i] * k, map.period[i]]))
    const all = spots(shown)
    pen.setTransform(1, 0, 0, 1, 0, 0)
    pen.fillStyle = css(inks.ground)
    pen.fillRect(0, 0, canvas.width, canvas.height)
    pen.setTransform(fine, 0, 0, fine, ox * fine, oy * fine)
    pen.globalAlpha = many ? .25 : 1
    const ink = { fill: css(inks.quiet), line: inks.period.map(css) }
    hexagons(pen, all, all.totals, ink)
    pen.globalAlpha = 1
    if (many) hexagons(pen, spots(i => chosen[i] && shown(i)), all.totals, ink)
  }

  // Names, the lasso, the cross and the point under the pointer lie on a sheet of their own.
  const trace = () => {
    const pen = over.getContext('2d'), fine = devicePixelRatio || 1
    pen.setTransform(fine, 0, 0, fine, 0, 0)
    pen.clearRect(0, 0, width, height)
    pen.lineJoin = 'round'
    names(pen)
    pen.strokeStyle = css(inks.ink)
    pen.lineWidth = 1.5
    pen.setLineDash([4, 3])
    if (path.length > 1) {
      pen.beginPath()
      for (const [x, y] of outline()) pen.lineTo(x, y)
      pen.closePath()
      pen.stroke()
    }
    pen.setLineDash([])
    if (cross) {
      const [x, y] = cross
      pen.stroke(new Path2D(`M${x - 12} ${y}h24M${x} ${y - 12}v24`))
    }
    if (hover >= 0) {
      const ring = new Path2D()
      ring.arc(ox + map.x[hover] * k, oy - map.y[hover] * k, 6, 0, 7)
      pen.stroke(ring)
    }
  }
  const names = pen => {
    const told = map.fields[seen()].at ? map.fields[seen()] : map.fields.cluster
    const taken = []
    pen.font = `600 12px ${getComputedStyle(figure).fontFamily}`
    pen.textAlign = 'center'
    pen.textBaseline = 'middle'
    pen.strokeStyle = css(inks.ground)
    pen.fillStyle = css(inks.ink)
    pen.lineWidth = 4
    for (const [place, at] of (told?.at ?? []).entries()) {
      if (!at) continue
      const x = ox + at[0] * k, y = oy - at[1] * k, name = told.values[place]
      if (x < 0 || y < 0 || x > width || y > height) continue
      const text = name.length > 30 ? name.slice(0, 29).trimEnd() + '…' : name
      const half = pen.measureText(text).width / 2 + 3, middle = Math.min(Math.max(x, half), width - half)
      for (const down of [0, -17, 17, -34, 34]) {
        const box = [middle - half, y + down - 8, middle + half, y + down + 8]
        if (box[1] < 0 || box[3] > height) continue
        if (taken.some(o => box[0] < o[2] && o[0] < box[2] && box[1] < o[3] && o[1] < box[3])) continue
        taken.push(box)
        pen.strokeText(text, middle, y + down)
        pen.fillText(text, middle, y + down)
        break
      }
    }
  }

  // Selecting: by an outline in pixels, or by a class of the legend.
  const outline = () => {
    if (tool === 'lasso' && !corner) return path
    const [[a, b], [c, d]] = [path[0], path.at(-1)]
    return [[a, b], [c, b], [c, d], [a, d]]
  }
  const within = edges => {
    const corners = edges.map(([x, y]) => [(x - ox) / k, (oy - y) / k])
    return i => {
      const x = map.x[i], y = map.y[i]
      let inside = false
      for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
        const [ax, ay] = corners[a], [bx, by] = corners[b]
        if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside
      }
      return inside
    }
  }
  const select = (belongs, more = false) => {
    for (let i = 0; i < map.n; i++) chosen[i] = more && chosen[i] || belongs(i) && shown(i) ? 1 : 0
    tell()
  }
  const clear = () => { chosen.fill(0); hover = -1; readout.textContent = ''; press(null); tell() }
  const press = button => { for (const each of $$('.classes button')) each.setAttribute('aria-pressed', each === button) }
  const tell = () => {
    const rows = [], sides = [0, 0]
    for (let i = 0; i < map.n; i++) if (chosen[i] && shown(i)) { rows.push(i); sides[map.period[i]]++ }
    many = rows.length
    const drawn = [map.split, map.n - map.split]
    live.textContent = many ? `${count(many, 'point')} selected` : picked.dataset.hint
    mix.replaceChildren(...many ? SIDES.map((name, s) => line(name, `${sides[s].toLocaleString('en')}, ${percent(sides[s] / Math.max(drawn[s], 1))} of those drawn`)) : [])
    if (many) for (const [name, each] of Object.entries(map.fields)) if (name !== 'period') mix.append(line(name, mostly(each, rows)))
    for (const each of $$('.act')) each.hidden = !many
    if (area) area.value = many ? list(rows) : ''
    word = ''
    queue()
  }
  const called = (each, code) => code === OTHER ? 'other' : code === NONE ? each.none : each.values[code]
  const mostly = (each, rows) => {
    const tally = new Map()
    for (const i of rows) tally.set(each.codes[i], (tally.get(each.codes[i]) ?? 0) + 1)
    return [...tally].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([code, n]) => `${called(each, code)} ${percent(n / rows.length)}`).join(', ')
  }
  const list = rows => {
    const cell = value => /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
    return [`side,${picked.dataset.names}`, ...rows.map(i => `${SIDES[map.period[i]]},${cell(String(map.ids[i]))}`)].join('\n') + '\n'
  }
  const nearest = (x, y) => {
    let best = -1, least = 144
    for (let i = 0; i < map.n; i++) {
      const a = ox + map.x[i] * k - x, b = oy - map.y[i] * k - y, far = a * a + b * b
      if (far < least && shown(i)) { best = i; least = far }
    }
    return best
  }
  const point = (x, y) => {
    hover = nearest(x, y)
    readout.textContent = hover < 0 ? '' : Object.entries(map.fields).map(([name, each]) => (name === 'period' ? '' : name + ' ') + called(each, each.codes[hover]))
      .concat(map.time && map.time.codes[hover] !== NONE ? when(map.time.codes[hover]) : [], map.ids ? `${picked.dataset.names} ${map.ids[hover]}` : []).join(' · ')
    if (!queued) trace()
  }

  const when = slot => {
    const moment = new Date(1000 * (map.time.start + slot * map.time.step))
    if (isNaN(moment)) return String(map.time.start + slot * map.time.step)
    const [day, hour] = moment.toISOString().split('T')
    return map.time.step < 86400 ? `${day} ${hour.slice(0, map.time.step < 60 ? 8 : 5)}` : day
  }
  const windowed = () => {
    const { slots, step } = map.time, ends = [from, to].map(each => Number(each.value))
    low = Math.min(...ends, slots - 1)
    high = Math.max(...ends, low + 1) - 1
    const rows = SIDES.reduce((sum, each) => sum + map.time[each].slice(low, high + 1).reduce((a, b) => a + b, 0), 0)
    for (const each of [from, to]) each.setAttribute('aria-valuetext', when(Number(each.value)))
    from.style.zIndex = ends[0] > slots / 2 ? 2 : ''
    before.style.width = `${100 * low / slots}%`
    after.style.width = `${100 * (1 - (high + 1) / slots)}%`
    const drawn = map.order.reduce((sum, i) => sum + shown(i), 0)
    span.textContent = `${when(low)} to ${when(step < 86400 ? high + 1 : high)} UTC: ${count(rows, 'row')}, ${count(drawn, 'point')} drawn`
    tell()
  }

  // Pointers: one draws or moves, two pinch; without a tool the page scrolls as ever.
  const spot = event => {
    const box = over.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const bind = () => {
    over.addEventListener('pointerdown', event => {
      if (!map || event.button) return
      cross = corner = null
      fingers.set(event.pointerId, spot(event))
      point(...spot(event))
      if (!tool) return
      over.setPointerCapture(event.pointerId)
      path = fingers.size === 1 && tool !== 'move' ? [spot(event)] : []
    })
    over.addEventListener('pointermove', event => {
      if (!map) return
      const here = spot(event), last = fingers.get(event.pointerId)
      if (!last) return point(...here)
      if (!tool) return
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1], apart = p => Math.hypot(p[0] - other[0], p[1] - other[1])
        ox += (here[0] - last[0]) / 2
        oy += (here[1] - last[1]) / 2
        zoom(apart(here) / Math.max(apart(last), 1), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2)
      } else if (tool === 'move') {
        ox += here[0] - last[0]
        oy += here[1] - last[1]
        queue()
      } else if (path.length && Math.hypot(here[0] - path.at(-1)[0], here[1] - path.at(-1)[1]) > 3) {
        if (tool === 'lasso' || path.length === 1) path.push(here); else path[1] = here
        trace()
      }
      fingers.set(event.pointerId, here)
    })
    const lift = event => {
      fingers.delete(event.pointerId)
      if (path.length > 1 && event.type === 'pointerup') { press(null); select(within(outline()), event.shiftKey) }
      path = []
      if (map) trace()
    }
    for (const name of ['pointerup', 'pointercancel']) over.addEventListener(name, lift)
    over.addEventListener('pointerleave', () => { if (map && !fingers.size) { hover = -1; readout.textContent = ''; trace() } })
    over.addEventListener('wheel', event => {
      if (!map || !event.ctrlKey && !event.metaKey) return
      event.preventDefault()
      zoom(Math.exp(-event.deltaY / 200), ...spot(event))
    }, { passive: false })
    over.addEventListener('blur', () => { cross = corner = null; path = []; if (map) trace() })
    over.addEventListener('keydown', event => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
      if (!map || event.ctrlKey || event.metaKey || event.altKey) return
      if (step) {
        const far = event.shiftKey ? 50 : 10
        cross ??= [width / 2, height / 2]
        cross = [Math.min(Math.max(cross[0] + far * step[0], 0), width), Math.min(Math.max(cross[1] + far * step[1], 0), height)]
        if (corner) path = [corner, cross]
        point(...cross)
      } else if (event.key === 'Enter' || event.key === ' ') {
        cross ??= [width / 2, height / 2]
        if (corner) { path = [corner, cross]; press(null); select(within(outline()), event.shiftKey); corner = null; path = [] } else corner = cross
      } else if (event.key === 'Escape') {
        if (corner) { corner = null; path = [] } else clear()
      } else if (event.key === '+' || event.key === '=') zoom(1.5, ...cross ?? [])
      else if (event.key === '-') zoom(1 / 1.5, ...cross ?? [])
      else if (event.key === '0') { fit(); queue() } else return
      event.preventDefault()
      trace()
    })
  }

  const group = (name, act) => {
    const buttons = $$(`.${name} button`)
    for (const button of buttons) button.addEventListener('click', () => {
      ready()
      act(button)
      queue()
    })
    return value => { for (const each of buttons) each.setAttribute('aria-pressed', each.value === value) }
  }
  const byField = group('by', button => { field = button.value; byField(field); figure.classList.toggle('dense', field === 'density'); legend() })
  const bySide = group('only', button => { side = button.value; bySide(side); if (map.time) windowed(); else tell() })
  const byTool = group('tool', button => { tool = tool === button.value ? '' : button.value; held() })
  group('zoom', button => { if (button.value === 'fit') fit(); else zoom(button.value === 'in' ? 1.5 : 1 / 1.5) })
  const held = () => { byTool(tool); over.style.touchAction = tool ? 'none' : 'auto'; over.style.cursor = tool === 'move' ? 'grab' : tool ? 'crosshair' : '' }
  const legend = () => { for (const each of $$('.classes')) each.classList.toggle('off', each.dataset.field !== seen()) }

  // The tables of classes become the legend: each name a button that selects its rows.
  const keys = () => {
    for (const table of $$('.classes')) for (const cell of table.querySelectorAll('tbody th')) {
      const button = make('button', ''), code = Number(cell.dataset.code), name = table.dataset.field
      button.type = 'button'
      button.setAttribute('aria-pressed', 'false')
      button.append(make('i', cell.dataset.ink), ...cell.childNodes)
      cell.append(button)
      button.addEventListener('click', () => {
        ready()
        if (button.getAttribute('aria-pressed') === 'true') return clear()
        press(button)
        select(i => map.fields[name].codes[i] === code)
      })
    }
  }
  const ready = () => {
    if (map) return
    map = unpack(figure.querySelector('script').textContent)
    chosen = new Uint8Array(map.n)
    recolour()
    fit()
    if (map.time) windowed(); else tell()
    view.classList.add('live')
  }

  for (const each of $$('[data-map-js]')) each.hidden = false
  keys()
  legend()
  held()
  bind()
  resize()
  $('.clear').addEventListener('click', () => { ready(); clear(); over.focus() })
  for (const each of [from, to]) each?.addEventListener('input', () => { ready(); windowed() })
  $('.copy')?.addEventListener('click', async event => {
    const button = event.currentTarget
    word ||= button.textContent
    try {
      await navigator.clipboard.writeText(area.value)
      button.textContent = 'Copied'
    } catch {
      area.focus()
      area.select()
      button.textContent = document.execCommand('copy') ? 'Copied' : 'Selected: copy with Ctrl+C'
    }
    setTimeout(() => { button.textContent = word || button.textContent }, 2000)
  })
  new ResizeObserver(resize).observe(view)
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ['data-theme'] })
  for (const each of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) matchMedia(each).addEventListener('change', recolour)
  new IntersectionObserver((seen, watch) => {
    if (!seen.some(each => each.isIntersecting)) return
    watch.disconnect()
    ready()
    queue()
  }, { rootMargin: '200px' }).observe(view)
}
for (const figure of document.querySelectorAll('.map')) start(figure)

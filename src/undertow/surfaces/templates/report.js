// Filters, theme and copying. The page says all it has to say without this.
(() => {
  'use strict'
  const $ = (selector, from = document) => [...from.querySelectorAll(selector)]
  const root = document.documentElement, main = $('main')[0], steady = $('#steady')[0]
  for (const each of $('[data-js]')) each.hidden = false

  const filters = $('.filters button'), said = $('.filters output')[0]
  const show = button => {
    for (const each of filters) each.setAttribute('aria-pressed', each === button)
    const word = button.value
    if (word) main.dataset.show = word; else delete main.dataset.show
    if (word === 'steady' && steady) steady.open = true
    said.textContent = word ? button.dataset.says : ''
  }
  for (const button of filters) button.addEventListener('click', () => show(button))
  $('.filters').forEach(bar => bar.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    const here = filters.indexOf(document.activeElement)
    if (step && here >= 0) filters.at((here + step) % filters.length).focus()
  }))

  const theme = $('#theme')[0]
  theme.addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
    root.dataset.theme = dark ? 'light' : 'dark'
  })

  const copy = async text => {
    try { await navigator.clipboard.writeText(text) } catch {
      const box = document.createElement('textarea')
      box.value = text
      document.body.append(box)
      box.select()
      document.execCommand('copy')
      box.remove()
    }
  }
  let findings
  for (const button of $('button[data-key]')) button.addEventListener('click', async () => {
    findings ??= JSON.parse($('#findings')[0].textContent)
    await copy(JSON.stringify(findings[button.dataset.key], null, 2))
    const word = button.textContent
    button.textContent = 'Copied'
    setTimeout(() => { button.textContent = word }, 1500)
  })

  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1))
    if (!target) return
    if (main.dataset.show) show(filters[0])
    for (let each = target; each; each = each.parentElement) if (each.localName === 'details') each.open = true
    target.scrollIntoView()
  }
  addEventListener('hashchange', reveal)
  if (location.hash) reveal()
})()

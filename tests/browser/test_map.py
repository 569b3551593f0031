"""The map in a real browser: it selects, filters, copies, keeps its scale, and stays accessible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import map_samples as made_up
import numpy as np
import pytest
import samples
from chrome import Browser, Page
from test_report import AXE, complaints, requests

from undertow.core.report import Report, Source
from undertow.stats import projection
from undertow.surfaces import html

pytestmark = pytest.mark.browser

READY = """new Promise((done, fail) => { const look = n => document.querySelector('.view.live')
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(true)))
    : n ? setTimeout(() => look(n - 1), 20) : fail(Error('no map')); look(250) })"""
FRAMES = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
INK = """(() => { const c = document.querySelector('.view canvas'), w = c.width, h = c.height
    const d = c.getContext('2d').getImageData(0, 0, w, h).data
    let left = w, right = -1, top = h, low = -1, n = 0
    for (let i = 0; i < d.length; i += 4) {
        if (d[i] === d[0] && d[i + 1] === d[1] && d[i + 2] === d[2]) continue
        const x = i / 4 % w, y = Math.floor(i / 4 / w); n++
        left = Math.min(left, x); right = Math.max(right, x)
        top = Math.min(top, y); low = Math.max(low, y) }
    return {across: right - left, down: low - top, n, w, h, ground: [d[0], d[1], d[2]]} })()"""
PAINTS = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 1e9"


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the pages that all tests look at."""
    folder = tmp_path_factory.mktemp("map")
    texts = [text[:200] for text in samples.HOSTILE] * 6
    rows = np.random.default_rng(0).normal(size=(len(texts), 4))
    side = projection.Side(rows, label=texts, cluster=texts[::-1], ids=texts)
    corners = np.array([[0, 0], [400, 0], [400, 100], [0, 100]], np.float64)

    def alone(shape: dict[str, Any], subject: str = "text") -> Report:
        found = [made_up.finding(shape, subject)]
        return Report.of(Source("a", 1), Source("b", 1), found)

    small = made_up.shape(600, 300)
    made = {
        "map": html.render(made_up.report()),
        "small": html.render(alone(small)),
        "hostile": html.render(alone(projection.shape(side, side), samples.HOSTILE[0])),
        "bare": html.render(alone(projection.shape(corners, corners, lambda each: each))),
        "redacted": html.render(alone(small).redact()),
        "rows": html.render(alone(dict(small) | {"ids": {"reference": None, "current": None}})),
        "nameless": html.render(alone(dict(small) | {"ids": None})),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture
def page(browser: Browser) -> Page:
    """Open a tab."""
    return browser.page()


def opened(page: Page, path: Path) -> Page:
    """Open a page and wait for its map, with no smooth scrolling in the way."""
    page.media(prefers_reduced_motion="reduce")
    page.open(path)
    page.run("document.querySelector('.map').scrollIntoView()")
    page.run(READY)
    return page


def drag(page: Page, places: list[tuple[float, float]]) -> None:
    """Press on the map, move through places (shares of its width and height), and let go."""
    box = page.run(
        "(() => { const b = document.querySelector('.over').getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height] })()"
    )
    spots = [(box[0] + box[2] * x, box[1] + box[3] * y) for x, y in places]
    for kind, (x, y) in [
        ("mousePressed", spots[0]),
        *(("mouseMoved", spot) for spot in spots[1:]),
        ("mouseReleased", spots[-1]),
    ]:
        page.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left",
            buttons=int(kind != "mouseReleased"),
            clickCount=1,
        )
    page.run(FRAMES)


def press(page: Page, *keys: str, shift: bool = False) -> None:
    """Send keys to what has the focus."""
    for key in keys:
        page.run(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
            f" {{key: {key!r}, shiftKey: {str(shift).lower()}, bubbles: true, cancelable: true}}))"
        )


def said(page: Page) -> str:
    """Return what the live region says of the selection."""
    return page.run("document.querySelector('.picked output').textContent")


def listed(page: Page) -> list[str]:
    """Return the list of rows to copy, without its head."""
    return page.run("document.querySelector('textarea').value").splitlines()[1:]


CORNERS = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]


@pytest.mark.parametrize("name", ["map", "hostile", "bare", "redacted"])
@pytest.mark.parametrize(
    ("width", "scheme", "medium"),
    [
        (1280, "light", ""),
        (1280, "dark", ""),
        (390, "light", ""),
        (390, "dark", ""),
        (1280, "light", "print"),
    ],
)
def test_accessible(
    page: Page,
    pages: dict[str, Path],
    axe_core: str,
    name: str,
    width: int,
    scheme: str,
    medium: str,
) -> None:
    """axe-core finds nothing, with nothing selected and with a class selected."""
    page.size(width, 900)
    page.call("Page.setBypassCSP", enabled=True)
    opened(page, pages[name])
    page.media(medium, prefers_color_scheme=scheme)
    page.run(axe_core + ";1")
    assert page.run(AXE) == []
    page.run("[...document.querySelectorAll('.bar .by button')].at(-1)?.click()")
    page.run("document.querySelector('.classes:not(.off) button').click()")
    page.run(FRAMES)
    assert page.run(AXE) == []


@pytest.mark.parametrize("name", ["map", "hostile", "redacted", "rows"])
def test_strict_policy_and_no_network(page: Page, pages: dict[str, Path], name: str) -> None:
    """The map works under the page's own policy, asks for nothing, and nothing complains."""
    opened(page, pages[name])
    for button in ("label", "cluster", "period"):
        page.run(f"document.querySelector('.by [value={button}]')?.click()")
    drag(page, CORNERS)
    assert "selected" in said(page)
    assert complaints(page) == []
    assert requests(page) == []


def test_fast(page: Page, pages: dict[str, Path]) -> None:
    """The first paint of a map of 20,000 points comes within 500 ms, at the best of five."""
    page.open(pages["map"])
    times = []
    for _ in range(5):
        page.open(pages["map"])
        page.run(FRAMES)
        times.append(page.run(PAINTS))
    assert min(times) < 500


def test_without_scripts(page: Page, pages: dict[str, Path]) -> None:
    """Without scripts the hexagons and the classes are there, and nothing that needs a script."""
    page.scripts(on=False)
    page.open(pages["map"])
    page.scripts(on=True)
    seen = "[...document.querySelectorAll({!r})].filter(e => e.checkVisibility()).length"
    assert page.run(seen.format(".map svg.chart")) == 1
    assert page.run(seen.format(".map table")) == 4
    assert page.run(seen.format(".map button, .map input, .map canvas, .map textarea")) == 0


def test_print_shows_hexagons(page: Page, pages: dict[str, Path]) -> None:
    """In print the hexagons return, whatever was drawn over them."""
    opened(page, pages["small"])
    visible = (
        "['.map svg.chart', '.view canvas', '.over'].map(s =>"
        " document.querySelector(s).checkVisibility({visibilityProperty: true}))"
    )
    assert page.run(visible) == [False, True, True]
    page.media("print")
    assert page.run(visible) == [True, False, False]


def test_lasso(page: Page, pages: dict[str, Path]) -> None:
    """A line around everything selects every point; what is selected is counted and listed."""
    opened(page, pages["small"])
    drag(page, CORNERS)
    assert said(page) == "900 points selected"
    rows = listed(page)
    assert rows[0] == "reference,r000000"
    assert rows[-1] == "current,c000299"
    assert "300, 100% of those drawn" in page.run("document.querySelector('.mix').textContent")
    drag(page, [(0.3, 0.3), (0.5, 0.3), (0.5, 0.5)])
    part = said(page)
    assert 0 < int(part.split()[0]) < 900
    page.run("document.querySelector('.clear').click()")
    assert said(page).startswith("Nothing selected")


def test_box(page: Page, pages: dict[str, Path]) -> None:
    """With the box two corners are enough."""
    opened(page, pages["small"])
    page.run("document.querySelector('.tool [value=box]').click()")
    drag(page, [(0.01, 0.01), (0.5, 0.5), (0.99, 0.99)])
    assert said(page) == "900 points selected"


def test_keyboard(page: Page, pages: dict[str, Path]) -> None:
    """Arrows and Enter mark a box, Escape clears it; classes are buttons."""
    opened(page, pages["small"])
    page.run("document.querySelector('.over').focus()")
    press(page, *["ArrowLeft"] * 20, *["ArrowUp"] * 20, shift=True)
    press(page, "Enter")
    press(page, *["ArrowRight"] * 40, *["ArrowDown"] * 40, shift=True)
    press(page, "Enter")
    assert said(page) == "900 points selected"
    press(page, "Escape")
    assert said(page).startswith("Nothing selected")
    page.run("document.querySelector('.by [value=cluster]').click()")
    page.run("document.querySelector('.classes[data-field=cluster] button').focus()")
    page.press("Enter")
    assert page.run("document.activeElement.textContent") == "SmartSync pairing"
    assert {each.partition(",")[0] for each in listed(page)} == {"current"}
    assert "SmartSync pairing 100%" in page.run("document.querySelector('.mix').textContent")
    page.press("Enter")
    assert said(page).startswith("Nothing selected")


def test_sides(page: Page, pages: dict[str, Path]) -> None:
    """A side that is not shown cannot be selected."""
    opened(page, pages["small"])
    page.run("document.querySelector('.only [value=current]').click()")
    drag(page, CORNERS)
    assert said(page) == "300 points selected"


def test_time_window(page: Page, pages: dict[str, Path]) -> None:
    """The window filters points, and tells how many of all rows it holds."""
    opened(page, pages["map"])
    drag(page, CORNERS)
    assert said(page) == "20,000 points selected"
    page.run(
        "(() => { const [from] = document.querySelectorAll('.when input');"
        " from.value = 62; from.dispatchEvent(new Event('input')) })()"
    )
    page.run(FRAMES)
    window = page.run("document.querySelector('.when output').textContent")
    assert window.startswith("2025-08-16 to 2025-08-28 UTC: ")
    rows = int(window.split(": ")[1].split()[0].replace(",", ""))
    assert window.endswith(f"{rows:,} rows, {rows:,} points drawn")
    assert 5_000 < rows < 8_000
    assert said(page) == f"{rows:,} points selected"  # of current rows, all are drawn


def test_rows_without_ids(page: Page, pages: dict[str, Path]) -> None:
    """Rows without ids go by position; a sample's positions are those of the whole."""
    opened(page, pages["rows"])
    drag(page, CORNERS)
    rows = listed(page)
    assert rows[0] == "reference,0"
    assert rows[-1] == "current,299"


def test_rows_without_a_name(page: Page, pages: dict[str, Path]) -> None:
    """Rows of a sample without ids cannot be listed, and the page says what would help."""
    opened(page, pages["nameless"])
    drag(page, CORNERS)
    assert said(page) == "900 points selected"
    assert page.run("document.querySelector('textarea, .copy')") is None
    assert page.run("document.querySelector('.picked small').checkVisibility()") is True


def test_sampled_positions(page: Page, tmp_path: Path) -> None:
    """Of a sample, the positions that are listed are those that were drawn."""
    rows = np.random.default_rng(0).normal(size=(5_000, 3))
    shape = projection.shape(rows, rows[:200], cap=1_000)
    path = tmp_path / "sampled.html"
    found = [made_up.finding(shape)]
    path.write_text(html.render(Report.of(Source("a", 1), Source("b", 1), found)), encoding="utf-8")
    opened(page, path)
    drag(page, CORNERS)
    picked = [int(each.partition(",")[2]) for each in listed(page) if each.startswith("ref")]
    assert picked == projection._drawn(5_000, 800).tolist()


def test_copy(page: Page, pages: dict[str, Path]) -> None:
    """The button copies the list; where that is forbidden the list is selected instead."""
    opened(page, pages["small"])
    drag(page, CORNERS)
    page.run("navigator.clipboard.writeText = async text => { window.copied = text }")
    page.run("document.querySelector('.copy').click()")
    page.run(FRAMES)
    assert page.run("window.copied").startswith("side,id\nreference,r000000\n")
    page.run("navigator.clipboard.writeText = async () => { throw Error('no') }")
    page.run("document.querySelector('.copy').click()")
    page.run(FRAMES)
    chosen = "(t => t.selectionEnd - t.selectionStart === t.value.length)"
    assert page.run(f"{chosen}(document.querySelector('textarea'))")
    assert page.run("document.activeElement.localName") == "textarea"


def test_redacted_names_nothing(page: Page, pages: dict[str, Path]) -> None:
    """A redacted map counts what is selected and has nothing to copy."""
    opened(page, pages["redacted"])
    drag(page, CORNERS)
    assert said(page) == "900 points selected"
    assert page.run("document.querySelector('textarea, .copy')") is None


def test_hostile_ids_are_one_cell_each(page: Page, pages: dict[str, Path]) -> None:
    """Ids with quotes, commas and lines stay one line each, and quoted."""
    opened(page, pages["hostile"])
    drag(page, CORNERS)
    rows = listed(page)
    assert len(rows) == int(said(page).split()[0])
    assert any('"""><svg onload=alert(3)>' in each for each in rows)
    assert page.run("document.querySelectorAll('.map img, .map iframe, .map script').length") == 1


@pytest.mark.parametrize(("width", "scale"), [(1280, 1), (1280, 2), (390, 3), (700, 1.5)])
def test_equal_axes_at_every_size(
    page: Page, pages: dict[str, Path], width: int, scale: float
) -> None:
    """One step is as long across as up, at every width and density; the canvas fits its box."""
    page.size(width, 900, scale)
    opened(page, pages["bare"])
    ink = page.run(INK)
    assert ink["across"] / ink["down"] == pytest.approx(4, rel=0.06)
    assert ink["w"] == round(page.run("document.querySelector('.view').clientWidth") * scale)
    page.size(900, 900, scale)
    page.run("new Promise(r => setTimeout(r, 200))")
    ink = page.run(INK)
    assert ink["across"] / ink["down"] == pytest.approx(4, rel=0.06)
    assert ink["w"] == round(page.run("document.querySelector('.view').clientWidth") * scale)


def test_density(page: Page, pages: dict[str, Path]) -> None:
    """Density draws hexagons that follow the zoom, and selects as points do."""
    opened(page, pages["small"])
    points = page.run(INK)["n"]
    page.run("document.querySelector('.by [value=density]').click()")
    page.run(FRAMES)
    assert page.run(INK)["n"] != points
    assert page.run("document.querySelector('.still').checkVisibility()") is True
    drag(page, CORNERS)
    assert said(page) == "900 points selected"
    page.run("document.querySelector('.zoom [value=in]').click()")
    page.run(FRAMES)
    assert page.run(INK)["n"] > 0


def test_theme_repaints(page: Page, pages: dict[str, Path]) -> None:
    """The map follows the theme button and the system."""
    page.media(prefers_color_scheme="light")
    opened(page, pages["small"])
    assert page.run(INK)["ground"] == [255, 255, 255]
    page.run("document.querySelector('#theme').click()")
    page.run(FRAMES)
    assert page.run(INK)["ground"] == [20, 22, 26]


def test_zoom(page: Page, pages: dict[str, Path]) -> None:
    """The keys and buttons zoom; Fit shows everything again."""
    opened(page, pages["bare"])
    before = page.run(INK)
    page.run("document.querySelector('.over').focus()")
    press(page, "+", "+", "+")
    page.run(FRAMES)
    assert page.run(INK)["n"] < before["n"]
    page.run("document.querySelector('.zoom [value=fit]').click()")
    page.run(FRAMES)
    assert page.run(INK)["n"] == before["n"]


def test_fingers_scroll_until_a_tool_is_taken(page: Page, pages: dict[str, Path]) -> None:
    """On a touch screen the page scrolls over the map; with the lasso a finger draws."""
    page.size(390, 844, 2)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    opened(page, pages["small"])
    action = "getComputedStyle(document.querySelector('.over')).touchAction"
    assert page.run(action) == "auto"
    page.run("document.querySelector('.tool [value=lasso]').click()")
    assert page.run(action) == "none"
    page.run("document.querySelector('.view').scrollIntoView()")
    box = page.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('.over').getBoundingClientRect())"
    )
    for kind, places in [
        ("touchStart", CORNERS[:1]),
        *(("touchMove", [place]) for place in CORNERS[1:]),
        ("touchEnd", []),
    ]:
        points = [{"x": box[0] + box[2] * x, "y": box[1] + box[3] * y} for x, y in places]
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    page.run(FRAMES)
    assert said(page) == "900 points selected"


@pytest.mark.parametrize("width", [390, 640, 1280])
def test_nothing_sticks_out(page: Page, pages: dict[str, Path], width: int) -> None:
    """No width makes the page scroll sideways, hostile names included."""
    page.size(width, 900)
    for name in ("map", "hostile"):
        opened(page, pages[name])
        page.run("document.querySelector('.by [value=cluster]').click()")
        drag(page, CORNERS)
        assert page.run("document.documentElement.scrollWidth") <= width


def test_forced_colours_keep_two_inks(page: Page, pages: dict[str, Path]) -> None:
    """With forced colours the points have system colours that differ."""
    page.media(forced_colors="active")
    page.open(pages["small"])
    page.run("document.querySelector('.map').scrollIntoView()")
    page.run(READY)
    dots = page.run(
        "[...document.querySelectorAll('.classes[data-field=period] .dot')].map(e =>"
        " getComputedStyle(e).backgroundColor)"
    )
    assert len(set(dots)) == 2

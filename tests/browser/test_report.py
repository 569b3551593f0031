"""The one-file report in a real browser: fast, quiet on the network, accessible, harmless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import samples
from chrome import Browser, Page

from undertow.surfaces import html, notebook

pytestmark = pytest.mark.browser

AXE = """axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(
    v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', ')))"""
DONE = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
    () => done(performance.now()))))"""

GUESTS = """[...document.querySelectorAll('*')].filter(e =>
    e.matches('img, iframe, object, embed') || [...e.attributes].some(a => /^on/.test(a.name))
).map(e => e.outerHTML)"""
SHOWN = """[...document.querySelectorAll('.finding')].filter(e => e.checkVisibility())
    .map(e => e.className)"""
INKS = """['.cur', '.ref'].map(s =>
    getComputedStyle(document.querySelector('.chart ' + s)).stroke)"""


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the pages that all tests look at."""
    folder = tmp_path_factory.mktemp("report")
    hosts = "<!doctype html><html lang=en><title>t</title><main><h1>n</h1>{}</main></html>"
    made = {
        "report": html.render(samples.report()),
        "hostile": html.render(samples.hostile()),
        "loud": html.render(samples.loud()),
        "notebook": hosts.format(notebook.render(samples.report())),
        "hostile-notebook": hosts.format(notebook.render(samples.hostile())),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture
def page(browser: Browser) -> Page:
    """Open a tab."""
    return browser.page()


def complaints(page: Page) -> list[str]:
    """Return what the browser said about the page: blocked, failed or thrown."""
    logs = [each["entry"]["text"] for each in page.events("Log.entryAdded")]
    thrown = [each["exceptionDetails"]["text"] for each in page.events("Runtime.exceptionThrown")]
    return logs + thrown + ["dialog"] * len(page.events("Page.javascriptDialogOpening"))


def requests(page: Page) -> list[str]:
    """Return every address the page asked for, itself and inline data apart."""
    asked = [each["request"]["url"] for each in page.events("Network.requestWillBeSent")]
    return [url for url in asked if not url.startswith(("file:///", "data:"))]


@pytest.mark.parametrize("name", ["report", "hostile", "loud", "notebook", "hostile-notebook"])
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
    """axe-core finds nothing, whatever the width, the theme and the medium, everything unfolded."""
    page.size(width, 900)
    page.media(medium, prefers_color_scheme=scheme)
    page.call("Page.setBypassCSP", enabled=True)
    page.open(pages[name])
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.run(axe_core + ";1")
    assert page.run(AXE) == []


@pytest.mark.parametrize("name", ["report", "hostile", "loud"])
def test_strict_policy_and_no_network(page: Page, pages: dict[str, Path], name: str) -> None:
    """The page keeps its own policy without a complaint, asks for nothing, and runs no guest."""
    page.open(pages[name])
    assert page.run("document.querySelectorAll('.filters button').length") > 0
    assert page.run("document.querySelector('.filters').hidden") is False
    assert complaints(page) == []
    assert requests(page) == []
    assert page.run(GUESTS) == []


def test_fast(page: Page, pages: dict[str, Path]) -> None:
    """A report of fifty columns is done within 400 ms, at the best of five (others may be busy)."""
    page.open(pages["report"])
    times = []
    for _ in range(5):
        page.open(pages["report"])
        times.append(page.run(DONE))
    assert min(times) < 400


@pytest.mark.parametrize("width", [390, 640, 1280])
def test_nothing_sticks_out(page: Page, pages: dict[str, Path], width: int) -> None:
    """No width makes the page scroll sideways, hostile values included."""
    page.size(width, 900)
    for name in ("report", "hostile", "loud"):
        page.open(pages[name])
        page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.run("document.documentElement.scrollWidth") <= width


def test_without_scripts(page: Page, pages: dict[str, Path]) -> None:
    """Without scripts everything is there to read; only what needs a script is hidden."""
    page.scripts(on=False)
    page.open(pages["report"])
    page.scripts(on=True)
    assert page.run("document.querySelector('.filters').hidden") is True
    assert page.run("document.querySelectorAll('.finding svg.chart').length") > 8
    assert page.run("document.querySelector('h1').innerText.length") > 10


def test_filters_by_keyboard(page: Page, pages: dict[str, Path]) -> None:
    """Filters are buttons: arrows move, space presses, the live region counts, links bring back."""
    page.open(pages["report"])
    page.run("document.querySelector('.filters button').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press(" ")
    assert set(page.run(SHOWN)) == {"finding watch"}
    assert page.run("document.querySelector('.filters [aria-pressed=true]').value") == "watch"
    assert "shown" in page.run("document.querySelector('.filters output').textContent")
    page.run("location.hash = document.querySelector('.answers a').hash")
    page.run("new Promise(r => setTimeout(r, 100))")
    assert set(page.run(SHOWN)) >= {"finding changed", "finding watch"}


def test_copy_as_json(page: Page, pages: dict[str, Path]) -> None:
    """The button copies the finding as JSON."""
    page.open(pages["report"])
    page.run("navigator.clipboard.writeText = async text => { window.copied = text }")
    page.run("document.querySelector('button[data-key]').click()")
    page.run("new Promise(r => setTimeout(r, 50))")
    copied: Any = page.run("JSON.parse(window.copied)")
    assert copied["verdict"] == "changed"
    assert copied["key"] == page.run("document.querySelector('button[data-key]').dataset.key")


def test_theme_button(page: Page, pages: dict[str, Path]) -> None:
    """The button turns light into dark and back."""
    page.media(prefers_color_scheme="light")
    page.open(pages["report"])
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    before = page.run(colour)
    page.run("document.querySelector('#theme').click()")
    assert page.run(colour) != before
    page.run("document.querySelector('#theme').click()")
    assert page.run(colour) == before


def test_forced_colours_keep_the_picture(page: Page, pages: dict[str, Path]) -> None:
    """With forced colours both inks are drawn, in system colours that differ."""
    page.media(forced_colors="active")
    page.open(pages["report"])
    first, second = page.run(INKS)
    assert first != second


def test_links_land(page: Page, pages: dict[str, Path]) -> None:
    """A link in the table brings its finding to the top of the window."""
    page.open(pages["loud"])
    page.run("[...document.querySelectorAll('#main table a')].at(20).click()")
    page.run("new Promise(r => setTimeout(r, 1500))")
    assert -20 <= page.run("document.querySelector(':target').getBoundingClientRect().top") <= 60

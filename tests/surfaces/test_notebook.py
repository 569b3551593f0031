"""The notebook fragment: static, scoped, small, in the host's theme."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import samples

from undertow.core.report import Report, Source
from undertow.surfaces import notebook


def test_static_and_scoped() -> None:
    """No script, no link, and every rule of the style is scoped under .ut."""
    page = notebook.render(samples.report())
    assert "<script" not in page
    assert "href" not in page
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(style) == 1
    rules = re.sub(r"@media[^{]*\{(.*?\})\s*\}", r"\1", style[0])
    for selectors in re.findall(r"([^{}]+)\{", rules):
        assert all(".ut" in selector for selector in selectors.split(",")), selectors


def test_small() -> None:
    """A finding costs at most 10 KB, the style included; many cost little more each."""
    report = samples.report()
    assert len(notebook.render(report, full=1, listed=0).encode()) < 10_000
    assert len(notebook.render(samples.loud()).encode()) < 30_000


def test_worst_in_full_and_the_rest_counted() -> None:
    """The worst findings are drawn, more are listed, and the rest are counted."""
    page = notebook.render(samples.loud(), full=2, listed=5)
    assert page.count("<svg") == 2
    assert page.count("<tr class=") == 5
    assert "143 more findings not shown" in page


def test_hostile_values_are_text() -> None:
    """No value becomes an element."""
    page = notebook.render(samples.hostile(), full=20)
    page.encode("utf-8")
    assert not re.search("<(script|img|iframe)", page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)


def test_empty() -> None:
    """A report without findings has its sentence."""
    assert "Nothing was compared" in notebook.render(Report(Source("a", 0), Source("b", 0), ()))

"""The map on the page: what it says without scripts, what it gives to them, and nothing hostile."""

from __future__ import annotations

import base64
import itertools
import json
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import map_samples as made_up
import samples
from test_html import Reader
from test_theme import SIGHT, contrast, distance, linear, themes

from undertow.core.report import Report, Source
from undertow.core.verdict import Effect, Verdict
from undertow.stats import projection
from undertow.surfaces import html, maps, notebook, svg
from undertow.surfaces.html import source
from undertow.surfaces.viz import hexbin

DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def page() -> str:
    """Render a report with a map of 20,000 points once."""
    return html.render(made_up.report())


def data_of(page: str) -> dict[str, Any]:
    """Return what the script of the first map is given."""
    found = DATA.search(page)
    assert found
    return json.loads(found[1])


def unshared(packed: list[str]) -> list[str]:
    """Return ids as the script reads them."""
    names = [""]
    for each in packed:
        names.append(names[-1][: int(each[0], 36)] + each[1:])
    return names[1:]


def small(**changes: Any) -> dict[str, Any]:
    """Return a map of a few points, with changes."""
    return dict(made_up.shape(60, 40)) | changes


def test_small_enough(page: str) -> None:
    """A report with a map of 20,000 points, all that can be known of each, is below 600 KB."""
    shape = made_up.shape()
    assert sum(shape["drawn"].values()) == 20_000
    assert len(page.encode()) <= 600_000
    loud = samples.loud()
    both = Report.of(loud.reference, loud.current, (made_up.finding(), *loud.findings))
    assert len(html.render(both).encode()) <= 600_000


def test_many_maps_keep_the_page_small() -> None:
    """Maps beyond the room of a page are pictures alone."""
    found = [made_up.finding(subject=f"text_{i}") for i in range(4)]
    page = html.render(Report.of(Source("a", 1), Source("b", 1), found))
    assert len(page.encode()) <= 600_000
    assert len(DATA.findall(page)) == 1
    assert page.count('<svg class="chart"') == 4


def test_nothing_of_a_map_on_other_pages() -> None:
    """A page without a map carries neither its style nor its script."""
    page = html.render(samples.report())
    assert "IntersectionObserver" not in page
    assert ".map" not in page


def test_says_what_is_shown(page: str) -> None:
    """The page tells how many rows are drawn of how many, and what the axes are fitted on."""
    assert "Showing 20,000 of 53,000 rows (12,000 of 45,000 reference, all 8,000 current)" in page
    assert "PCA, 2 of 32 components, 41% of the variance, fitted on the reference" in page
    assert "both axes on one scale" in page


def test_classes_are_tables(page: str) -> None:
    """Without scripts each class stands with its share before and now, those that moved first."""
    table = page[page.index('data-field="cluster"') :]
    table = table[: table.index("</table>")]
    rows = re.findall(
        r"<bdi>(.*?)</bdi></th><td class=\"n\">(.*?)</td><td class=\"n\">(.*?)<", table
    )
    assert rows[0] == ("SmartSync pairing", "0%", "19%")
    assert len(rows) == 9
    assert 'data-field="error"' in page
    assert ">not known<" in page


def test_picture_is_equal_along_both_axes() -> None:
    """One step is as long across as it is up, whatever the form of the cloud."""
    corners = np.array([[0, 0], [400, 0], [400, 100], [0, 100]], np.float64)
    shape = projection.shape(corners, corners, lambda rows: rows)
    assert shape["size"] == [65_535, 16_384]
    drawn = ET.fromstring(svg.chart(shape, "x"))
    outlines = {each.get("class"): each.get("d", "") for each in drawn.iter("path")}
    spots = [tuple(map(float, pair)) for pair in re.findall(r"M([\d.]+) ([\d.]+)", outlines["ref"])]
    (left, right), (top, low) = ((min(each), max(each)) for each in zip(*spots, strict=True))
    assert (right - left) / (low - top) == pytest.approx(4, rel=0.1)


def test_picture_tells_new_from_gone() -> None:
    """Hexagons of one side alone are drawn in its ink alone; the description has the numbers."""
    drawn = svg.chart(made_up.shape(), "topics moved")
    tree = ET.fromstring(drawn)
    assert {each.get("class") for each in tree.iter("path")} == {"ref", "cur hex"}
    assert "SmartSync pairing 0% → 19%" in (tree.findtext("desc") or "")
    assert len(drawn) < 45_000
    assert svg.chart(made_up.shape(), "topics moved") == drawn


def test_names_do_not_collide() -> None:
    """No two names of clusters overlap in the picture."""
    tree = ET.fromstring(svg.chart(made_up.shape(), "x"))
    spots = [
        (float(each.get("x", 0)), float(each.get("y", 0)), hexbin.extent(each.text or "") / 2)
        for each in tree.iter("text")
    ]
    assert len(spots) >= 7
    for (x, y, half), (other_x, other_y, other_half) in itertools.combinations(spots, 2):
        assert abs(x - other_x) >= half + other_half or abs(y - other_y) >= 16


def test_script_is_given_what_the_shape_holds(page: str) -> None:
    """Points, codes, ids and times reach the page unchanged."""
    shape, data = made_up.shape(), data_of(page)
    assert (data["x"], data["y"], data["size"]) == (shape["x"], shape["y"], shape["size"])
    assert unshared(data["ids"]["reference"]) == shape["ids"]["reference"]
    assert [each["values"] for each in data["classes"]] == [
        each["values"] for each in shape["classes"]
    ]
    assert data["time"]["current"] == shape["time"]["current"]


def test_redacted_names_no_row() -> None:
    """A redacted page holds no id, no button to copy them, and no text."""
    page = html.render(made_up.report().redact())
    assert data_of(page)["ids"] is None
    assert "c000012" not in page
    assert "<textarea" not in page
    assert "pairing fails" not in page
    assert '<canvas class="over"' in page


def test_steady_findings_keep_their_map() -> None:
    """A map that has no section of its own is folded at the end."""
    still = Effect("total_variation", 0.0, 0.0, 0.01, 0.02, 0.9)
    report = Report.of(
        Source("a", 1), Source("b", 1), [replace(made_up.finding(small()), effect=still)]
    )
    assert report.findings[0].verdict is Verdict.STEADY
    page = html.render(report)
    assert '<details id="maps">' in page
    assert page.index('id="maps"') < page.index('<figure class="map">')


def test_notebook_has_the_picture_alone() -> None:
    """In a notebook the hexagons are shown, and neither points nor scripts."""
    page = notebook.render(Report.of(Source("a", 1), Source("b", 1), [made_up.finding()]))
    assert "<svg" in page
    assert "<script" not in page
    assert made_up.shape()["x"][:60] not in page
    assert len(page.encode()) < 50_000


@pytest.mark.parametrize("form", ["text", "markdown", "json", "junit", "github"])
def test_other_forms_live_with_a_map(form: str) -> None:
    """Every other form of the report is written, and only JSON holds the points."""
    text = made_up.report().render(form)
    assert "19%" in text
    assert (made_up.shape()["x"][:60] in text) == (form == "json")
    if form == "json":
        kept = json.loads(text)["findings"]
        assert any((each["shape"] or {}).get("form") == "map" for each in kept)


def test_hostile_names_are_text() -> None:
    """Labels, clusters, ids and axes that attack end as text."""
    texts = [text[:200] for text in samples.HOSTILE] * 4
    side = projection.Side(
        np.random.default_rng(0).normal(size=(len(texts), 4)),
        label=texts,
        cluster=texts[::-1],
        ids=texts,
    )
    shape = projection.shape(side, side) | {"projection": samples.HOSTILE[1]}
    report = Report.of(Source("a", 1), Source("b", 1), [made_up.finding(shape, samples.HOSTILE[0])])
    page = html.render(report)
    page.encode("utf-8")
    reader = Reader(page)
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("script") == 3
    assert not {"img", "iframe", "object", "embed"} & set(tags)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u2028]", page)
    raw = DATA.search(page)
    assert raw
    assert "<" not in raw[1]
    data = json.loads(raw[1])
    told = json.dumps(data, ensure_ascii=False)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", told)
    assert all(len(each) <= 61 for each in data["ids"]["current"])
    for _, attributes in reader.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes)


BROKEN = (
    {"x": None},
    {"x": "AAA"},
    {"x": "€"},
    {"y": base64.b64encode(b"12345678").decode()},
    {"drawn": None},
    {"drawn": {"reference": 10**9, "current": -1}},
    {"drawn": {"reference": 60.5, "current": 39.5}},
    {"size": [float("nan"), None]},
    {"size": [-1, 0]},
    {"rows": None, "projection": None, "outside": "x"},
    {"classes": None},
    {"classes": [None, {"field": "label"}, {"field": ["label"]}, {"field": "x", "codes": ""}]},
    {"classes": [{"field": "label", "values": [None, 3], "codes": "AAAA", "at": [[1]]}]},
    {"time": {"codes": "AAAA"}},
    {"time": {"start": 1e300, "step": 0, "slots": 3}},
    {"ids": {"reference": ["a"], "current": None}},
    {"ids": {"reference": "AAAA", "current": 3}},
    {"ids": []},
)


@pytest.mark.parametrize("change", BROKEN, ids=range(len(BROKEN)))
def test_broken_shapes_draw_what_can_be_read(change: dict[str, Any]) -> None:
    """No broken key raises; what the script is given is whole."""
    page = html.render(made_up.report(small(**change)))
    for found in DATA.findall(page):
        data = json.loads(found)
        points = sum(data["drawn"].values())
        assert len(base64.b64decode(data["x"])) == len(base64.b64decode(data["y"])) == 2 * points
        for each in [*data["classes"], *([data["time"]] if data["time"] else [])]:
            assert len(base64.b64decode(each["codes"])) == points


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(list(made_up.shape(60, 40))[1:]), JSON, max_size=4))
def test_any_shape_is_harmless(changes: dict[str, Any]) -> None:
    """Whatever stands in a shape, the picture is well-formed or empty, and nothing is raised."""
    shape = small(**changes)
    if drawn := svg.chart(shape, "x"):
        ET.fromstring(drawn)
    maps.figure(made_up.finding(shape))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_classes_differ_for_every_eye(theme: str) -> None:
    """Class colours are 3 to 1 on the page and apart, from the inks too, for every sight."""
    pairs = re.findall(r"--k\d+: light-dark\((#\w{6}), (#\w{6})\)", source("map.css"))
    assert len(pairs) == 12
    colours = [linear(pair[theme == "dark"]) for pair in pairs]
    ground = themes()[theme]
    assert all(contrast(each, ground["bg"]) >= 3 for each in colours)
    for one, other in itertools.combinations(colours, 2):
        assert all(distance(one, other, sight) >= 15 for sight in SIGHT.values())
    for each in colours:
        assert distance(each, ground["cur"], SIGHT["normal"]) >= 30


def test_colours_are_written_once() -> None:
    """The map's style names colours by variable alone."""
    rest = re.sub(r"--[\w-]+: light-dark\([^)]*\)", "", source("map.css"))
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", rest)

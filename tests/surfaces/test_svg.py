"""Charts are strings: what they draw, what they say, and that no shape can break or abuse them."""

from __future__ import annotations

import json
import math
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import samples

from undertow.core.verdict import Effect, Verdict
from undertow.surfaces import svg
from undertow.surfaces.viz import axis
from undertow.surfaces.viz.marks import WIDTH

SHAPES = {
    "histogram": samples.histogram(18, 75, (40, 9), (52, 11)),
    "shares": samples.shares(("neutral", 0.24, 0.43), ("gone", 0.1, 0.0), note={"gone": "gone"}),
    "words": samples.WORDS,
    "calibration": samples.CALIBRATION,
    "metric": samples.METRIC,
    "dumbbell": {
        "form": "dumbbell",
        "unit": "share",
        "rows": [
            {
                "name": "recall@10",
                "reference": {"value": 0.92, "low": 0.9, "high": 0.94},
                "current": {"value": 0.81, "low": 0.78, "high": 0.84},
            },
            {"name": "new slice", "reference": None, "current": {"value": 0.4}},
        ],
    },
    "lorenz": {
        "form": "lorenz",
        "reference": [0.0, 0.1, 0.3, 0.6, 1.0],
        "current": [0.0, 0.0, 0.1, 0.3, 1.0],
    },
}


def parse(drawn: str) -> ET.Element:
    """Return a drawing as a tree; it must be well-formed."""
    return ET.fromstring(drawn)


def paths(drawn: str, kind: str) -> list[str]:
    """Return the outlines of one class."""
    return [each.get("d", "") for each in parse(drawn).iter("path") if each.get("class") == kind]


@pytest.mark.parametrize("form", SHAPES)
def test_every_form_says_what_it_draws(form: str) -> None:
    """Each chart has a role, a label that states the finding and a description with numbers."""
    tree = parse(svg.chart(SHAPES[form], "age changed: half were under 40"))
    assert tree.get("role") == "img"
    assert tree.get("aria-label") == "age changed: half were under 40"
    description = tree.findtext("desc") or ""
    assert any(letter.isdigit() for letter in description)
    assert svg.caption(SHAPES[form])


@pytest.mark.parametrize("form", SHAPES)
def test_charts_are_small_and_plain(form: str) -> None:
    """A chart is a few kilobytes, has no inline style, no script and no link."""
    drawn = svg.chart(SHAPES[form], "x")
    assert len(drawn) < 5_000
    assert not {"style", "script", "href", "onload"} & set(drawn.replace('"', " ").split())
    assert all(
        not name.startswith("on") and name != "style"
        for e in parse(drawn).iter()
        for name in e.attrib
    )


@pytest.mark.parametrize("shape", samples.BROKEN)
def test_broken_shapes_draw_little_or_nothing(shape: Any) -> None:
    """No shape, however broken, raises; what is drawn is well-formed."""
    for drawn in (svg.chart(shape, "x"), svg.spark(shape)):
        if drawn:
            parse(drawn)
    assert isinstance(svg.caption(shape), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)
KEYS = [
    "edges",
    "reference",
    "current",
    "median",
    "below",
    "above",
    "rows",
    "others",
    "time",
    "value",
    "low",
    "high",
]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(list(SHAPES)),
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5),
    st.text(),
)
def test_any_shape_is_harmless(form: str, changes: dict[str, Any], label: str) -> None:
    """Whatever stands in a shape, the result is well-formed or empty and holds no odd number."""
    for shape in ({"form": form} | changes, SHAPES[form] | changes):
        for drawn in (svg.chart(shape, label), svg.spark(shape)):
            if drawn:
                parse(drawn)
                outlines = " ".join(e.get("d", "") for e in parse(drawn).iter())
                assert "nan" not in outlines
                assert "inf" not in outlines


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=41).map(sorted),
    st.data(),
)
def test_any_edges_can_be_drawn(edges: list[float], data: st.DataObject) -> None:
    """Equal, repeated and ragged edges all draw inside the picture, or not at all."""
    share = st.floats(0, 1)
    sides = st.lists(share, min_size=len(edges) - 1, max_size=len(edges) - 1)
    shape = {
        "form": "histogram",
        "edges": edges,
        "reference": data.draw(sides),
        "current": data.draw(sides),
    }
    drawn = svg.chart(shape, "x")
    if drawn:
        for outline in paths(drawn, "ref") + paths(drawn, "cur"):
            numbers = [
                float(each) for each in outline.translate(str.maketrans("MHVL", "    ")).split()
            ]
            assert all(-1 <= each <= WIDTH + 1 for each in numbers)


def test_hostile_values_are_text() -> None:
    """Markup in values is shown, never obeyed."""
    for text in samples.HOSTILE:
        shape = samples.shares((text, 0.2, 0.5))
        drawn = svg.chart(shape, text)
        assert {each.tag for each in parse(drawn).iter()} <= {"svg", "desc", "g", "path", "text"}
        drawn.encode("utf-8")
        assert "\x1b" not in drawn


def test_histogram_area_is_the_share() -> None:
    """In bins of unequal width a bar's area, not its height, is the share of rows."""
    shape = {
        "form": "histogram",
        "edges": [0, 1, 4],
        "reference": [0.25, 0.75],
        "current": [0.5, 0.5],
    }
    steps = paths(svg.chart(shape, "x"), "ref")[0]
    assert steps.count("V") == 2  # both bins equally high: up once, down once
    assert svg.caption(shape).startswith("The area")


def test_shares_keep_a_floor() -> None:
    """A change of one point is drawn on a scale of five."""
    drawn = svg.chart(samples.shares(("a", 0.30, 0.31)), "x")
    assert "+5 pp" in drawn


def test_size_bar_is_one_scale() -> None:
    """A bar is measured in tolerances; what is unknown has a whisker and no bar."""
    small = svg.size_bar(Effect("cdf_gap", 0.1, 0.05, 0.15, 0.1, 0.0), most=4)
    large = svg.size_bar(Effect("difference", 0.02, 0.01, 0.03, 0.02, 0.0), most=4)
    assert paths(small, "fill") == paths(large, "fill") == ["M0 4H40V12H0Z"]
    unknown = svg.size_bar(Effect("cdf_gap", 0.1, 0.05, 0.15, 0.1, 0.0), 4, Verdict.UNKNOWN)
    assert paths(unknown, "fill") == []
    assert len(paths(unknown, "ci")) == 1
    assert svg.size_bar(None, 4) == ""
    nan = math.nan
    assert svg.size_bar(Effect("cdf_gap", nan, nan, nan, 0.1, 1.0), 4) == ""
    assert "l4 4l-4 4" in svg.size_bar(Effect("cdf_gap", 0.9, 0.8, 1.0, 0.1, 0.0), 4)


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(1, 8))
def test_ticks_are_few_round_and_inside(low: float, span: float, about: int) -> None:
    """Ticks lie between the ends, in order, each with its own word."""
    places, words = axis.ticks(low, low + span, about)
    assert len(places) == len(words) <= 2 * about + 2
    assert places == sorted(places)


@given(st.floats(-6e10, 2.5e11), st.floats(1, 1e11))
def test_date_ticks_are_few(low: float, span: float) -> None:
    """Dates have few ticks, whatever the span; out of the calendar they are numbers."""
    places, words = axis.date_ticks(low, low + span)
    assert len(places) == len(words) <= 12


def test_same_bytes() -> None:
    """The same shape draws the same bytes, and charts cost microseconds."""
    for shape in SHAPES.values():
        again = json.loads(json.dumps(shape))
        assert svg.chart(shape, "x") == svg.chart(again, "x")

"""The JSON report: strict, the same bytes for the same findings, and safe to print."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.finding import Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces.json import dumps, render

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def report(**evidence):
    """Return a report of one finding with this evidence."""
    effect = Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=1e-40)
    finding = Finding("drift.number", "age", "moved", effect, Rows(9, 9), evidence=evidence)
    columns = [Column("age", Kind.NUMBER)]
    return Report.of(Source("a", 9, "d"), Source("b", 9), [finding], columns=columns)


def refuse(token):
    """Fail on NaN and Infinity, which are no JSON."""
    raise AssertionError(token)


@settings(deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_any_document_comes_back(document):
    """What is plain JSON comes back unchanged, is valid UTF-8, and holds nothing that acts."""
    text = dumps(document)
    assert json.loads(text.encode("utf-8"), parse_constant=refuse) == document
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text
    )
    assert "##[" not in text


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, None),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.array([True])[0], True),
        (np.array([1.0, np.nan]), [1.0, None]),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (b"raw", "b'raw'"),
        (Verdict.WATCH, "watch"),
        ({1: {None: 2.5}}, {"1": {"None": 2.5}}),
        ("##[add-mask]x", "##[add-mask]x"),
    ],
)
def test_what_json_does_not_know_becomes_what_it_does(value, plain):
    """Numbers that are none, arrays, sets and odd keys come out as null, lists and text."""
    found = json.loads(render(report(x=value)), parse_constant=refuse)
    assert found["findings"][0]["evidence"]["x"] == plain


def test_no_text_commands_the_runner_of_a_ci():
    """JSON in a CI's log holds no command to the runner, and the text comes back."""
    assert "##[" not in render(report(x="a ##[add-mask]b"))


def test_the_report_is_its_dictionary():
    """The JSON holds what to_dict says, key by key, in that order."""
    found = report(median=3.5)
    read = json.loads(render(found))
    assert read == found.to_dict()
    assert list(read) == list(found.to_dict())
    assert list(read["findings"][0]["effect"])[:2] == ["name", "value"]


def test_a_finding_is_a_line():
    """Two reports can be compared with diff: a key, a column or a finding a line."""
    lines = render(report()).splitlines()
    assert sum('"key"' in line for line in lines) == 1
    assert render(report()) == render(report())

"""The JUnit report: well-formed for any text, and each verdict is the outcome a CI understands."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.finding import Acceptance, Finding
from undertow.core.report import Report, Source
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces.junit import render

WILD = st.text(st.one_of(st.characters(), st.sampled_from("\x00\ufffe]]>&<\"'\x1b[m\u202e")))
EFFECT = Effect("cohens_h", 0.4, 0.3, 0.5, tolerance=0.2, p_no_change=1e-9)


def cases(*findings, known=()):
    """Return the parsed test suite of a report of these findings."""
    found = Report(Source("a", 5), Source("b", 5), findings).accepting(known)
    return ET.fromstring(render(found))[0]


def test_each_verdict_is_an_outcome():
    """Changed fails, watch passes and speaks, unknown and accepted are skipped, steady passes."""
    found = [Finding("c", each.value, "says", EFFECT, verdict=each) for each in Verdict]
    known = Finding("c", "known", "says", EFFECT, verdict=Verdict.CHANGED)
    suite = cases(*found, known, known=[Acceptance(known.key, "2026-12-31", "launch")])
    inside = {
        case.get("name"): (case[0].tag if len(case) else None) for case in suite.iter("testcase")
    }
    assert inside == {
        "changed": "failure",
        "watch": "system-out",
        "unknown": "skipped",
        "steady": None,
        "known": "skipped",
    }
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == list("5102")
    assert suite.find(".//testcase[@name='known']/skipped").get("message") == (
        "accepted until 2026-12-31: launch"
    )


def test_a_failure_says_how_much_and_what_next():
    """The body of a failure holds the size, the limit, the rows, the next step and the key."""
    finding = Finding("c", "age=1", "1% -> 9%", EFFECT, verdict=Verdict.CHANGED, next=("Look.",))
    failure = cases(finding).find(".//failure")
    assert failure.get("message") == "1% -> 9%"
    for part in ("h 0.40 (h 0.30 to h 0.50), limit h 0.20", "next: Look.", finding.key):
        assert part in failure.text


def test_a_name_is_the_same_in_every_run():
    """A CI shows a test's history by name, so the name holds no size and no verdict."""
    finding = Finding("drift.number", "age", "says", EFFECT, verdict=Verdict.CHANGED)
    steady = replace(finding, verdict=Verdict.STEADY, says="other")
    names = [
        [(case.get("classname"), case.get("name")) for case in cases(each).iter("testcase")]
        for each in (finding, steady)
    ]
    assert names[0] == names[1] == [("undertow.drift.number", "age")]


@settings(deadline=None)
@given(WILD, WILD, st.sampled_from(Verdict))
def test_any_text_is_well_formed(subject, says, verdict):
    """Whatever the data holds, the XML parses, as UTF-8 bytes too, and has one case."""
    finding = Finding(says, subject, says, verdict=verdict, next=(says,))
    text = render(Report(Source(says, 1), Source(subject, 1), (finding,), notes=(says,)))
    assert len(list(ET.fromstring(text.encode("utf-8")).iter("testcase"))) == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]|##\\[", text)

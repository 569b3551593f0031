"""The annotations for GitHub: a line a finding, which no text of the data ends or extends."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.finding import Acceptance, Finding
from undertow.core.report import Report, Source
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces.github import render

WILD = st.text(st.one_of(st.characters(), st.sampled_from("%\r\n:,\x1b\u2028")), max_size=30)
LINE = re.compile(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)")


def lines(*findings, known=()):
    """Return the annotations of a report of these findings."""
    return render(Report(Source("a", 5), Source("b", 5), findings).accepting(known)).splitlines()


def test_each_verdict_has_its_level():
    """Changed is an error, watch a warning, unknown and accepted a notice, steady says nothing."""
    found = [Finding("c", verdict.value, "says", verdict=verdict) for verdict in Verdict]
    known = Finding("c", "known", "says", verdict=Verdict.CHANGED)
    written = lines(*found, known, known=[Acceptance(known.key, "2026-12-31", "launch")])
    counted = "1 changed, 1 watch, 1 unknown, 1 steady, 1 accepted"
    assert written == [
        f"::error title=undertow%3A changed::changed changed: says ({counted})",
        "::error title=changed%3A changed::says",
        "::warning title=watch%3A watch::says",
        "::notice title=unknown%3A unknown::says",
        "::notice title=accepted%3A known::until 2026-12-31: launch",
    ]


def test_a_size_stands_with_its_limit_and_key():
    """An annotation says how much, against which limit, and the key to accept it by."""
    effect = Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=1e-40)
    finding = Finding("c", "age", "says", effect, verdict=Verdict.CHANGED)
    assert lines(finding)[1].endswith(f"::says (moved 31%25, limit 10%25; key {finding.key})")


@settings(deadline=None)
@given(WILD, WILD, st.sampled_from([Verdict.CHANGED, Verdict.WATCH, Verdict.UNKNOWN]))
def test_no_text_breaks_out(subject, says, verdict):
    """For any text there are exactly two commands, each whole, and the text comes back."""
    finding = Finding("c", subject, says, verdict=verdict)
    text = render(Report(Source("a", 5), Source("b", 5), (finding,)))
    written = text.split("\n")
    assert written.pop() == ""
    assert len(text.splitlines()) == len(written) == 2
    for line in written:
        assert LINE.fullmatch(line)
    title = LINE.fullmatch(written[1])[2]
    assert re.sub("%(25|3A|2C)", "", title).count("%") == 0

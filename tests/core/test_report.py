"""A report judges its findings together, and says the same in every run."""

from __future__ import annotations

import json

import pytest

from undertow.core.errors import UsageError
from undertow.core.finding import Acceptance, Finding, Rows, percent
from undertow.core.report import Report, Source
from undertow.core.verdict import Effect, Verdict

SIDES = Source("a.parquet", 1000), Source("b.parquet", 1000)


def finding(name, p, low=0.2, high=0.4, **more):
    """Return a finding on a column whose gap was measured."""
    made = Effect("cdf_gap", (low + high) / 2, low, high, tolerance=0.1, p_no_change=p)
    return Finding("drift.number", name, "moved", made, Rows(1000, 1000), column=name, **more)


def test_comparisons_are_counted_over_the_whole_report():
    """The same effect is changed alone and unknown among a thousand."""
    alone = Report.of(*SIDES, [finding("x", 1e-4)])
    crowd = Report.of(
        *SIDES, [finding("x", 1e-4), *(finding(f"c{i}", 1, 0, 0.05) for i in range(999))]
    )
    assert alone["x"].verdict is Verdict.CHANGED
    assert crowd["x"].verdict is Verdict.UNKNOWN
    assert crowd.comparisons == 1000


def test_adding_reports_judges_again():
    """Two reports joined count the comparisons of both."""
    one = Report.of(*SIDES, [finding("x", 0.0019)])
    assert one["x"].verdict is Verdict.CHANGED
    both = one + Report.of(*SIDES, [finding(f"c{i}", 1, 0, 0.05) for i in range(99)])
    assert both["x"].verdict is Verdict.UNKNOWN
    assert both.comparisons == 100


def test_the_worst_finding_stands_first():
    """Changed before watch before unknown before steady, larger before smaller."""
    report = Report.of(
        *SIDES,
        [
            finding("steady", 1, 0, 0.05),
            finding("small", 1e-9, 0.2, 0.3),
            finding("watch", 1e-9, 0.05, 0.3),
            finding("large", 1e-9, 0.5, 0.6),
            finding("unknown", 1, 0, 0.5),
        ],
    )
    assert [each.subject for each in report] == ["large", "small", "watch", "unknown", "steady"]


def test_nothing_is_never_green():
    """A report without findings is unknown, not steady."""
    assert Report.of(*SIDES, []).verdict is Verdict.UNKNOWN


def test_an_accepted_finding_stays_listed_and_fails_nothing():
    """What a team knows about stays in the list, at its end, and leaves the verdict alone."""
    report = Report.of(*SIDES, [finding("known", 1e-9), finding("quiet", 1, 0, 0.05)])
    key = report["known"].key
    calm = report.accepting([Acceptance(key, "2099-01-01", "a launch")])
    assert calm.verdict is Verdict.STEADY
    assert calm.findings[-1].accepted == Acceptance(key, "2099-01-01", "a launch")
    assert len(calm.findings) == 2


def test_keys_are_stable_and_apart():
    """A key depends on check and subject only; 'a=b' the column is not value b of column a."""
    one = Finding("drift.share", "a=b", "x", column="a=b")
    other = Finding("drift.share", "a=b", "y", column="a", value="b")
    assert one.key != other.key
    assert one.key == Finding("drift.share", "a=b", "other words", column="a=b").key


def test_json_keeps_the_contract():
    """Every key of the version 1 report is there."""
    row = json.loads(json.dumps(Report.of(*SIDES, [finding("x", 1e-9)]).to_dict()))
    assert set(row) >= {"undertow", "schema", "verdict", "reference", "current", "findings"}
    assert row["schema"] == 1
    found = row["findings"][0]
    assert set(found) >= {
        "key", "check", "subject", "column", "value", "cluster", "verdict", "says", "effect",
        "rows", "needs_rows", "evidence", "next",
    }  # fmt: skip
    assert set(found["effect"]) >= {
        "name", "value", "low", "high", "level", "tolerance", "p_no_change",
    }  # fmt: skip


def test_asking_for_what_is_not_there_helps():
    """An unknown subject is answered with the closest one."""
    with pytest.raises(UsageError, match="did you mean 'age'"):
        Report.of(*SIDES, [finding("age", 1)])["aeg"]


def test_redacting_drops_every_example():
    """No row of the data is left in a redacted report."""
    report = Report.of(*SIDES, [finding("x", 1e-9, examples=({"x": "secret"},))])
    assert "secret" in json.dumps(report.to_dict())
    assert "secret" not in json.dumps(report.redact().to_dict())


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0009, "0.09%"), (0.5, "50%"), (0.0149, "1.5%"), (1, "100%"), (0.999, "99.9%")],
)
def test_percentages_tell_small_shares_apart(share, text):
    """A share near 0 or 1 keeps the digits that tell it from them."""
    assert percent(share) == text

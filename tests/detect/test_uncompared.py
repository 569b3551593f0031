"""What nothing compares is said, and never green."""

from __future__ import annotations

import pyarrow as pa
import pytest

import undertow as ut
from undertow.surfaces.cli_check import exit_code


def table(word):
    """Return rows with bytes, a list of words and a category."""
    return pa.table(
        {
            "raw": [word] * 400,
            "tags": [["a", "b"]] * 400,
            "c": ["x", "y"] * 200,
        }
    )


def test_bytes_that_moved_unseen_are_not_steady():
    """Other bytes: nothing compares them, so the report is unknown and names the column."""
    report = ut.check(table(b"one"), table(b"other"))
    found = next(each for each in report if each.check == "schema.uncompared")
    assert found.verdict is ut.Verdict.UNKNOWN
    assert found.evidence["columns"] == ["raw", "tags"]
    assert report.verdict is ut.Verdict.UNKNOWN
    assert exit_code(report, "changed") == 0  # the category was compared


def test_what_is_left_out_on_purpose_is_not_listed():
    """--ignore says that a column does not matter."""
    report = ut.check(table(b"one"), table(b"other"), ignore=["raw", "tags"])
    assert "schema.uncompared" not in {each.check for each in report}
    assert report.verdict is ut.Verdict.STEADY


def test_a_report_that_measured_nothing_is_unknown():
    """With every column left out, that all columns are there is no news: exit 3."""
    report = ut.check(table(b"one"), table(b"other"), ignore=["raw", "tags", "c"])
    assert report.verdict is ut.Verdict.UNKNOWN
    assert exit_code(report, "changed") == 3


def test_a_text_is_no_vector():
    """--vector on a column of words is refused with its type."""
    with pytest.raises(ut.UsageError, match="'c' is no vector: it is string"):
        ut.check(table(b"one"), table(b"one"), vector="c")

"""What nothing compares is said, and never green."""

from __future__ import annotations

import pyarrow as pa
import pytest

import undertow as ut
from undertow.surfaces.cli_check import exit_code


def table(vector):
    """Return rows with a vector, a list of words and a category."""
    return pa.table(
        {
            "v": pa.array([vector] * 400, pa.list_(pa.float32(), 2)),
            "tags": [["a", "b"]] * 400,
            "c": ["x", "y"] * 200,
        }
    )


def test_a_vector_that_moved_unseen_is_not_steady():
    """[1, 0] against [900, 5]: nothing compares it, so the report is unknown and names the column."""
    report = ut.check(table([1, 0]), table([900, 5]))
    found = next(each for each in report if each.check == "schema.uncompared")
    assert found.verdict is ut.Verdict.UNKNOWN
    assert found.evidence["columns"] == ["v", "tags"]
    assert report.verdict is ut.Verdict.UNKNOWN
    assert exit_code(report, "changed") == 0  # the category was compared


def test_what_is_left_out_on_purpose_is_not_listed():
    """--ignore says that a column does not matter."""
    report = ut.check(table([1, 0]), table([9, 5]), ignore=["v", "tags"])
    assert "schema.uncompared" not in {each.check for each in report}
    assert report.verdict is ut.Verdict.STEADY


def test_a_report_that_measured_nothing_is_unknown():
    """With every column left out, that all columns are there is no news: exit 3."""
    report = ut.check(table([1, 0]), table([9, 5]), ignore=["v", "tags", "c"])
    assert report.verdict is ut.Verdict.UNKNOWN
    assert exit_code(report, "changed") == 3


def test_a_text_is_no_vector():
    """--vector on a column of words is refused with its type."""
    with pytest.raises(ut.UsageError, match="'c' is no vector: it is string"):
        ut.check(table([1, 0]), table([1, 0]), vector="c")

"""Missing values: every way of being missing, tolerance, facts, labels that come late."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from undertow import plugins
from undertow.core.check import History
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.verdict import Verdict
from undertow.detect.missing import Infinite, Missing
from undertow.observe import measure
from undertow.observe.declare import Declared, roles
from undertow.sources import open_dataset


def judged(check: Any, before: Any, now: Any, **said: Any) -> list[Finding]:
    """Return what one check finds, judged as a report of its own."""
    declared = Declared(roles=roles(**said))
    reference = measure.fit(open_dataset(before), declared, [check], plugins.lenses(), lambda _: 0)
    current = measure.measure(open_dataset(now), reference, lambda _: None)
    found = check(History(reference, current))
    return list(Report.of(Source("a", reference.rows), Source("b", current.rows), found))


def holed(rows: int, gaps: int, value: Any = 1.5, gap: Any = None) -> pa.Table:
    """Return a column with so many gaps."""
    return pa.table({"x": pa.array([gap] * gaps + [value] * (rows - gaps))})


def test_nothing_missing_is_no_finding() -> None:
    """Columns without a gap on either side cost no comparison."""
    assert judged(Missing(), holed(100, 0), holed(100, 0)) == []


@pytest.mark.parametrize(("gaps", "verdict"), [(10, "steady"), (12, "steady"), (80, "changed")])
def test_the_share_that_is_missing_is_judged_by_cohens_h(gaps: int, verdict: str) -> None:
    """1 -> 8% of a thousand rows is changed, 1 -> 1.2% is steady."""
    (found,) = judged(Missing(), holed(1000, 10), holed(1000, gaps))
    assert found.verdict.value == verdict
    assert found.effect is not None
    assert found.effect.name == "cohens_h"


def test_the_sentence_names_shares_and_the_rows_are_shown() -> None:
    """The finding says before and after, shows rows without a value, and how to see more."""
    (found,) = judged(Missing(), holed(1000, 10), holed(1000, 100))
    assert found.says == "'x' is missing in 10% of rows, was 1%"
    assert all(each == {"x": "(missing)"} for each in found.examples)
    assert "--current-where 'x IS NULL' --reference-where 'NOT (x IS NULL)'" in found.next[0]
    assert [bar["value"] for bar in found.shape["rows"]] == ["missing", "present"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("before", "now", "way"),
    [
        (holed(400, 0), holed(400, 90, gap=float("nan")), "NaN"),
        (holed(400, 0, "a"), holed(400, 90, "a", " "), "blank"),
        (holed(400, 0), holed(400, 90, "1.5", "n.a."), "unreadable"),
    ],
)
def test_each_way_of_being_missing_is_named(before: pa.Table, now: pa.Table, way: str) -> None:
    """NaN, blanks and text that spells no number are missing, each under its own name."""
    (found,) = judged(Missing(), before, now)
    assert found.verdict is Verdict.CHANGED
    assert f"{way} 22" in found.says
    assert way in found.evidence


def test_a_column_of_nothing_is_a_fact_even_with_few_rows() -> None:
    """Five rows of nothing tell enough where the reference had no gap; one row does not."""
    (found,) = judged(Missing(), holed(1000, 0), holed(5, 5))
    assert (found.verdict, found.effect) == (Verdict.CHANGED, None)
    assert "holds nothing now" in found.says
    (found,) = judged(Missing(), holed(30, 0), holed(1, 1))
    assert found.verdict is Verdict.UNKNOWN


def test_a_column_that_is_often_empty_may_be_empty_again() -> None:
    """Where half of the reference is missing, five empty rows are no fact."""
    (found,) = judged(Missing(), holed(1000, 500), holed(5, 5))
    assert found.verdict is Verdict.UNKNOWN


def test_labels_may_be_on_their_way() -> None:
    """A label with more missing is watch at most; with fewer it is judged as any column."""
    more = judged(Missing(), holed(1000, 0), holed(1000, 700), label="x")
    assert [(each.verdict.value, each.effect) for each in more] == [("watch", None)]
    few = judged(Missing(), holed(1000, 1), holed(1000, 2), label="x")
    assert few[0].verdict is Verdict.STEADY
    assert "still be on their way" in few[0].says
    fewer = judged(Missing(), holed(1000, 700), holed(1000, 0), label="x")
    assert fewer[0].verdict is Verdict.CHANGED


def test_identifiers_and_clocks_are_looked_at_and_ignored_columns_are_not() -> None:
    """A missing identifier is a failure like any other; an ignored column is none."""
    assert judged(Missing(), holed(500, 0), holed(500, 200), id="x")[0].verdict is Verdict.CHANGED
    assert judged(Missing(), holed(500, 0), holed(500, 200), ignore="x") == []


def test_infinite_numbers_are_found() -> None:
    """A tenth of infinite values is changed, with rows to look at; text cannot be infinite."""
    before, now = holed(500, 0), holed(500, 50, gap=float("inf"))
    (found,) = judged(Infinite(), before, now)
    assert found.verdict is Verdict.CHANGED
    assert found.says == "'x' is infinite in 10% of rows, was 0%"
    assert found.examples[0] == {"x": "inf"}
    assert judged(Infinite(), before, before) == []
    assert judged(Infinite(), holed(9, 0, "a"), holed(9, 0, "b")) == []


def test_a_hostile_name_is_quoted_in_the_next_step() -> None:
    """A name with blanks and quotes stands in quotes in the condition."""
    name = 'hours "per" week'
    before = pa.table({name: np.ones(300)})
    now = pa.table({name: pa.array([None] * 100 + [1.0] * 200)})
    (found,) = judged(Missing(), before, now)
    assert """--current-where '"hours ""per"" week" IS NULL'""" in found.next[0]

"""Values beyond the range, one value repeated, words for "no value", and silence elsewhere."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from undertow import plugins
from undertow.core.check import History
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.verdict import Verdict
from undertow.detect.repeated import Repeated, outstanding
from undertow.detect.values import Placeholder, Range
from undertow.observe import measure
from undertow.observe.declare import Declared, roles
from undertow.sources import open_dataset

RANDOM = np.random.default_rng(5)
NORMAL = RANDOM.normal(size=20_000)


def judged(check: Any, before: Any, now: Any, **said: Any) -> list[Finding]:
    """Return what one check finds of one column, judged as a report of its own."""
    tables = [open_dataset({"x": side, "row": RANDOM.random(len(side))}) for side in (before, now)]
    declared = Declared(roles=roles(**({"ignore": ["row"]} | said)))
    reference = measure.fit(tables[0], declared, [check], plugins.lenses(), lambda _: None)
    current = measure.measure(tables[1], reference, lambda _: None)
    found = check(History(reference, current))
    return list(Report.of(Source("a", reference.rows), Source("b", current.rows), found))


def spoiled(values: Any, share: float, value: Any) -> Any:
    """Return the values with every so many replaced by one value."""
    out = np.array(values)
    out[:: round(1 / share)] = value
    return out


# Range


def test_rows_outside_the_range_are_counted_on_both_ends() -> None:
    """A tenth of rows beyond the greatest value is changed, with both ends in the evidence."""
    now = spoiled(NORMAL[1000:2000], 0.1, 50.0)
    (found,) = judged(Range(), NORMAL[:1000], now)
    assert found.verdict is Verdict.CHANGED
    assert "10% of rows above" in found.says
    assert "(to 50)" in found.says
    assert found.evidence["share_above"] == 0.1
    assert found.examples[0]["x"] == "50"
    assert "x NOT BETWEEN" in found.next[0]


def test_rows_below_the_range_are_found_beyond_the_sample() -> None:
    """With more rows than the sample holds the share is exact in the cells outside."""
    now = spoiled(NORMAL[10_000:], 0.05, -7000.0)
    (found,) = judged(Range(), NORMAL[:10_000], now)
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["share_below"] == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("rows", [100, 1000, 10_000])
def test_the_few_rows_that_chance_puts_outside_are_steady(rows: int) -> None:
    """One row in n lies outside on each side without any change: one fact for all columns."""
    (found,) = judged(Range(), NORMAL[:rows], NORMAL[-rows:])
    assert (found.subject, found.effect) == ("columns", None)
    assert found.verdict is not Verdict.CHANGED
    assert "than chance brings" in found.summary


def test_too_few_rows_are_unknown_and_say_so() -> None:
    """With ten rows a side the range cannot be told."""
    (found,) = judged(Range(), NORMAL[:10], NORMAL[10:20] + 0.8)
    assert found.verdict is Verdict.UNKNOWN
    assert "too few rows in 1 column to say" in found.says


def test_a_constant_has_no_range() -> None:
    """A reference of one value is not looked at here; an empty side neither."""
    assert judged(Range(), np.full(50, 3.0), NORMAL[:50]) == []
    assert judged(Range(), NORMAL[:50], [None] * 50) == []


# Repeated


@pytest.mark.parametrize("value", [-999.0, 0.0, -1.0, 99999.0, 0.123456])
@pytest.mark.parametrize("rows", [400, 8000])
def test_one_value_newly_common_is_named(value: float, rows: int) -> None:
    """A stand-in for missing, or any other number, in a twentieth of rows is changed."""
    now = spoiled(NORMAL[-rows:], 0.05, value)
    (found,) = judged(Repeated(), NORMAL[:rows], now)
    assert found.verdict is Verdict.CHANGED
    assert found.column == "x"
    assert float((found.value or "").replace(",", "")) == value
    assert found.evidence["share"]["current"] == pytest.approx(0.05, abs=0.015)
    known = "often stands for missing" in found.says
    assert known == (value != 0.123456)
    assert found.examples


def test_a_constant_now_and_a_constant_before_are_both_named() -> None:
    """A column that became constant, or was and is no longer, is told with its value."""
    (found,) = judged(Repeated(), NORMAL[:5000], np.full(5000, 7.25))
    assert found.verdict is Verdict.CHANGED
    assert "is the constant 7.25 in all 5,000 rows now" in found.says
    (found,) = judged(Repeated(), np.full(5000, 7.25), NORMAL[:5000])
    assert "was the constant 7.25 in all 5,000 rows of the reference" in found.says
    assert "--where 'x <> 7.25'" in found.next[0]
    assert found.examples == ()


def test_another_constant_only_tells_the_sides_apart() -> None:
    """A year that is 2008 on one side and 2010 on the other is a key, not missing data."""
    (found,) = judged(Repeated(), np.full(300, 2008), np.full(200, 2010))
    assert found.verdict is Verdict.CHANGED
    assert "in every row, now it is" in found.says
    assert found.next == ("leave it out, as it only tells the two sides apart: --ignore x",)


@pytest.mark.parametrize(
    "before",
    [
        np.full(300, 3.0),
        RANDOM.integers(18, 80, 4000),
        RANDOM.poisson(2, 4000),
        np.round(NORMAL[:4000], 1),
        np.where(RANDOM.random(4000) < 0.4, 0.0, NORMAL[:4000]),
        NORMAL[:4000],
    ],
)
def test_numbers_that_repeat_by_nature_are_no_news(before: Any) -> None:
    """The same constant, ages, counts, rounded and zero-inflated numbers stay quiet."""
    half = len(before) // 2
    (found,) = judged(Repeated(), before[:half], before[half:])
    assert (found.subject, found.verdict) == ("columns", Verdict.STEADY)


def test_a_shift_of_counts_is_no_repeated_value() -> None:
    """Where every value of a lattice moves a little, none of them stands out."""
    (found,) = judged(Repeated(), RANDOM.poisson(8, 3000), RANDOM.poisson(9, 3000))
    assert found.subject == "columns"


@pytest.mark.parametrize(("day", "clock"), [("1970-01-01", True), ("2024-02-01 08:00:00", False)])
def test_times_that_stand_for_no_time_are_named(day: str, clock: bool) -> None:
    """1970-01-01 in a column of times is found, in the clock itself as well."""
    start = np.datetime64("2024-01-01")
    times = start + RANDOM.integers(0, 10**7, 4000).astype("timedelta64[s]")
    now = [*times[2000:].tolist()]
    now[::15] = [dt.datetime.fromisoformat(day)] * len(now[::15])
    said = {"time": "x"} if clock else {}
    (found,) = judged(Repeated(), pa.array(times[:2000]), pa.array(now, pa.timestamp("us")), **said)
    assert found.verdict is Verdict.CHANGED
    assert found.value == day
    assert ("often stands for missing" in found.says) == clock


def test_identifiers_are_not_looked_at_and_nothing_gives_nothing() -> None:
    """No column of numbers, no finding."""
    assert judged(Repeated(), NORMAL[:50], NORMAL[50:100], id="x") == []
    assert judged(Repeated(), ["a", "b"] * 9, ["a", "b"] * 9) == []
    assert outstanding(np.empty(0, np.int64)).tolist() == []


def test_a_time_beyond_the_calendar_is_named_by_its_number() -> None:
    """A value that no calendar holds is no reason to fail."""
    far = pa.array([2**62] * 40, pa.int64()).cast(pa.timestamp("us"))
    (found,) = judged(Repeated(), pa.array(range(40), pa.timestamp("us")), far)
    assert found.value == "4.611686e+18"


# Placeholders


def words(rows: int, gaps: int, word: str = "n/a") -> list[str]:
    """Return a category in which some rows say that they say nothing."""
    return [word] * gaps + ["red", "green"] * ((rows - gaps) // 2)


def test_words_for_no_value_are_taken_together() -> None:
    """All such words count as one share, and each is named."""
    now = [*words(500, 40), *words(500, 40, "NULL ")]
    (found,) = judged(Placeholder(), words(1000, 4), now)
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["words"] == ["NULL ", "n/a"]
    assert found.evidence["share"]["current"] == pytest.approx(0.08)
    assert {example["x"] for example in found.examples} <= {"NULL ", "n/a"}
    assert "read these words as missing" in found.next[0]


def test_fewer_words_for_no_value_need_no_step() -> None:
    """Fewer placeholders are told, without rows to look at or anything to do."""
    (found,) = judged(Placeholder(), words(1000, 200), words(1000, 20))
    assert (found.verdict, found.examples, found.next) == (Verdict.CHANGED, (), ())


def test_no_such_words_are_no_finding() -> None:
    """Categories without placeholders cost no comparison; numbers have none."""
    assert judged(Placeholder(), words(100, 0), words(100, 0)) == []
    assert judged(Placeholder(), NORMAL[:100], NORMAL[:100]) == []


def test_texts_are_read_from_the_sample() -> None:
    """A text that says only "none" is found in a column of long texts."""
    texts = [f"this is review number {i} of the new hub and it works" for i in range(1200)]
    now = [*texts[600:], *["none"] * 80]
    (found,) = judged(Placeholder(), texts[:600], now)
    assert found.verdict is Verdict.CHANGED
    assert found.examples[0]["x"] == "none"

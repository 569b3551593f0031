"""How many rows there are, how fast they come, and how many repeat another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from undertow import plugins
from undertow.core.check import History
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.schema import Kind
from undertow.core.verdict import Verdict
from undertow.detect.volume import Duplicates, Volume
from undertow.observe import measure
from undertow.observe.declare import Declared, roles
from undertow.sources import open_dataset

RANDOM = np.random.default_rng(8)


def judged(
    check: Any, before: Any, now: Any, tolerances: dict[str, float] | None = None, **said: Any
) -> list[Finding]:
    """Return what one check finds, judged as a report of its own."""
    kinds = {"key": Kind.CATEGORY} if "id" in said else {}
    declared = Declared(kinds=kinds, roles=roles(**said))
    reference = measure.fit(
        open_dataset(before), declared, [check], plugins.lenses(), lambda _: None
    )
    current = measure.measure(open_dataset(now), reference, lambda _: None)
    found = check(History(reference, current, tolerances=tolerances or {}))
    return list(Report.of(Source("a", reference.rows), Source("b", current.rows), found))


def traffic(days: float, a_day: int, start: str = "2024-01-01") -> pa.Table:
    """Return rows that come at random times over some days."""
    micros = RANDOM.integers(0, int(days * 86_400e6), int(days * a_day))
    return pa.table({"at": pa.array(np.datetime64(start, "us") + micros.astype("timedelta64[us]"))})


def distinct(rows: int) -> pa.Table:
    """Return rows that do not repeat."""
    return pa.table({"x": RANDOM.random(rows), "name": [f"n{i}" for i in range(rows)]})


def doubled(table: pa.Table, rows: int, times: int = 1) -> pa.Table:
    """Return the table with its first rows once more, so many times."""
    return pa.concat_tables([table, *[table.slice(0, rows)] * times]).combine_chunks()


def test_rows_without_times_are_told_and_not_judged() -> None:
    """Without a clock the rows of both sides are a steady fact that says what it is not."""
    (found,) = judged(Volume(), distinct(10), distinct(500))
    assert (found.verdict, found.effect) == (Verdict.STEADY, None)
    assert found.evidence["rows"] == {"reference": 10.0, "current": 500.0}
    assert "not judged without a time column on both sides" in found.summary


def test_rows_a_day_are_judged_only_with_a_tolerance() -> None:
    """A reference may be a sample: the rate is told, and judged where a tolerance is declared."""
    before, now = traffic(30, 50), traffic(10, 200)
    (found,) = judged(Volume(), before, now, time="at")
    assert found.effect is None
    assert "not judged without a declared tolerance" in found.says
    (found,) = judged(Volume(), before, now, {"quality.volume": 0.5}, time="at")
    assert found.verdict is Verdict.CHANGED
    assert found.effect is not None
    assert found.effect.value == pytest.approx(3, abs=0.6)
    assert "times more" in found.says


def test_the_same_rate_over_another_time_is_steady() -> None:
    """A week against a month at the same rate is steady; half the rate is told as fewer."""
    declared = {"quality.volume": 0.5}
    (found,) = judged(Volume(), traffic(30, 100), traffic(7, 100), declared, time="at")
    assert found.verdict is Verdict.STEADY
    (found,) = judged(Volume(), traffic(30, 100), traffic(30, 30), declared, time="at")
    assert found.verdict is Verdict.CHANGED
    assert "times fewer" in found.says


def test_one_time_or_none_is_no_rate() -> None:
    """Without two different times there is no rate, and nothing is judged."""
    one = pa.table({"at": pa.array([0, 0], pa.timestamp("us"))})
    (found,) = judged(Volume(tolerance=0.5), traffic(3, 50), one, time="at")
    assert found.effect is None


def test_no_repeats_is_one_steady_line() -> None:
    """Rows that never repeat cost no comparison."""
    (found,) = judged(Duplicates(), distinct(300), distinct(200))
    assert (found.effect, found.summary) == (None, "no row repeats an earlier row")


@pytest.mark.parametrize("rows", [1000, 20_000])
def test_rows_loaded_twice_are_found(rows: int) -> None:
    """A tenth of the rows loaded twice is changed, exact in the sample and estimated beyond it."""
    table = distinct(rows)
    (found,) = judged(Duplicates(), distinct(rows), doubled(table, rows // 10))
    assert found.verdict is Verdict.CHANGED
    assert found.effect is not None
    assert found.evidence["exact"] == (rows == 1000)
    assert found.evidence["repeats"]["current"] == pytest.approx(0.1 / 1.1, abs=0.025)
    assert found.examples


def test_one_row_a_thousand_times_is_seen_in_the_hashes() -> None:
    """A single row sent again and again is hardly ever sampled, but thins the distinct rows."""
    table = distinct(20_000)
    (found,) = judged(Duplicates(), distinct(20_000), doubled(table, 1, 10_000))
    assert found.verdict is Verdict.CHANGED
    assert found.effect is not None
    assert found.effect.value == pytest.approx(2 * np.arcsin(np.sqrt(1 / 3)), abs=0.15)


def test_more_rows_repeat_more_often_and_that_is_no_change() -> None:
    """The larger side is thinned before both are compared: birthdays are not duplicates."""

    def born(rows: int) -> pa.Table:
        return pa.table(
            {"day": RANDOM.integers(0, 1500, rows), "year": RANDOM.integers(0, 4, rows)}
        )

    (found,) = judged(Duplicates(), born(500), born(4000))
    assert found.verdict in {Verdict.STEADY, Verdict.UNKNOWN}
    shares = found.evidence["repeats_at_equal_rows"]
    assert shares["current"] == pytest.approx(shares["reference"], abs=0.04)


def test_ordinary_repeats_are_not_judged() -> None:
    """Where rows can say few things nearly all repeat, and nothing is judged."""
    few = pa.table({"x": ["a", "b"] * 200})
    (found,) = judged(Duplicates(), few, few)
    assert (found.verdict, found.effect) == (Verdict.STEADY, None)
    assert "too common to be judged" in found.says


def test_identifiers_are_what_repeats_where_one_is_declared() -> None:
    """With an identifier a row repeats another where it has the same one."""
    ids = [f"k{i}" for i in range(600)]
    before = pa.table({"key": ids, "x": RANDOM.random(600)})
    now = pa.table({"key": [*ids[:500], *ids[:100]], "x": RANDOM.random(600)})
    (found,) = judged(Duplicates(), before, now, id="key")
    assert found.verdict is Verdict.CHANGED
    assert "repeat the key of an earlier row" in found.says


def test_other_columns_mean_other_repeats() -> None:
    """Where a column is new or gone the shares mean different things, and nothing is said."""
    now = distinct(100).append_column("new", pa.array(range(100)))
    assert judged(Duplicates(), distinct(100), now) == []

"""Stories of data quality: failures planted in tables and found, and real data known by heart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from undertow import plugins
from undertow.core.check import History
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.verdict import Verdict
from undertow.observe import measure
from undertow.observe.declare import Declared
from undertow.sources import open_dataset

ROOT = Path(__file__).parents[2]


def compare(before: Any, now: Any) -> Report:
    """Return the report of every registered check."""
    reference = measure.fit(
        open_dataset(before), Declared(), plugins.checks(), plugins.lenses(), lambda _: None
    )
    current = measure.measure(open_dataset(now), reference, lambda _: None)
    history = History(reference, current)
    found = [each for check in plugins.checks() for each in check(history)]
    return Report.of(Source("before", reference.rows), Source("now", current.rows), found)


def of(report: Report, check: str, *columns: str) -> list[Finding]:
    """Return the findings of checks of that name, on these columns where some are given."""
    return [
        each
        for each in report
        if each.check.startswith(check) and (not columns or each.column in columns)
    ]


def table(rows: int, seed: int) -> dict[str, Any]:
    """Return a table of customers that never changes."""
    random = np.random.default_rng(seed)
    return {
        "age": random.integers(18, 80, rows),
        "income": random.lognormal(8, 0.5, rows),
        "weight": random.normal(75, 12, rows),
        "seen": np.datetime64("2024-01-01") + random.integers(0, 9_000_000, rows),
        "city": random.choice(["Rome", "Oslo", "Bern", "Lima"], rows),
        "active": random.random(rows) < 0.6,
    }


@pytest.mark.parametrize("rows", [30, 100, 300, 1000, 8000])
def test_a_table_that_did_not_change_is_silent(rows: int) -> None:
    """No check of any kind says `changed` or `watch`, from thirty rows to eight thousand."""
    report = compare(table(rows, 1), table(rows, 2))
    assert not report.having(Verdict.CHANGED)
    assert not report.having(Verdict.WATCH)


def planted() -> Iterator[tuple[str, str, str | None, Any]]:
    """Yield each failure: its name, the check that finds it, the column, and what it does."""

    def setting(name: str, change: Any) -> Any:
        return lambda rows: rows | {name: change(np.array(rows[name]))}

    def some(share: float, value: Any) -> Any:
        def change(values: Any) -> Any:
            values = values.astype(object) if isinstance(value, str) else values.astype(float)
            values[:: round(1 / share)] = value
            return values

        return change

    yield "gone", "schema.columns", "age", lambda t: {k: v for k, v in t.items() if k != "age"}
    yield "text", "schema.types", "age", setting("age", lambda x: x.astype(str))
    yield "spelled", "schema.spelling", "city", setting("city", np.char.upper)
    yield "0 or 1", "schema.spelling", "active", setting("active", lambda x: x.astype(int))
    yield "holes", "quality.missing", "income", setting("income", some(0.05, np.nan))
    yield "infinite", "quality.infinite", "income", setting("income", some(0.05, np.inf))
    yield "sentinel", "quality.repeated", "weight", setting("weight", some(0.05, -999))
    yield "zero", "quality.repeated", "weight", setting("weight", some(0.05, 0))
    yield "constant", "quality.repeated", "income", setting("income", lambda x: x * 0 + 3000.5)
    yield (
        "range",
        "quality.range",
        "weight",
        setting("weight", lambda x: np.where(x > 85, x * 2, x)),
    )
    yield "word", "quality.placeholder", "city", setting("city", some(0.05, "n/a"))
    yield "cents", "quality.scale", "income", setting("income", lambda x: x * 100)
    yield (
        "twice",
        "quality.duplicates",
        None,
        lambda t: {k: np.concatenate([v, v[: len(v) // 10]]) for k, v in t.items()},
    )
    yield (
        "1970",
        "quality.repeated",
        "seen",
        setting("seen", lambda x: np.where(np.arange(len(x)) % 20 == 0, np.datetime64(0, "s"), x)),
    )


@pytest.mark.parametrize(
    ("check", "column", "spoil"), [pytest.param(*each[1:], id=each[0]) for each in planted()]
)
def test_a_planted_failure_is_found_where_it_was_planted(
    check: str, column: str | None, spoil: Any
) -> None:
    """Each failure is `changed` under its own check, names its column, and says what to do."""
    report = compare(table(2000, 1), spoil(table(2000, 2)))
    (found,) = [
        each for each in of(report, check) if each.column == column and (column or each.effect)
    ]
    assert found.verdict is Verdict.CHANGED, found
    assert found.next
    quiet = {each.column for each in report.having(Verdict.CHANGED)} - {column}
    assert not quiet


def test_nothing_is_lost_of_strange_tables() -> None:
    """Only nulls, NaN, one row, one value, infinities, bytes, lists: findings, no exception."""
    strange = {
        "nulls": pa.array([None] * 40),
        "nan": pa.array([float("nan")] * 40),
        "infinite": pa.array([float("inf"), float("-inf")] * 20),
        "one": pa.array([7] * 40),
        "bytes": pa.array([b"\xff\x00"] * 40),
        "lists": pa.array([[1, 2]] * 40),
        "vector": pa.array([[0.5, 1.5]] * 40, pa.list_(pa.float32(), 2)),
        "empty": pa.array([""] * 40),
        "zone": pa.array([0] * 40, pa.timestamp("us", "UTC")),
        "decimal": pa.array([1] * 40, pa.decimal128(9, 3)),
        "huge": pa.array([1e300, -1e300] * 20),
        'a "name" \x00': pa.array(["x"] * 40),
    }
    whole = pa.table(strange)
    usual = {name: pa.array([f"v{i}" for i in range(40)]) for name in strange}
    for before, now in (
        (whole, whole),
        (whole, whole.slice(0, 1)),
        (whole.slice(0, 1), whole),
        (whole, pa.table(usual)),
        (pa.table(usual), whole),
        (whole, whole.slice(0, 0)),
    ):
        assert len(list(compare(before, now))) > 0


# Real data


def real(name: str) -> pd.DataFrame:
    """Return a real data set, or skip with the path that was looked at."""
    folder = Path(os.environ.get("UNDERTOW_DATA", ROOT.parent / "shared" / "data"))
    path = folder / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not there; set UNDERTOW_DATA to the folder of the data sets")
    return pd.read_parquet(path)


@pytest.mark.real
@pytest.mark.parametrize("reverse", [False, True])
def test_elec2_constants_are_named_as_missing_data(reverse: bool) -> None:
    """Three columns are one constant for 17,424 rows: named with its value, on whichever side."""
    rows = real("elec2")
    sides = [rows.iloc[:17_424], rows.iloc[17_424:]]
    report = compare(*(sides[::-1] if reverse else sides))
    constants = {"vicprice": "0.003467", "vicdemand": "0.422915", "transfer": "0.414912"}
    found = {each.column: each for each in of(report, "quality.repeated", *constants)}
    assert {name: each.value for name, each in found.items()} == constants
    for each in found.values():
        assert each.verdict is Verdict.CHANGED
        assert "the constant" in each.says
        assert "17,424 rows" in each.says
        assert "probably missing data" in each.says
    assert not of(report, "quality.scale")
    assert not of(report, "schema")[1:]


@pytest.mark.real
def test_two_random_halves_of_adult_census_are_silent() -> None:
    """Nothing changed between random halves, so nothing is changed, watch or unknown."""
    rows = real("adult_census")
    half = np.random.default_rng(0).random(len(rows)) < 0.5
    report = compare(rows[half], rows[~half])
    assert report.verdict is Verdict.STEADY


@pytest.mark.real
def test_bank_marketing_2010_left_the_range_of_2008() -> None:
    """The macro columns left their range, 999 for "never called" became rarer, no schema change."""
    rows = real("bank_marketing")
    report = compare(rows[rows.year_inferred == 2008], rows[rows.year_inferred == 2010])
    changed = {(each.check, each.column) for each in report.having(Verdict.CHANGED)}
    for column in ("euribor3m", "emp_var_rate", "nr_employed", "cons_price_idx"):
        assert ("quality.range", column) in changed
    assert ("quality.repeated", "pdays") in changed
    assert ("quality.placeholder", "credit_default") in changed
    assert not of(report, "quality.scale")
    (columns,) = of(report, "schema")
    assert columns.summary == "all 23 columns are there, of the same types, in the same order"


def month(rows: pd.DataFrame, year: int, number: int) -> pd.DataFrame:
    """Return one month of the bicycle rentals."""
    day = pd.to_datetime(rows.dteday)
    return rows[(day.dt.year == year) & (day.dt.month == number)].assign(dteday=day)


@pytest.mark.real
def test_bike_sharing_weather_is_quiet_from_january_to_january() -> None:
    """Humidity, wind and weather stay quiet a year later, and the growth of rentals is told."""
    rows = real("bike_sharing_hour")
    report = compare(month(rows, 2011, 1), month(rows, 2012, 1))
    weather = ("hum", "windspeed", "weathersit")
    assert not [e for e in of(report, "", *weather) if e.verdict is Verdict.CHANGED]
    assert not [e for e in of(report, "quality", *weather) if e.verdict is not Verdict.STEADY]
    assert not of(report, "quality.scale")
    (grown,) = of(report, "quality.range", "cnt")
    assert grown.verdict is Verdict.CHANGED


@pytest.mark.real
def test_bike_sharing_temperature_is_loud_from_january_to_july() -> None:
    """Every temperature of July lies above those of January."""
    rows = real("bike_sharing_hour")
    report = compare(month(rows, 2011, 1), month(rows, 2011, 7))
    (warm,) = of(report, "quality.range", "temp")
    assert warm.verdict is Verdict.CHANGED
    assert "100% of rows above" in warm.says
    assert not of(report, "quality.scale")

"""False alarms of every registered check where nothing changed, and power where quality failed.

    python bench/quality.py [--reports 200] [--rows 30 100 1000] [--power]

Each report compares two tables of 50 columns drawn from the same distributions: normal, lognormal,
Cauchy, integer, zero-inflated, with a sentinel, with missing values, few and many categories.
"""

from __future__ import annotations

import argparse
import collections
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from undertow import plugins
from undertow.core.check import History
from undertow.core.report import Report, Source
from undertow.core.verdict import Verdict
from undertow.observe import measure
from undertow.observe.declare import Declared
from undertow.sources import open_dataset

COLUMNS = 50


def quiet(_rows: int) -> None:
    """Report no progress."""


def compare(before: pa.Table, now: pa.Table) -> Report:
    """Return the report of every registered check."""
    reference = measure.fit(
        open_dataset(before), Declared(), plugins.checks(), plugins.lenses(), quiet
    )
    current = measure.measure(open_dataset(now), reference, quiet)
    history = History(reference, current)
    found = [each for check in plugins.checks() for each in check(history)]
    return Report.of(Source("before", reference.rows), Source("now", current.rows), found)


def columns(rows: int, random: np.random.Generator) -> Iterator[pa.Array]:
    """Yield a column of each kind."""
    normal = random.normal(size=rows)
    zipf = 1 / np.arange(1, 201)
    colours = np.array(["red", "green", "blue", "unknown", "None"])
    yield pa.array(normal)
    yield pa.array(random.lognormal(size=rows))
    yield pa.array(random.standard_cauchy(rows))
    yield pa.array(random.poisson(3, rows))
    yield pa.array(np.where(random.random(rows) < 0.4, 0.0, random.lognormal(size=rows)))
    yield pa.array(np.where(random.random(rows) < 0.05, -999.0, np.round(normal * 10, 1)))
    yield pa.array(random.normal(size=rows), mask=random.random(rows) < 0.1)
    yield pa.array(random.integers(18, 80, rows))
    yield pa.array(colours[random.integers(0, 5, rows)])
    picked = random.choice(200, rows, p=zipf / zipf.sum())
    yield pa.array([f"c{each}" for each in picked], mask=random.random(rows) < 0.02)


def table(rows: int, random: np.random.Generator) -> pa.Table:
    """Return 50 columns, five of each kind."""
    made = [each for _ in range(COLUMNS // 10) for each in columns(rows, random)]
    return pa.table({f"x{i}": each for i, each in enumerate(made)})


def silence(reports: int, rows: tuple[int, int], random: np.random.Generator) -> None:
    """Print how often each check alarms without a change."""
    alarms: collections.Counter[tuple[str, Verdict]] = collections.Counter()
    total: collections.Counter[str] = collections.Counter()
    any_of: collections.Counter[Verdict] = collections.Counter()
    comparisons = 0
    began = time.process_time()
    for _ in range(reports):
        report = compare(table(rows[0], random), table(rows[1], random))
        comparisons += report.comparisons
        for found in report:
            total[found.check] += found.effect is not None
            alarms[found.check, found.verdict] += 1
            if found.verdict in {Verdict.CHANGED, Verdict.WATCH}:
                print(f"  {found.verdict.mark} {found.check} {found.says}", found.effect)
        for verdict in {found.verdict for found in report}:
            any_of[verdict] += 1
    spent = (time.process_time() - began) / reports
    changed = sum(count for (_, verdict), count in alarms.items() if verdict is Verdict.CHANGED)
    print(
        f"\n{rows[0]:,} v {rows[1]:,} rows, {reports} reports of {COLUMNS} columns, "
        f"{comparisons / reports:.0f} comparisons each, {spent:.2f} CPU s each"
    )
    print(
        f"  changed in {changed} of {comparisons:,} comparisons ({changed / comparisons:.3%}); "
        f"reports with any changed {any_of[Verdict.CHANGED]}, any watch {any_of[Verdict.WATCH]}"
    )
    for check in sorted(total):
        counts = ", ".join(f"{v.value} {alarms[check, v]}" for v in Verdict if alarms[check, v])
        print(f"  {check:20} {total[check]:6,} compared: {counts}")


def power(reports: int, rows: int, random: np.random.Generator) -> None:
    """Print how often planted quality failures are found as one of 50 columns."""
    spoil = {
        "missing": lambda x: pa.array(np.where(random.random(rows) < 0.05, np.nan, x)),
        "repeated": lambda x: pa.array(np.where(random.random(rows) < 0.05, -999.0, x)),
        "range": lambda x: pa.array(np.where(random.random(rows) < 0.05, 50 + x, x)),
        "scale": lambda x: pa.array(1000 * x),
    }
    print(f"\n{rows:,} v {rows:,} rows, {reports} reports each: found in one of {COLUMNS} columns")
    for name, break_ in spoil.items():
        hits: collections.Counter[Verdict] = collections.Counter()
        for _ in range(reports):
            before, now = table(rows, random), table(rows, random)
            now = now.set_column(0, "x0", break_(np.asarray(now.column(0))))
            for found in compare(before, now):
                if found.check == f"quality.{name}" and found.column == "x0":
                    hits[found.verdict] += 1
        told = ", ".join(f"{verdict.value} {count}" for verdict, count in hits.items()) or "nothing"
        print(f"  {name:10} {told}")


def main() -> None:
    """Run what the command line asks for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--reports", type=int, default=200)
    options.add_argument("--rows", type=int, nargs="+", default=[30, 100, 1000])
    options.add_argument("--power", action="store_true")
    given = options.parse_args()
    random = np.random.default_rng(11)
    for rows in given.rows:
        silence(given.reports, (rows, rows), random)
        silence(max(given.reports // 2, 1), (10 * rows, rows), random)
        if given.power:
            power(max(given.reports // 10, 1), rows, random)


if __name__ == "__main__":
    main()

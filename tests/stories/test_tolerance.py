"""Tolerances learned from the past: the same process is not called changed, and real seasons."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.verdict import Verdict
from undertow.stats.calendar import DAY
from undertow.verbs.check import check


def test_held_out_blocks_of_the_same_process_are_not_changed():
    """Of 100 columns whose level wanders, fixed tolerances fail many and learned ones none."""
    random = np.random.default_rng(11)
    weeks, rows, columns = 31, 300, 20
    fixed = learned = 0
    for _ in range(5):
        level = np.empty((weeks, columns))
        level[0] = random.standard_normal(columns)
        for week in range(1, weeks):
            level[week] = 0.3 * level[week - 1] + 0.95 * random.standard_normal(columns)
        day = np.repeat(np.arange(weeks) * 7, rows) + random.integers(0, 7, weeks * rows)
        numbers = np.repeat(level * 0.3, rows, axis=0)
        numbers += random.standard_normal(numbers.shape)
        named = {f"c{spot}": numbers[:, spot] for spot in range(columns)}
        table = pa.table({"ts": pa.array(day * DAY, pa.timestamp("us"))} | named)
        past, now = table.slice(0, 30 * rows), table.slice(30 * rows)
        fixed += len(check(past, now, time="ts").having(Verdict.CHANGED))
        learned += len(check(past, now, time="ts", tolerance="auto").having(Verdict.CHANGED))
    assert fixed >= 10
    assert learned == 0


def months(real, first: str, last: str) -> pa.Table:
    """Return the hours of bike_sharing_hour from one day up to another."""
    table = pq.read_table(real("bike_sharing_hour"))
    day = np.array(table["dteday"].to_pylist())
    return table.filter(pa.array((day >= first) & (day < last)))


@pytest.mark.real
def test_two_real_years_cannot_teach_their_season(real):
    """Two years of bicycles say unknown and why for the season, and steady for the rest."""
    before, now = months(real, "2011-01", "2012-12"), months(real, "2012-12", "2013-01")
    report = check(before, now, time="dteday", id="instant", tolerance="auto")
    for column in ("temp", "atemp", "season"):
        assert report[column].verdict is Verdict.UNKNOWN
        assert "years cannot teach a yearly season" in report[column].says
    for column in ("hum", "windspeed", "weathersit", "weekday", "hr"):
        assert report[column].verdict is Verdict.STEADY


@pytest.mark.real
def test_a_january_and_the_next(real):
    """With fixed tolerances weather stays quiet and the growth is found; July is loud in temp."""
    january, later = months(real, "2011-01", "2011-02"), months(real, "2012-01", "2012-02")
    report = check(january, later, time="dteday", id="instant")
    assert report["cnt"].verdict is Verdict.CHANGED
    for column in ("hum", "windspeed", "weathersit"):
        assert report[column].verdict is not Verdict.CHANGED
    july = check(january, months(real, "2011-07", "2011-08"), time="dteday", id="instant")
    assert july["temp"].verdict is Verdict.CHANGED
    assert july["temp"].effect.low > 0.9
    learned = check(january, later, time="dteday", id="instant", tolerance="auto")
    assert learned["cnt"].verdict is Verdict.UNKNOWN
    assert learned["cnt"].says.startswith("31 days of reference hold no block")

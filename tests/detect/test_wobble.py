"""Tolerances learned from a reference's own blocks of time, and where the blocks lie."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from undertow.core.errors import ProfileError, UsageError
from undertow.core.verdict import Verdict
from undertow.loop import Loop
from undertow.observe.blocks import moments
from undertow.stats.calendar import DAY, LEAST, MOST, Layout, Span, limit, worth
from undertow.verbs.check import check

HOUR = DAY // 24


def days(first: int, count: int, *, rows: int = 200, wobble: float = 0.0, seed: int = 0, lift=0.0):
    """Return rows with a mean that is drawn anew each week, 7 days from each multiple of 7 on."""
    random = np.random.default_rng([seed, first])
    day = np.repeat(np.arange(first, first + count), rows // 7)
    level = random.standard_normal(first + count)[day // 7 * 7] * wobble
    return pa.table(
        {
            "ts": pa.array(day * DAY, pa.timestamp("us")),
            "x": level + lift + random.standard_normal(len(day)),
            "calm": random.standard_normal(len(day)),
        }
    )


def test_blocks_share_hour_and_weekday_with_the_current_set():
    """Blocks of a day start a whole number of weeks before it, where that leaves enough of them."""
    layout = Layout.of(Span(0, 70 * DAY), Span(72 * DAY, 72 * DAY))
    assert layout.step == 7 * DAY
    assert layout.season == "year"
    starts = [layout.anchor + number * layout.step for number in layout.numbers]
    assert all((start - 72 * DAY) % (7 * DAY) == 0 for start in starts)
    assert min(starts) >= 0


def test_blocks_of_a_short_reference_share_the_hour_and_leave_the_week_open():
    """A month of hours has too few Mondays to compare them alone; weekdays are its open season."""
    hour = Span(30 * DAY, 30 * DAY + 2 * HOUR, HOUR)
    layout = Layout.of(Span(0, 30 * DAY - 1, HOUR), hour)
    assert layout.step == DAY
    assert (layout.season, layout.classes) == ("week", 7)
    phases = {number: layout.phase(number) for number in layout.numbers}
    assert phases[-7] == phases[-14] == 0
    assert len(set(phases.values())) == 7


def test_a_month_has_a_place_in_the_year():
    """Blocks of a month divide the year, so that the same season returns to the same phase."""
    layout = Layout.of(Span(0, 1460 * DAY), Span(1461 * DAY, 1491 * DAY))
    assert (layout.season, layout.classes, layout.step) == ("year", 11, 33 * DAY)
    assert layout.phase(-11) == layout.phase(-22) == 0


def test_no_more_blocks_are_kept_than_the_cap():
    """A day against ten years is compared with at most 60 of its days."""
    layout = Layout.of(Span(0, 3650 * DAY), Span(3651 * DAY, 3651 * DAY))
    assert LEAST <= len(layout.numbers) <= MOST


def test_rows_between_blocks_belong_to_none():
    """Every time falls in at most one block, and those outside every block in the rest."""
    layout = Layout.of(Span(0, 70 * DAY), Span(72 * DAY, 72 * DAY))
    spots = layout.place(np.arange(0, 70 * DAY, 6 * HOUR))
    counts = np.bincount(spots, minlength=len(layout.numbers) + 1)
    assert set(counts[:-1].tolist()) == {4}
    assert counts[-1] == 280 - 4 * len(layout.numbers)


def test_times_are_read_from_dates_text_and_epochs():
    """ISO text, zones, dates, seconds and milliseconds since 1970 all say the same moment."""
    wanted = 1_600_000_000 * 1_000_000
    for array in (
        pa.array(["2020-09-13T12:26:40", "2020-09-13 14:26:40+02:00"]),
        pa.array([1_600_000_000] * 2),
        pa.array([1_600_000_000_000] * 2),
        pa.array([wanted] * 2, pa.timestamp("us", tz="UTC")),
    ):
        times, known, dated = moments(array)
        assert times.tolist() == [wanted] * 2
        assert known.all()
        assert dated
    assert not moments(pa.array([1, 2, 3]))[2]


def test_neighbours_alike_are_worth_fewer_blocks():
    """Independent blocks count in full; a slow drift counts for two or three."""
    random = np.random.default_rng(1)
    free = random.standard_normal(50)
    assert worth(np.abs(np.subtract.outer(free, free))) > 20
    slow = np.cumsum(free)
    assert worth(np.abs(np.subtract.outer(slow, slow))) < LEAST


def test_the_limit_is_never_below_the_worst_block():
    """One wild block stretches the tolerance to itself at least."""
    effects = np.array([0.01] * 11 + [0.3])
    assert limit(effects, 0.01, 12) >= 0.3


def test_a_wobbling_column_learns_a_wider_tolerance_and_a_calm_one_keeps_its_own():
    """A week within the usual wobble is steady, and the evidence says how that was learned."""
    before = days(0, 210, rows=700, wobble=0.25, seed=3)
    report = check(before, days(210, 7, rows=700, wobble=0.25, seed=3), time="ts", tolerance="auto")
    taught = report["x"].evidence["tolerance"]
    assert report["x"].effect.tolerance == taught["used"] > taught["declared"] == 0.1
    assert taught["blocks"] == 30
    assert taught["worst_effect"] <= taught["used"]
    assert report["calm"].effect.tolerance == 0.1
    assert report["x"].verdict is Verdict.STEADY
    assert "blocks of 7 days" in report.notes[-1]


def test_a_shift_beyond_the_wobble_is_found():
    """A learned tolerance still tells a change that no block of the reference showed."""
    before = days(0, 210, rows=700, wobble=0.25, seed=3)
    now = days(210, 7, rows=700, wobble=0.0, lift=2.0)
    report = check(before, now, time="ts", tolerance="auto")
    assert report["x"].verdict is Verdict.CHANGED


def test_a_named_column_is_taught_and_the_others_keep_theirs():
    """COLUMN=auto teaches one column; a number given for a column wins over auto for all."""
    sides = days(0, 210, wobble=0.3, seed=4), days(210, 7, wobble=0.3, seed=4)
    one = check(*sides, time="ts", tolerance={"x": "auto", "calm": 0.2})
    assert "tolerance" in one["x"].evidence
    assert one["calm"].effect.tolerance == 0.2
    rest = check(*sides, time="ts", tolerance={"*": "auto", "x": 0.3})
    assert rest["x"].effect.tolerance == 0.3
    assert "tolerance" in rest["calm"].evidence


def test_too_short_a_reference_is_unknown_and_says_why():
    """Two weeks hold two blocks of a week: what they do not settle is unknown, with the reason."""
    report = check(
        days(0, 14, rows=700), days(14, 7, rows=700, lift=0.4), time="ts", tolerance="auto"
    )
    assert report["x"].verdict is Verdict.UNKNOWN
    assert report["x"].says.startswith("14 days of reference hold 2 blocks as long as")
    assert report["calm"].verdict is Verdict.STEADY


def test_a_change_beyond_any_tolerance_needs_no_teaching():
    """Where even the largest tolerance there can be is exceeded, the finding stays changed."""
    report = check(
        days(0, 14, rows=700), days(14, 7, rows=700, lift=5.0), time="ts", tolerance="auto"
    )
    assert report["x"].verdict is Verdict.CHANGED


def test_two_years_cannot_teach_a_yearly_season():
    """What follows the year is unknown after two years, and what does not is taught."""
    random = np.random.default_rng(1)
    day = np.repeat(np.arange(761), 24)
    warm = np.cos(2 * np.pi * day / 365.2425) * 3 + random.standard_normal(len(day))
    table = pa.table(
        {
            "ts": pa.array(day * DAY, pa.timestamp("us")),
            "temp": warm,
            "calm": random.standard_normal(len(day)),
        }
    )
    report = check(table.slice(0, 730 * 24), table.slice(730 * 24), time="ts", tolerance="auto")
    assert report["temp"].verdict is Verdict.UNKNOWN
    assert "2 years cannot teach a yearly season" in report["temp"].says
    assert report["calm"].verdict is Verdict.STEADY


def test_hours_are_compared_with_the_same_hours():
    """What follows the hour is compared within it: noon is steady, a cold noon is found."""
    random = np.random.default_rng(2)
    hour = np.repeat(np.arange(24 * 70), 60)
    light = np.sin(2 * np.pi * hour / 24) * 3 + random.standard_normal(len(hour))
    table = pa.table({"ts": pa.array(hour * HOUR, pa.timestamp("us")), "light": light})
    noon = (hour >= 24 * 69 + 5) & (hour < 24 * 69 + 7)
    before, now = table.slice(0, 24 * 69 * 60), table.filter(pa.array(noon))
    report = check(before, now, time="ts", tolerance="auto")
    taught = report["light"].evidence["tolerance"]
    assert taught["compared_with"] == "blocks at the same hour and weekday"
    assert report["light"].verdict is Verdict.STEADY
    cold = now.set_column(1, "light", pa.array(np.asarray(now["light"]) - 2))
    assert check(before, cold, time="ts", tolerance="auto")["light"].verdict is Verdict.CHANGED


def test_any_partitioning_of_the_reference_teaches_the_same():
    """The order of the rows, and the batches they come in, change no tolerance."""
    before, now = days(0, 84, wobble=0.3), days(84, 7, wobble=0.3)
    order = np.random.default_rng(0).permutation(before.num_rows)
    shuffled = pa.Table.from_batches(before.take(pa.array(order)).to_batches(max_chunksize=997))
    one = check(before, now, time="ts", tolerance="auto")
    two = check(shuffled, now, time="ts", tolerance="auto")
    assert one.to_dict()["findings"] == two.to_dict()["findings"]


def test_without_times_nothing_is_taught_and_profiles_are_refused():
    """No clock is said in one line; a saved profile has no blocks and is refused in one line."""
    before = days(0, 70).drop(["ts"])
    report = check(before, days(70, 7, lift=1.0).drop(["ts"]), tolerance="auto")
    assert "name it with --time" in report.notes[-1]
    loop = Loop.of(time="ts", tolerance="auto")
    with pytest.raises(ProfileError, match="holds no blocks of time"):
        loop.check(loop.profile(days(0, 70)), days(70, 7))
    with pytest.raises(UsageError, match="did you mean 'calm'"):
        check(days(0, 70), days(70, 7), time="ts", tolerance={"clam": "auto"})

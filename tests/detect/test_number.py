"""Numbers: what moved is found, sized and shown; what did not stays quiet."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import undertow as ut


def sides(before, now):
    """Return two tables of one number."""
    return pa.table({"x": before}), pa.table({"x": now})


def number(before, now, **options):
    """Return the finding about the whole distribution of x."""
    report = ut.check(*sides(before, now), **options)
    return next(each for each in report if each.check == "drift.number")


@pytest.fixture
def random():
    """The same draws in every run."""
    return np.random.default_rng(11)


def test_a_small_shift_of_large_values_is_seen(random):
    """N(1000, 1) → N(1003, 1), which buckets shared by all columns cannot see."""
    found = number(random.normal(1000, 1, 3000), random.normal(1003, 1, 3000))
    assert found.verdict is ut.Verdict.CHANGED
    assert 0.8 < found.effect.low < 0.8664 < found.effect.high  # 2 * Phi(1.5) - 1


def test_the_sentence_names_both_medians(random):
    """What a colleague repeats: half were under one value, now under another."""
    before, now = random.normal(40, 10, 4000), random.normal(52, 10, 4000)
    found = number(before, now)
    was, is_ = re.fullmatch(r"half were under ([\d.]+), now under ([\d.]+)", found.says).groups()
    assert float(was) == pytest.approx(np.median(before), abs=0.1)
    assert float(is_) == pytest.approx(np.median(now), abs=0.1)


def test_a_wider_spread_is_told_where_the_median_stands_still(random):
    """The middle 80% says it where the medians read the same."""
    before = np.repeat([-1.0, 0.0, 1.0], 700)
    found = number(before, np.repeat([-9.0, 0.0, 9.0], 700))
    assert found.verdict is ut.Verdict.CHANGED
    assert found.says.startswith("wider: the middle 80% was -1 to 1, now -9 to 9")


def test_values_outside_the_reference_are_drawn_where_they_lie(random):
    """A shift far outside the fitted cells still has a true median in the sentence."""
    found = number(random.normal(0, 1, 2000), random.normal(500, 1, 2000))
    assert found.evidence["median"]["current"] == pytest.approx(500, abs=0.5)


def test_evidence_agrees_with_scipy_and_numpy(random):
    """Means, quantiles, KS and Wasserstein are the numbers their users know."""
    stats = pytest.importorskip("scipy.stats")
    before, now = random.lognormal(size=2000), random.lognormal(0.3, size=1500)
    evidence = number(before, now).evidence
    assert evidence["mean"]["reference"] == pytest.approx(before.mean(), rel=1e-3)
    assert evidence["std"]["current"] == pytest.approx(now.std(), rel=1e-3)
    assert evidence["p75"]["current"] == pytest.approx(np.quantile(now, 0.75), rel=0.02)
    assert evidence["ks"] == pytest.approx(stats.ks_2samp(before, now).statistic, abs=0.004)
    distance = stats.wasserstein_distance(before, now)
    assert evidence["wasserstein"] == pytest.approx(distance, rel=0.05)


def test_the_rows_that_moved_are_shown_and_can_be_compared(random):
    """Examples lie on the side that gained rows; the next step cuts there."""
    found = number(random.normal(0, 1, 2000), random.normal(2, 1, 2000))
    assert all(float(example["x"]) > 0 for example in found.examples)
    assert "--current-where 'x > " in found.next[0]
    assert "--reference-where 'x <= " in found.next[0]


def test_a_bar_chart_stands_on_the_values_of_a_discrete_number(random):
    """A rating from 1 to 5 is drawn as five bars, not as 36 slices."""
    found = number(random.integers(1, 6, 2000), random.integers(1, 6, 2000))
    assert found.shape["edges"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert sum(found.shape["reference"]) == pytest.approx(1)


def test_a_tolerance_by_column_wins(random):
    """The user's smallest change that matters decides, by column, by effect, or for all."""
    before, now = random.normal(0, 1, 5000), random.normal(0.5, 1, 5000)
    assert number(before, now).verdict is ut.Verdict.CHANGED
    assert number(before, now, tolerance={"x": 0.3}).verdict is ut.Verdict.STEADY
    assert number(before, now, tolerance={"cdf_gap": 0.3}).verdict is ut.Verdict.STEADY
    assert number(before, now, tolerance=0.3).verdict is ut.Verdict.STEADY
    assert number(before, now, tolerance=0.3).effect.tolerance == 0.3


def test_a_small_change_at_a_million_rows_is_steady(random):
    """A trivial difference never alarms, however many rows there are, and is still told."""
    found = number(random.normal(0, 1, 400_000), random.normal(0.05, 1, 400_000))
    assert found.effect.p_no_change < 1e-6
    assert found.verdict is ut.Verdict.STEADY
    assert "half were under" in found.summary


def test_thirty_rows_are_unknown_and_say_how_many_would_tell(random):
    """Too few rows are never green."""
    found = number(random.normal(size=30), random.normal(size=30))
    assert found.verdict is ut.Verdict.UNKNOWN
    assert 150 < found.needs_rows < 600


@pytest.mark.parametrize(
    "odd", [[np.nan] * 50, [np.inf] * 50, [-np.inf, np.inf] * 25, [None] * 50, [7.0] * 50]
)
def test_columns_of_nothing_and_of_one_value(odd):
    """Only NaN, only infinity, only nulls, only one value: no crash, and never `steady` on nothing."""
    report = ut.check(*sides(pa.array(odd, pa.float64()), pa.array(odd, pa.float64())))
    found = [each for each in report if each.check == "drift.number"]
    usable = sum(v is not None and np.isfinite(v) for v in odd)
    for each in found:
        assert each.verdict is not ut.Verdict.CHANGED
        if not usable:
            assert each.verdict is ut.Verdict.UNKNOWN


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(25, 2)])
def test_every_type_of_number_is_read(kind, random):
    """Integers, floats and decimals of any width are one kind."""
    before = pa.array(random.integers(0, 90, 1500)).cast(kind)
    now = pa.array(random.integers(30, 120, 1500)).cast(kind)
    assert number(before, now).verdict is ut.Verdict.CHANGED


def test_numbers_written_as_text_are_numbers(random):
    """A column of strings that spell numbers is compared as numbers, and says why."""
    before, now = (np.char.mod("%.3f", random.normal(m, 1, 1000)) for m in (0, 2))
    report = ut.check(*sides(before, now))
    assert report.columns[0].why == "text that reads as numbers"
    assert report["x"].verdict is ut.Verdict.CHANGED


@given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(0.1, 5))
def test_scaling_a_column_changes_no_verdict(seed, shift, factor):
    """The same change in another unit is the same change."""
    random = np.random.default_rng(seed)
    before, now = random.normal(0, 1, 200), random.normal(shift, 1, 200)
    one, other = number(before, now), number(before * factor, now * factor)
    assert one.effect.value == pytest.approx(other.effect.value, abs=0.03)

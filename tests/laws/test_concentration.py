"""Exposure at one number of servings: the shortcut gives what the long way gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats.concentration import _side, concentration, gini, steps


def drawn(items: int, rows: int, slope: float = 1.0, seed: int = 0):
    """Return servings of items whose popularity falls with this slope."""
    popularity = 1 / np.arange(1, items + 1) ** slope
    random = np.random.default_rng(seed)
    return random.choice(items, size=rows, p=popularity / popularity.sum())


@settings(max_examples=25)
@given(st.integers(2, 60), st.integers(1, 400), st.integers(0, 50))
def test_at_its_own_size_a_side_is_counted_as_it_is(items, rows, seed):
    """No servings are left out, so Gini and different items are those of the counts."""
    served = drawn(items, rows, seed=seed)
    counts = np.bincount(served, minlength=items)
    side = _side(served, items, rows, None)
    assert side.gini == pytest.approx(gini(counts))
    assert side.different == pytest.approx(np.count_nonzero(counts))
    assert side.held(items) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("items", "rows", "slope"), [(20, 80, 0.0), (200, 300, 1.0), (1_000, 400, 0.5)]
)
def test_fewer_servings_are_the_mean_of_many_draws(items, rows, slope):
    """What is computed without a draw is what drawing gives on average."""
    served = drawn(items, 3 * rows, slope)
    side = _side(served, items, rows, None)
    random = np.random.default_rng(1)
    draws = [random.choice(served, rows, replace=False) for _ in range(400)]
    counts = [np.bincount(each, minlength=items) for each in draws]
    ginis, different = [gini(each) for each in counts], [(each > 0).sum() for each in counts]
    assert side.gini == pytest.approx(np.mean(ginis), abs=0.002 + 4 * np.std(ginis) / 20)
    assert side.different == pytest.approx(np.mean(different), abs=0.01 + np.std(different) / 5)


def test_the_variance_is_that_of_leaving_out_one_serving():
    """The pulls of all servings give Tukey's jackknife, without doing it."""
    served = drawn(50, 120)
    side = _side(served, 50, 60, None)
    less = [_side(np.delete(served, each), 50, 60, None) for each in range(120)]
    for name, variance in (("gini", side.gini_var), ("different", side.different_var)):
        values = np.array([getattr(each, name) for each in less])
        assert variance == pytest.approx(119 * values.var(), rel=0.05)


@settings(max_examples=20)
@given(st.integers(2, 40), st.integers(0, 50))
def test_names_and_order_of_servings_do_not_matter(items, seed):
    """Another order of rows, other names of items and repeated sides give the same numbers."""
    random = np.random.default_rng(seed)
    one, two = drawn(items, 120, seed=seed), drawn(items, 90, slope=2.0, seed=seed + 1)
    names = random.permutation(items)
    found = concentration(one, two, items)
    other = concentration(names[random.permutation(one)], names[random.permutation(two)], items)
    for name in ("gini", "reach"):
        ours, theirs = getattr(found, name), getattr(other, name)
        assert ours.value == pytest.approx(theirs.value)
        assert ours.high == pytest.approx(theirs.high)
    same = concentration(one, one, items)
    assert (same.gini.value, same.gini.p_no_change, same.reach.value) == (0.0, 1.0, 0.0)


def test_sessions_of_one_serving_change_little_and_long_ones_widen():
    """A visit of ten equal servings is one observation, not ten; as many visits are compared."""
    one, two = drawn(30, 300), drawn(30, 300, seed=1)
    alone = np.arange(300), np.arange(300)
    plain = concentration(one, two, 30).gini
    single = concentration(one, two, 30, sessions=alone).gini
    assert single.high - single.low == pytest.approx(plain.high - plain.low, rel=0.35)
    fewer = concentration(one, two[:100], 30, sessions=(alone[0], alone[1][:100]))
    assert (fewer.servings, fewer.sessions) == (100, 100)
    visits = np.arange(3_000) // 10, np.arange(3_000) // 10
    many = np.repeat(one, 10), np.repeat(two, 10)
    wide = concentration(*many, 30, sessions=visits).gini
    narrow = concentration(*many, 30).gini
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_one_popularity_is_no_change_and_a_narrower_one_is():
    """Draws from one popularity are steady, whatever their number; half the items fewer are changed."""
    quiet = concentration(drawn(100, 20_000), drawn(100, 5_000, seed=1), 100)
    assert {decide(each, 2) for each in (quiet.gini, quiet.reach)} == {Verdict.STEADY}
    loud = concentration(drawn(100, 2_000, 0.0), drawn(50, 2_000, 0.0), 100)
    assert {decide(each, 2) for each in (loud.gini, loud.reach)} == {Verdict.CHANGED}
    assert loud.narrows
    assert loud.lorenz[1][25] == 0.0


def test_a_large_catalogue_is_measured_by_what_could_be_reached():
    """Of 100,000 items 1,000 servings reach 1,000 at most: 400 of those fewer is much."""
    before = np.arange(1_000)
    found = concentration(before, before % 600, 100_000)
    assert found.reachable == 1_000
    assert found.reach.value == pytest.approx(0.4)
    assert decide(found.reach, 2) is Verdict.CHANGED


def test_too_little_is_undefined_and_nonsense_is_refused():
    """No servings, few, or one item alone tell nothing; wrong items and tolerances are errors."""
    none = np.empty(0, np.int64)
    for one, two, items in (
        (none, none, 5),
        (none, drawn(5, 99), 5),
        (drawn(5, 49), drawn(5, 49), 5),
    ):
        assert not concentration(one, two, items).gini.defined
    only = np.zeros(100, np.int64)
    assert not concentration(only, only, 1).reach.defined
    with pytest.raises(DataError, match="from 0 to 2"):
        concentration(np.array([3]), np.array([0]), 3)
    with pytest.raises(UsageError, match="tolerance"):
        concentration(only, only, 2, tolerance=0.5)
    assert np.isnan(gini([0, 0]))


def test_steps_follow_the_clock():
    """A few moments are a step each; many are cut into eight by time."""
    served = np.concatenate([drawn(20, 200, 0.0), drawn(20, 200, 3.0)])
    few = steps(served, np.repeat([7, 9], 200), 20)
    assert [each["from"] for each in few] == [7, 9]
    assert few[0]["gini"] < few[1]["gini"]
    many = steps(served, np.arange(400)[::-1], 20, most=4)
    assert [each["servings"] for each in many] == [100] * 4
    assert many[0]["gini"] > many[-1]["gini"]
    assert steps(served[:40], np.arange(40), 20) == []

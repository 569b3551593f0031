"""Laws of the effects: what holds for every pair of counts, however many rows and cells."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import EFFECT_MAXIMUM, Effect, Verdict, decide
from undertow.stats.difference import difference, proportion_difference
from undertow.stats.gap import cdf_gap
from undertow.stats.share import largest_share_change, share_change
from undertow.stats.variation import pooled, total_variation

quick = settings(max_examples=60, deadline=None)


@st.composite
def sides(draw: st.DrawFn, most: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Two sides of up to `most` cells, of a handful of rows or of a billion."""
    cells = draw(st.integers(1, most))
    size = draw(st.sampled_from([1, 5, 300, 1_000_000_000]))
    counts = st.lists(st.integers(0, size), min_size=cells, max_size=cells)
    return np.array(draw(counts), dtype=np.int64), np.array(draw(counts), dtype=np.int64)


def effects(a: np.ndarray, b: np.ndarray) -> dict[str, Effect]:
    """Every effect that two sides of counts have."""
    none, every = np.zeros(a.size, dtype=bool), np.ones(a.size, dtype=bool)
    return {
        "gap": cdf_gap(a, b, atoms=every),
        "thin gap": cdf_gap(a, b, atoms=none),
        "variation": total_variation(a, b),
        "largest": largest_share_change(a, b)[1],
        "share": share_change(int(a[0]), int(a.sum()), int(b[0]), int(b.sum())),
        "proportion": proportion_difference(int(a[0]), int(a.sum()), int(b[0]), int(b.sum())),
    }


@quick
@given(sides())
def test_an_effect_is_within_its_interval_and_its_range(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    """0 <= low <= value <= high <= maximum, and p is a probability, for every pair of counts."""
    for effect in effects(*pair).values():
        assert 0 <= effect.p_no_change <= 1
        if not effect.defined:
            continue
        assert 0 <= effect.low <= effect.value <= effect.high
        assert effect.high <= EFFECT_MAXIMUM[effect.name] + 1e-9


@quick
@given(sides())
def test_the_sides_may_be_swapped(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A change is as large, and as sure, seen from either side."""
    for ours, theirs in zip(
        effects(*pair).values(), effects(pair[1], pair[0]).values(), strict=True
    ):
        assert ours.defined == theirs.defined
        if ours.defined:
            for field in ("value", "low", "high", "p_no_change"):
                assert getattr(ours, field) == pytest.approx(getattr(theirs, field), abs=1e-9)


@quick
@given(sides())
def test_the_same_counts_give_the_same_bits(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """No effect depends on when it is computed."""
    assert repr(effects(*pair)) == repr(effects(*pair))


@quick
@given(sides(), st.randoms(use_true_random=False))
def test_categories_have_no_order(pair: tuple[np.ndarray, np.ndarray], random: Random) -> None:
    """Total variation and the largest share keep every bit when categories are shuffled."""
    order = list(range(pair[0].size))
    random.shuffle(order)
    shuffled = pair[0][order], pair[1][order]
    assert repr(total_variation(*pair)) == repr(total_variation(*shuffled))
    assert pooled(*pair) == pooled(*shuffled) or not pair[0].sum() or not pair[1].sum()
    one, other = largest_share_change(*pair)[1], largest_share_change(*shuffled)[1]
    assert one.defined == other.defined
    assert not one.defined or one.low == pytest.approx(other.low, abs=1e-9)
    assert not one.defined or one.value == pytest.approx(other.value, abs=1e-9)


@quick
@given(sides())
def test_a_side_against_itself_has_not_changed(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Identical counts: the estimate is small, the lower limit 0, the verdict never worse."""
    counts = pair[0]
    for effect in effects(counts, counts).values():
        if not effect.defined:
            assert counts.sum() == 0
            continue
        assert effect.value == effect.low == 0
        assert effect.p_no_change > 0.5
        assert decide(effect, 1) in (Verdict.STEADY, Verdict.UNKNOWN)


@quick
@given(sides())
def test_more_of_the_same_narrows_the_interval(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A hundred times the rows in the same shares: a narrower interval, stronger evidence."""
    few = effects(*(np.minimum(side, 10_000) for side in pair))
    many = effects(*(np.minimum(side, 10_000) * 100 for side in pair))
    for name, less in few.items():
        more = many[name]
        if less.defined and name != "thin gap":
            assert more.high - more.low <= less.high - less.low + 1e-3
            assert more.p_no_change <= less.p_no_change + 1e-6


@quick
@given(sides())
def test_empty_cells_change_nothing(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A category that neither side holds is as if it were not there."""
    a, b = (np.append(side, [0, 0, 0]) for side in pair)
    assert repr(total_variation(a, b)) == repr(total_variation(*pair))
    assert repr(largest_share_change(a, b)) == repr(largest_share_change(*pair))
    if pair[0].sum() and pair[1].sum():
        assert cdf_gap(a, b, atoms=np.ones(a.size, dtype=bool)) == effects(*pair)["gap"]


@pytest.mark.parametrize("a", [[0, 0], [3, 4], []])
def test_no_rows_are_never_green(a: list[int]) -> None:
    """Zero rows on a side: undefined, p is 1, and the verdict is unknown."""
    zero = np.zeros(len(a), dtype=np.int64)
    rows = int(sum(a))
    for effect in (
        cdf_gap(a, zero, atoms=[True] * len(a)),
        total_variation(a, zero),
        largest_share_change(zero, a)[1],
        share_change(0, 0, rows, rows),
        proportion_difference(rows, rows, 0, 0),
        difference(math.nan, 0.1, 0.2, 0.1),
    ):
        assert not effect.defined
        assert effect.p_no_change == 1
        assert decide(effect, 1) is Verdict.UNKNOWN
    assert largest_share_change(zero, a)[0] == -1
    assert math.isnan(pooled(a, zero).share_current)


def test_billions_of_rows_are_compared() -> None:
    """A billion rows a cell: a change of a fifth is changed, one in ten thousand is steady."""
    even = np.full(1_000, 10**9)
    moved = even.copy()
    moved[:500] -= 4 * 10**8
    moved[500:] += 4 * 10**8
    atoms = np.ones(even.size, dtype=bool)
    for effect in (cdf_gap(even, moved, atoms=atoms), total_variation(even, moved)):
        assert effect.value == pytest.approx(0.2, abs=1e-3)
        assert decide(effect, 150) is Verdict.CHANGED
    nudged = even.copy()
    nudged[0] += 10**5
    for effect in (cdf_gap(even, nudged, atoms=atoms), total_variation(even, nudged)):
        assert decide(effect, 150) is Verdict.STEADY


def test_a_hundred_thousand_categories_are_compared() -> None:
    """Zipf over 130,000 words: the one that gained is found, and the rest is said to be pooled."""
    rng = np.random.default_rng(0)
    p = 1 / np.arange(1, 130_001)
    p /= p.sum()
    q = p * 0.85
    q[77] += 0.15
    a, b = rng.multinomial(1_000_000, p), rng.multinomial(50_000, q)
    effect = total_variation(a, b)
    assert effect.low > 0.1
    assert effect.low <= 0.15 <= effect.high
    assert decide(effect, 150) is Verdict.CHANGED
    index, largest = largest_share_change(a, b)
    assert index == 77
    assert decide(largest, 150) is Verdict.CHANGED
    rest = pooled(a, b)
    assert rest.resolved + rest.categories == int(np.count_nonzero(a + b))
    assert rest.share_reference > 0.1


def test_rare_events_are_seen() -> None:
    """A share of 0 of 30 has a wide interval; 1% -> 6% of 2,000 rows is changed."""
    quiet = share_change(0, 30, 0, 30)
    assert (quiet.value, quiet.low) == (0, 0)
    assert quiet.high > 0.4
    assert decide(share_change(20, 2000, 120, 2000), 150) is Verdict.CHANGED


def test_what_hides_in_a_thin_cell_is_in_the_upper_limit() -> None:
    """Half the rows in a cell: one value hides nothing, a range of values up to half a gap."""
    counts = np.array([500, 500])
    assert cdf_gap(counts, counts, atoms=[True, True]).high < 0.1
    assert cdf_gap(counts, counts, atoms=[True, False]).high > 0.5
    assert cdf_gap([9], [9], atoms=[False]).high == 1


def test_a_metric_without_noise_is_decided_by_its_value() -> None:
    """Two standard errors of 0: equal values are no change, others are certain."""
    assert difference(1.0, 0.0, 1.0, 0.0).p_no_change == 1
    assert difference(1.0, 0.0, 0.9, 0.0).p_no_change == 0
    assert decide(difference(1.0, 0.0, 0.9, 0.0), 10) is Verdict.CHANGED
    assert difference(0.5, 0.1, 0.52, 0.1).low == 0


def test_wrong_counts_are_refused() -> None:
    """Shapes that differ, negative counts, fractions, more hits than rows: one clear line each."""
    with pytest.raises(DataError, match="same cells"):
        total_variation([1, 2], [1])
    with pytest.raises(DataError, match="0 or more"):
        total_variation([1, -2], [1, 1])
    with pytest.raises(DataError, match="integers"):
        total_variation([0.5, 1], [1, 1])
    with pytest.raises(DataError, match="atoms"):
        cdf_gap([1, 2], [1, 2], atoms=[True])
    with pytest.raises(DataError, match="hits"):
        share_change(3, 2, 1, 2)
    with pytest.raises(DataError, match="standard errors"):
        difference(0.1, -1.0, 0.2, 0.1)
    with pytest.raises(UsageError, match="tolerance"):
        share_change(1, 2, 1, 2, tolerance=2.0)

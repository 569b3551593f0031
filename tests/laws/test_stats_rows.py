"""Laws of the rows needed: sane in every direction, and right within a factor of two."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import UsageError
from undertow.core.verdict import Effect, Verdict, decide
from undertow.stats.difference import proportion_difference
from undertow.stats.gap import cdf_gap
from undertow.stats.rows import MOST, needs_rows
from undertow.stats.share import largest_share_change, share_change
from undertow.stats.variation import total_variation

KINDS = ("cdf_gap", "total_variation", "cohens_h", "difference")
Draw = Callable[[np.random.Generator, int, int], Effect]

quick = settings(max_examples=60, deadline=None)


@quick
@given(st.sampled_from(KINDS), st.floats(0.01, 0.45), st.integers(1, 10**7))
def test_a_smaller_tolerance_needs_more_rows(kind: str, tolerance: float, other: int) -> None:
    """Fewer rows for a wider tolerance or a larger other side; never fewer than one."""
    rows = needs_rows(kind, tolerance)
    assert 1 <= rows <= needs_rows(kind, tolerance / 2) <= MOST
    fixed = needs_rows(kind, tolerance, other_rows=other)
    assert needs_rows(kind, tolerance, other_rows=other * 10) <= fixed
    if other >= rows:
        assert fixed <= rows + 1


def test_a_side_too_small_cannot_be_made_good() -> None:
    """With 30 rows on the other side no number decides a tight tolerance."""
    for kind in KINDS:
        assert needs_rows(kind, 0.01, other_rows=30) == MOST


def test_more_categories_need_more_rows() -> None:
    """Even categories: the rows needed grow with their number; counts do as well as shares."""
    needed = [needs_rows("total_variation", 0.1, probabilities=[1] * k) for k in (2, 5, 50, 2000)]
    assert needed == sorted(needed)
    assert needs_rows("cohens_h", 0.2, probabilities=[5] * 50) > needs_rows("cohens_h", 0.2)
    assert needs_rows("total_variation", 0.1, probabilities=[0, 0]) > 1


def test_an_unknown_kind_is_refused() -> None:
    """The error names the kinds there are."""
    with pytest.raises(UsageError, match="cdf_gap"):
        needs_rows("psi", 0.1)


def gap(rng: np.random.Generator, n: int, m: int) -> Effect:
    """Two draws of an even number in 512 thin cells."""
    cells = rng.multinomial(n, [1 / 512] * 512), rng.multinomial(m, [1 / 512] * 512)
    return cdf_gap(*cells, atoms=np.zeros(512, dtype=bool))


def variation(rng: np.random.Generator, n: int, m: int) -> Effect:
    """Two draws of 20 even categories."""
    return total_variation(rng.multinomial(n, [0.05] * 20), rng.multinomial(m, [0.05] * 20))


def largest(rng: np.random.Generator, n: int, m: int) -> Effect:
    """The share that moved most of 20 even categories."""
    cells = rng.multinomial(n, [0.05] * 20), rng.multinomial(m, [0.05] * 20)
    return largest_share_change(*cells)[1]


def share(rng: np.random.Generator, n: int, m: int) -> Effect:
    """Two draws of a share of 10%."""
    return share_change(int(rng.binomial(n, 0.1)), n, int(rng.binomial(m, 0.1)), m)


def accuracy(rng: np.random.Generator, n: int, m: int) -> Effect:
    """Two draws of a model that is right in 9 of 10 rows."""
    hits = int(rng.binomial(n, 0.9)), int(rng.binomial(m, 0.9))
    return proportion_difference(hits[0], n, hits[1], m, tolerance=0.05)


@pytest.mark.parametrize(
    ("draw", "rows"),
    [
        (gap, needs_rows("cdf_gap", 0.1)),
        (variation, needs_rows("total_variation", 0.1, probabilities=[1] * 20)),
        (largest, needs_rows("cohens_h", 0.2, probabilities=[1] * 20)),
        (share, needs_rows("cohens_h", 0.2, share=0.1)),
        (accuracy, needs_rows("difference", 0.05, sd=0.3)),
    ],
    ids=["gap", "variation", "largest", "share", "accuracy"],
)
def test_the_rows_are_right_within_a_factor_of_two(draw: Draw, rows: int) -> None:
    """At half the rows fewer than 90% of quiet comparisons are steady, at twice at least 90%."""
    rng = np.random.default_rng(1)

    def steady(n: int) -> float:
        return sum(decide(draw(rng, n, n), 3) is Verdict.STEADY for _ in range(120)) / 120

    assert steady(rows // 2) < 0.9 <= steady(rows * 2)

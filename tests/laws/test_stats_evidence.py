"""Laws of divergences and exact evidence: they agree with scipy, and every answer is finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from undertow.stats import divergence
from undertow.stats.counts import halves, paired, stream, tallied
from undertow.stats.exact import log_factorial, log_least, log_tail, smallest_p
from undertow.stats.score import limits

quick = settings(max_examples=60, deadline=None)


@st.composite
def sides(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two sides of counts of the same cells, empty cells and empty sides among them."""
    cells = draw(st.integers(1, 30))
    size = draw(st.sampled_from([1, 20, 1_000_000_000]))
    counts = st.lists(st.integers(0, size), min_size=cells, max_size=cells)
    return np.array(draw(counts), dtype=np.int64), np.array(draw(counts), dtype=np.int64)


@quick
@given(sides())
def test_every_divergence_is_finite(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """No divergence is nan, infinite or negative, whatever is empty."""
    answers = [
        divergence.psi(*pair),
        divergence.kl(*pair),
        divergence.js(*pair),
        *divergence.chi_square(*pair),
        *divergence.ks(*pair),
    ]
    assert all(math.isfinite(each) and each >= 0 for each in answers)
    assert divergence.js(*pair) <= 1


@quick
@given(sides())
def test_a_side_does_not_diverge_from_itself(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Every divergence of equal counts is 0, and its p is 1."""
    same = pair[0], pair[0]
    assert divergence.psi(*same) == divergence.kl(*same) == divergence.js(*same) == 0
    assert divergence.chi_square(*same)[::2] == (0, 1)
    assert divergence.ks(*same) == (0, 1)


@quick
@given(sides())
def test_divergences_are_those_of_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """JS and chi-square are what users get from scipy on the same counts."""
    a, b = pair
    assume(a.sum() and b.sum())
    assert divergence.js(a, b) == pytest.approx(jensenshannon(a, b, base=2), abs=1e-7)
    held = (a + b) > 0
    if held.sum() > 1:
        table = np.stack([a[held], b[held]])
        theirs = stats.chi2_contingency(table, correction=False)
        statistic, degrees, p = divergence.chi_square(a, b)
        assert statistic == pytest.approx(theirs.statistic, rel=1e-6, abs=1e-6)
        assert (degrees, p) == (theirs.dof, pytest.approx(theirs.pvalue, rel=1e-4, abs=1e-9))


def test_kl_and_psi_are_those_of_the_formula() -> None:
    """With no empty cell, KL is scipy's entropy and PSI its sum in both directions."""
    a, b = np.array([10, 20, 70]), np.array([30, 30, 40])
    p, q = a / 100, b / 100
    assert divergence.kl(a, b) == pytest.approx(stats.entropy(p, q))
    assert divergence.psi(a, b) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))


@pytest.mark.parametrize("x", [0.1, 0.2, 0.5, 0.9, 1.0, 1.2238, 2.0, 5.0])
def test_the_kolmogorov_tail_is_scipys(x: float) -> None:
    """Our series for Kolmogorov's distribution is scipy's special.kolmogorov."""
    assert divergence.kolmogorov(x) == pytest.approx(special.kolmogorov(x), abs=1e-9)


@quick
@given(sides(), st.integers(1, 12))
def test_coarse_cells_keep_every_row(pair: tuple[np.ndarray, np.ndarray], cells: int) -> None:
    """Merging neighbours loses no row and makes no more cells than asked for."""
    a, b = divergence.coarse(*pair, cells=cells)
    assert (a.sum(), b.sum()) == (pair[0].sum(), pair[1].sum())
    assert a.size == b.size <= max(cells, 1)


@quick
@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_exact_tail_is_never_below_the_true_one(n: int, m: int, data: st.DataObject) -> None:
    """Twice the one-sided hypergeometric tail is bounded from above, closely where it is small."""
    x, y = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    law = stats.hypergeom(n + m, x + y, n)
    true = min(1.0, 2 * min(law.cdf(x), law.sf(x - 1)))
    ours = float(np.exp(log_tail(x, x + y, n, m)))
    assert ours >= true * (1 - 1e-9)
    if true < 0.01:
        assert ours <= 1.5 * true
    assert float(log_least(x + y, n, m)) <= float(log_tail(x, x + y, n, m)) + 1e-9


def test_the_strongest_of_many_is_corrected() -> None:
    """A thousand categories that could have shown it count; two that fill the whole count once."""
    one = float(np.exp(log_tail(30, 40, 1000, 1000)))
    assert smallest_p([30], [40], 1000, 1000) == pytest.approx(one)
    many = smallest_p([30, 20], [40, 40], 1000, 1000, [1, 24])
    assert many == pytest.approx(25 * one)
    rare = smallest_p([30, 1], [40, 2], 1000, 1000, [1, 500])
    assert rare == pytest.approx(one)
    assert smallest_p([30, 970], [40, 1960], 1000, 1000) == pytest.approx(one, rel=0.2)
    assert smallest_p([], [], 10, 10) == 1


def test_log_factorials_are_those_of_gamma() -> None:
    """The table and the series agree with scipy's gammaln, where they meet and far beyond."""
    k = np.array([0, 1, 2, 10, 255, 256, 257, 10**4, 10**9])
    assert log_factorial(k) == pytest.approx(special.gammaln(k + 1.0), rel=1e-13, abs=1e-12)


@quick
@given(st.integers(1, 10**9), st.data())
def test_score_limits_hold_the_share(rows: int, data: st.DataObject) -> None:
    """0 <= low <= share <= high <= 1, mirrored for misses; one hit's limit is very low."""
    hits = data.draw(st.integers(0, rows))
    low, high = (float(each) for each in limits(hits, rows))
    assert 0 <= low <= hits / rows + 1e-12
    assert hits / rows <= high + 1e-12 <= 1 + 2e-12
    other = limits(rows - hits, rows)
    assert 1 - float(other[1]) == pytest.approx(low, abs=1e-9)


@quick
@given(sides())
def test_halves_are_halves(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A half never holds more rows than there are, and on average holds half of them."""
    drawn = halves(pair[0], 6, stream())
    assert drawn.shape == (6, pair[0].size)
    assert ((drawn >= 0) & (drawn <= pair[0])).all()


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 10_000])
def test_a_half_is_a_fair_coin_a_row(count: int) -> None:
    """Mean and variance of a half are those of a fair binomial, in small cells and large."""
    drawn = halves(np.full(20_000, count), 1, stream())[0]
    assert drawn.mean() == pytest.approx(count / 2, abs=5 * math.sqrt(count / 4 / 20_000))
    assert drawn.var() == pytest.approx(count / 4, rel=0.06)


@quick
@given(sides())
def test_a_tally_keeps_every_cell(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Pairs of counts with their times add up to the cells and rows they came from."""
    first, second, times = tallied(*paired(*pair))
    assert int(times.sum()) == int(np.count_nonzero(pair[0] + pair[1]))
    assert int((first * times).sum()) == int(pair[0].sum())
    assert int((second * times).sum()) == int(pair[1].sum())


def test_a_tally_of_huge_counts_is_exact() -> None:
    """Counts too large for one sorted key take the slower way to the same answer."""
    huge = np.array([2**40, 1, 2**40, 1])
    first, second, times = tallied(huge, huge)
    assert first.tolist() == second.tolist() == [1, 2**40]
    assert times.tolist() == [2, 2]

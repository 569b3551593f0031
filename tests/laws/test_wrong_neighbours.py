"""The limits of a share of wrong neighbours hold the truth, and leave open what few rows leave open."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.stats.neighbours import unit
from undertow.stats.wrong_neighbours import wrong_limits


def space(rows: int, rare: float, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of two senses, a share of them of the rare one, and the sense of each."""
    random = np.random.default_rng(seed)
    senses = random.permutation((np.arange(rows) < rare * rows).astype(np.int64))
    cells = random.standard_normal((rows, 12)) + 3 * np.eye(12)[5]
    cells[:, 0] += gap * senses
    return unit(cells.astype(np.float32)), senses


@pytest.mark.parametrize(("rare", "gap"), [(0.5, 2.5), (0.15, 4.0)])
def test_the_limits_hold_the_truth(rare, gap):
    """Of 300 draws at least 90% hold the mean of all, and neither end is wrong in 7%."""
    found = np.array([wrong_limits(*space(80, rare, gap, seed), 5) for seed in range(300)])
    value, low, high = found.T
    assert (low > value.mean()).mean() < 0.07
    assert (high < value.mean()).mean() < 0.07
    assert ((low <= value.mean()) & (value.mean() <= high)).mean() >= 0.9


def test_one_place_is_chance_and_two_are_none():
    """Without a gap the share is what chance gives, at any mix; far apart it is none."""
    for rare in (0.5, 0.1):
        mixed = [wrong_limits(*space(200, rare, 0, seed), 5)[0] for seed in range(40)]
        assert np.mean(mixed) == pytest.approx(1, abs=0.05)
    rows = np.eye(2, 3, dtype=np.float32)[np.repeat([0, 1], [7, 7])]
    value, low, high = wrong_limits(rows, np.repeat([0, 1], [7, 7]), 5)
    assert (value, low) == (0, 0)
    assert high > 0.5
    many = np.repeat([0, 1], [200, 200])
    assert wrong_limits(np.eye(2, 3, dtype=np.float32)[many], many, 5)[2] < 0.05

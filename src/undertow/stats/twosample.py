"""Two-sample tests that people ask for by name: evidence beside the battery, never the alarm.

Both are valid, and both see less: at 1,000 rows of 384 dimensions the kernel distance misses texts
unlike any known one, and a classifier that may learn from half of the rows misses nearly all that
is not gross.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.stats.counts import stream
from undertow.stats.neighbours import Matrix, one_thread

SPLITS = 199
LEARNED = 4
"""Rows of a side that the classifier's test needs: two to learn from and two to be tried on."""
MEDIAN_OF = 1000
"""Rows whose distances give the kernel its width."""


class Evidence(NamedTuple):
    """A statistic and its p: the chance of one as large without a change."""

    value: float
    p: float


def _pooled(reference: npt.ArrayLike, current: npt.ArrayLike, least: int) -> tuple[Matrix, int]:
    """Return the rows of both sides, the reference's n first, and n."""
    ours, theirs = (np.asarray(side, np.float32) for side in (reference, current))
    if ours.ndim != 2 or theirs.ndim != 2 or ours.shape[1:] != theirs.shape[1:]:
        raise DataError(f"vectors of shape {ours.shape} and {theirs.shape}: give (n, d) and (m, d)")
    if min(len(ours), len(theirs)) < least:
        raise DataError(f"{len(ours)} and {len(theirs)} rows: each side needs {least}")
    both = np.concatenate((ours, theirs))
    if not np.isfinite(both).all():
        raise DataError("vectors hold nan or infinity: leave those rows out")
    return both, len(ours)


def _square_distances(rows: Matrix, others: Matrix) -> Matrix:
    away: Matrix = rows @ others.T
    away *= -2
    away += np.einsum("ij,ij->i", rows, rows)[:, None]
    away += np.einsum("ij,ij->i", others, others)
    np.maximum(away, np.float32(0), out=away)
    return away


@one_thread
def mmd(reference: npt.ArrayLike, current: npt.ArrayLike, *, splits: int = SPLITS) -> Evidence:
    """Return the maximum mean discrepancy of two samples (n, d) and (m, d), squared, unbiased.

    The kernel is Gaussian, as wide as the median distance of the pooled rows; p is that of `splits`
    random re-splits. Memory and time grow with the square of n + m. Raises DataError for sides of
    other shapes, of fewer than two rows, or with nan or infinity.

    Gretton et al. (2012), equation 3; p by Phipson and Smyth (2010), equation 2.

    >>> random = np.random.default_rng(0)
    >>> mmd(random.normal(size=(100, 3)), random.normal(1, size=(100, 3))).p
    0.005
    """
    both, n = _pooled(reference, current, 2)
    rows = len(both)
    m = rows - n
    random = stream()
    both -= both.mean(axis=0)  # distances stay; squares of far-off rows would lose them
    some = both[random.permutation(rows)[:MEDIAN_OF]]
    width = np.median(_square_distances(some, some)[np.triu_indices(len(some), 1)])
    kernel = _square_distances(both, both)
    kernel /= -max(float(width), 1e-30)
    np.exp(kernel, out=kernel)
    np.fill_diagonal(kernel, 0)
    lots = random.random((splits, rows))
    inside = np.empty((splits + 1, rows), np.float32)
    inside[0] = np.arange(rows) >= n
    inside[1:] = lots <= np.partition(lots, m - 1, axis=1)[:, m - 1 : m]
    within = np.einsum("bi,bi->b", inside @ kernel, inside, dtype=np.float64)
    of_row = kernel.sum(axis=1, dtype=np.float64)
    touching = inside @ of_row
    across = touching - within
    others = of_row.sum() - touching - across
    found = within / (m * (m - 1)) + others / (n * (n - 1)) - 2 * across / (n * m)
    return Evidence(float(found[0]), float((np.round(found - found[0], 9) >= 0).mean()))


@one_thread
def c2st(reference: npt.ArrayLike, current: npt.ArrayLike) -> Evidence:
    """Return how well a classifier tells the sides (n, d) and (m, d) apart: the area under its ROC.

    A logistic regression learns from one half of each side and is tried on the other, so that p
    (Mann-Whitney, one-sided) is valid; scores pooled from cross-validation are not independent and
    alarm too often. Raises DataError for sides of other shapes, of fewer than LEARNED rows, or with
    nan or infinity.

    Lopez-Paz and Oquab (2017), section 3.

    >>> random = np.random.default_rng(0)
    >>> c2st(random.normal(size=(100, 3)), random.normal(3, size=(100, 3))).value > 0.95
    True
    """
    from scipy.stats import mannwhitneyu
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    both, n = _pooled(reference, current, LEARNED)
    random = stream()
    sides = np.arange(len(both)) >= n
    learns = np.zeros(len(both), np.bool_)
    for rows in (np.flatnonzero(~sides), np.flatnonzero(sides)):
        learns[random.permutation(rows)[: len(rows) // 2]] = True
    scaled = StandardScaler().fit(both[learns]).transform(both)
    model = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced")
    scores = model.fit(scaled[learns], sides[learns]).decision_function(scaled[~learns])
    tried = sides[~learns]
    value, p = _ranks(mannwhitneyu(scores[tried], scores[~tried], alternative="greater"))
    return Evidence(value / (int(tried.sum()) * int((~tried).sum())), p)


def _ranks(found: tuple[float, float]) -> tuple[float, float]:
    """Return the test's statistic and p; where all scores are equal, it has no p: then 1."""
    return float(found[0]), float(found[1]) if np.isfinite(found[1]) else 1.0


Test = Callable[[NDArray[np.float32], NDArray[np.float32]], Evidence]
TESTS: Mapping[str, Test] = MappingProxyType({"mmd": mmd, "c2st": c2st})
"""The tests by the names that people use."""

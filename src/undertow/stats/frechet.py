"""Frechet distance between two clouds of vectors: how far their means and covariances lie apart.

Between two normal distributions it is |difference of means|^2 + tr(S + T - 2 (S T)^(1/2)). The
matrix root costs more than everything else, so a permutation test takes the expansion around the
pooled covariance: with its principal components as axes and variances l, the second part is half
the sum of (S - T)_ij^2 / (l_i + l_j). Between neighbours that is the distance itself, up to third
order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.stats.neighbours import Matrix, one_thread

Floats = NDArray[np.float64]

COMPONENTS = 150
"""Principal components that are compared (Greco et al. 2024 keep as many)."""
WHOLE = 640
"""Dimensions up to which the covariance is decomposed whole; above, its largest part alone."""
FLAT = 1e-9
"""Variance, as a share of the largest component's, below which a component is noise of rounding."""


def moments(rows: Matrix, centre: Matrix) -> tuple[Floats, Floats]:
    """Return the sum of rows (n, d) less `centre` (d,), and the sum of their outer products.

    >>> moments(np.array([[1, 2], [3, 4]], np.float32), np.array([1, 2], np.float32))[1].tolist()
    [[4.0, 4.0], [4.0, 4.0]]
    """
    away = rows - centre
    return away.sum(axis=0, dtype=np.float64), (away.T @ away).astype(np.float64)


def principal(covariance: Floats, most: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the largest variances (k,), falling, and their axes (d, k); k is at most `most`.

    Above WHOLE dimensions the axes come from subspace iteration (Halko et al. 2011, algorithm 4.4)
    from a random start, several times cheaper and as good where the variances fall.

    >>> principal(np.diag([1.0, 4.0]), 1, np.random.default_rng(0))[0].tolist()
    [4.0]
    """
    d = len(covariance)
    if d <= WHOLE:
        variances, axes = np.linalg.eigh(covariance)
    else:
        start = np.asarray(random.standard_normal((d, min(most + 20, d))))
        basis = np.linalg.qr(covariance @ start)[0]
        for _ in range(3):
            basis = np.linalg.qr(covariance @ basis)[0]
        variances, turned = np.linalg.eigh(basis.T @ covariance @ basis)
        axes = basis @ turned
    variances, axes = variances[::-1][:most], axes[:, ::-1][:, :most]
    held = variances > max(float(variances[0]), 0.0) * FLAT
    return np.asarray(variances[held]), np.asarray(axes[:, held])


def expanded(
    scores: Matrix, variances: Floats, members: NDArray[np.intp], inside: Matrix
) -> Floats:
    """Return the expansion of the distance for each of many splits of the same rows.

    `scores` (N, k) are all rows on the pooled components with these `variances`. Split b puts the
    rows `members[b]` on one side, whose indicator is `inside[b]` (N,), and all others on the other.
    Given a side's rows, the other's moments follow from the whole: only one is measured.
    """
    rows, k = scores.shape
    n = members.shape[1]
    other = rows / (rows - n)
    means = (inside @ scores).astype(np.float64) / n
    if not k:
        return np.zeros(len(members))
    whole = (scores.T @ scores) / np.float32(rows)
    # (S - T) / other is the side's moments less the whole's, less one product of its mean.
    weights = (0.5 / (variances[:, None] + variances[None, :])).astype(np.float32)
    bend = np.float32(other * (1 - 2 * n / rows))
    second = np.empty(len(members))
    for b, which in enumerate(members):
        side = scores.take(which, axis=0)
        gap = (side.T @ side) / np.float32(n)
        gap -= whole
        mean = means[b].astype(np.float32)
        gap -= bend * np.outer(mean, mean)
        gap *= gap
        second[b] = np.vdot(gap, weights)
    distance: Floats = other * other * ((means * means).sum(axis=1) + second)
    return distance


@one_thread
def frechet(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, components: int = COMPONENTS
) -> float:
    """Return the squared Frechet distance of two clouds (n, d) and (m, d), in the vectors' unit.

    It is measured on the largest principal components of both sides together. Two samples of one
    distribution do not lie at 0: what that distance would be is for a permutation to say.
    Raises DataError for sides of other shapes, or of fewer than two rows.

    Dowson and Landau (1982), equation 4; on principal components Greco et al. (2024), section 3.

    >>> rows = np.random.default_rng(0).normal(size=(500, 4))
    >>> round(frechet(rows, rows + [1, 0, 0, 0]), 3)
    1.0
    """
    ours, theirs = (np.asarray(side, np.float64) for side in (reference, current))
    if ours.ndim != 2 or theirs.ndim != 2 or ours.shape[1:] != theirs.shape[1:]:
        raise DataError(f"vectors of shape {ours.shape} and {theirs.shape}: give (n, d) and (m, d)")
    if min(len(ours), len(theirs)) < 2:
        raise DataError(f"{len(ours)} and {len(theirs)} rows: a covariance needs 2 on each side")
    both = np.concatenate((ours, theirs))
    both = both - both.mean(axis=0)
    _, axes = principal(both.T @ both / len(both), components, np.random.default_rng(0))
    parts = (both @ axes)[: len(ours)], (both @ axes)[len(ours) :]
    means = [part.mean(axis=0) for part in parts]
    first, second = (np.cov(part.T, bias=True).reshape(axes.shape[1], -1) for part in parts)
    values, turned = np.linalg.eigh(first)
    root = (turned * np.sqrt(np.maximum(values, 0.0))) @ turned.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0.0)).sum()
    between = np.trace(first) + np.trace(second) - 2 * shared
    return float(max(((means[0] - means[1]) ** 2).sum() + between, 0.0))

"""Counts of two sides, in an order of their own, and the coins that split them in halves."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError

Counts: TypeAlias = npt.NDArray[np.int64]
"""Rows per cell, whole numbers of 0 or more."""
Floats: TypeAlias = npt.NDArray[np.float64]

SEED = 0x756E646572746F77
"""The constant every random split starts from ("undertow" in ASCII): chosen once, never tuned."""
WORD = 64


def paired(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Counts, Counts]:
    """Return both sides as one-dimensional int64 counts of the same cells.

    Raises DataError where they differ in length, hold a negative count or are not whole numbers.

    >>> paired([1, 2], [3, 4])
    (array([1, 2]), array([3, 4]))
    """
    sides = []
    for side in (reference, current):
        array = np.asarray(side)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
            raise DataError(
                f"counts of shape {array.shape} and type {array.dtype}: give one row of integers"
            )
        counts = array.astype(np.int64, copy=False)
        if counts.size and int(counts.min()) < 0:
            raise DataError(f"a count of {int(counts.min())}: counts are 0 or more")
        sides.append(counts)
    if sides[0].size != sides[1].size:
        raise DataError(
            f"{sides[0].size} cells against {sides[1].size}: both sides need the same cells"
        )
    return sides[0], sides[1]


def swapped(first: Counts, second: Counts) -> bool:
    """Return whether the two sides stand in the other of their two orders (fewer rows first).

    >>> swapped(np.array([5, 1]), np.array([1, 1])), swapped(np.array([1, 1]), np.array([5, 1]))
    (True, False)
    """
    rows = int(first.sum()), int(second.sum())
    if rows[0] != rows[1]:
        return rows[0] > rows[1]
    differs = np.flatnonzero(first != second)
    return bool(differs.size and first[differs[0]] > second[differs[0]])


def tallied(first: Counts, second: Counts) -> tuple[Counts, Counts, Counts]:
    """Return the different pairs of counts, rarest first, and how many cells have each.

    Empty cells are left out. The order the cells came in is forgotten, and a column of 100,000
    categories, most of them seen once, becomes a few hundred pairs.

    >>> tallied(np.array([9, 0, 1, 1]), np.array([9, 0, 0, 0]))
    (array([1, 9]), array([0, 9]), array([2, 1]))
    """
    total = first + second
    held = total > 0
    first, total = first[held], total[held]
    if not first.size:
        return first, total, total
    span = int(first.max()) + 1
    if int(total.max()) < (1 << 62) // span:
        total, first = np.divmod(np.sort(total * span + first), span)
    else:
        order = np.lexsort((first, total))
        total, first = total[order], first[order]
    new = np.concatenate(([True], (np.diff(total) != 0) | (np.diff(first) != 0)))
    start = np.flatnonzero(new)
    times = np.diff(np.append(start, total.size)).astype(np.int64)
    return first[start], total[start] - first[start], times


def stream() -> np.random.Generator:
    """Return the generator that random splits draw from, always at its beginning.

    >>> bool(stream().integers(1000) == stream().integers(1000))
    True
    """
    return np.random.Generator(np.random.PCG64(SEED))


def _ones(words: npt.NDArray[np.uint64]) -> Counts:
    """Return the number of set bits of each word (numpy before 2.0 has no function for it)."""
    one, two, four = (
        np.uint64(0x5555555555555555),
        np.uint64(0x3333333333333333),
        np.uint64(0x0F0F0F0F0F0F0F0F),
    )
    words = words - ((words >> np.uint64(1)) & one)
    words = (words & two) + ((words >> np.uint64(2)) & two)
    words = (words + (words >> np.uint64(4))) & four
    return ((words * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)


def halves(counts: Counts, splits: int, random: np.random.Generator) -> Counts:
    """Return, for each split, how many rows of each cell fall in the first half: one coin a row.

    The result has shape (splits, *counts.shape). Small cells count the ones among as many random
    bits, which is exact and several times faster than a binomial draw.

    >>> bool((halves(np.array([0, 3, 500]), 4, stream()) <= [0, 3, 500]).all())
    True
    """
    small = np.minimum(counts, WORD)
    words = random.integers(0, 2**64 - 1, (splits, *counts.shape), dtype=np.uint64, endpoint=True)
    shift = (WORD - small).astype(np.uint64)
    drawn = _ones(np.where(shift == WORD, np.uint64(0), words >> np.minimum(shift, np.uint64(63))))
    large = counts > WORD
    if large.any():
        many = counts[large]
        drawn[:, large] = random.binomial(many, 0.5, size=(splits, many.size))
    return drawn

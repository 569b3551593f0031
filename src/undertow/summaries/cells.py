"""Rows by (prediction, label, bin of the score): a sparse table that adds up exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]

SCORE_STEPS = float(2**20)
"""Steps between 0 and 1 in which scores and their squares are summed, as integers."""


def _hashes() -> Hashes:
    return np.empty(0, np.uint64)


def _counts() -> Counts:
    return np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Cells:
    """One entry a cell, in the order of (prediction, label, bin).

    `total` and `squares` are the sums of the scores and of their squares, in steps.

    >>> one = Cells.of([7, 7, 5], [7, 7, 7], [0, 0, 3], [1, 2, 4], [0, 0, 0], [0, 0, 0])
    >>> (one + one).rows, one.prediction
    (array([8, 6]), array([5, 7], dtype=uint64))
    """

    prediction: Hashes = field(default_factory=_hashes)
    label: Hashes = field(default_factory=_hashes)
    bins: Counts = field(default_factory=_counts)
    rows: Counts = field(default_factory=_counts)
    total: Counts = field(default_factory=_counts)
    squares: Counts = field(default_factory=_counts)

    @classmethod
    def of(
        cls,
        prediction: npt.ArrayLike,
        label: npt.ArrayLike,
        bins: npt.ArrayLike,
        rows: npt.ArrayLike,
        total: npt.ArrayLike,
        squares: npt.ArrayLike,
    ) -> Self:
        """Return the table of entries in any order; those of one cell are added up."""
        keys = np.asarray(prediction, np.uint64), np.asarray(label, np.uint64)
        spots = np.asarray(bins, np.int64)
        sums = [np.asarray(each, np.int64) for each in (rows, total, squares)]
        if not len(spots):
            return cls()
        order = np.lexsort((spots, keys[1], keys[0]))
        first, second, spots = keys[0][order], keys[1][order], spots[order]
        new = (first[1:] != first[:-1]) | (second[1:] != second[:-1]) | (spots[1:] != spots[:-1])
        start = np.flatnonzero(np.append(True, new))
        added = [np.add.reduceat(each[order], start) for each in sums]
        return cls(first[start], second[start], spots[start], *added)

    @property
    def parts(self) -> tuple[Hashes, Hashes, Counts, Counts, Counts, Counts]:
        """The columns of the table, in the order that `of` takes them."""
        return (self.prediction, self.label, self.bins, self.rows, self.total, self.squares)

    def __add__(self, other: Self) -> Self:
        """Return the table of both."""
        pairs = zip(self.parts, other.parts, strict=True)
        return self.of(*(np.concatenate(pair) for pair in pairs))

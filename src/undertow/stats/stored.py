"""What can be told of all stored vectors without an encoder: lengths, zeros, copies, and odd rows.

An index keeps whatever it is given. A vector of zeros, of another length, or half empty raises nothing:
it is only found less often, or too often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.hashing import hash_rows
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.stats.neighbours import Matrix, one_thread, unit
from undertow.summaries.tokens import texts as tokenised

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

BLOCK = 2**22
"""Numbers that are looked at in one go."""
BLANK = 0.05
"""Share of a vector's numbers that are exactly 0, from which part of it may have been lost."""
WORDS = 1_024
"""Places that words are hashed to."""
FITTED = 20_000
"""Texts that words are fitted on and held against, at most."""
RIDGE = 0.3
"""Ridge of the fit, in mean variances of a place: flat from 0.1 to 1 (bench/faults.py)."""
_SIGN = np.uint64(63)


@dataclass(frozen=True, eq=False)
class Facts:
    """What the stored vectors (n, d) are, an entry a row.

    `length` is the Euclidean length, NaN where a number is not finite. `absent` are rows of nothing but
    NaN: a document without a vector; `broken` hold NaN or infinity beside numbers; `empty` are all
    zeros. `blank` is the share of a vector's numbers that are exactly 0, and `dead` the dimensions
    that are 0 in every vector that is fine. `key` is a hash of the row's bits.
    """

    dimensions: int
    length: Floats
    absent: Flags
    broken: Flags
    empty: Flags
    blank: Floats
    dead: Ints
    key: NDArray[np.uint64]

    @cached_property
    def fine(self) -> Flags:
        """Which vectors are finite and not all zeros; shape (n,)."""
        return ~(self.absent | self.broken | self.empty)

    @cached_property
    def twins(self) -> list[Ints]:
        """The rows that share one vector with others, a group of positions each, the largest first.

        Vectors that are empty or broken are no twins.
        """
        rows = np.flatnonzero(self.fine)
        order = rows[np.argsort(self.key[rows], kind="stable")]
        edges = np.flatnonzero(np.diff(self.key[order].astype(np.uint64)) != 0) + 1
        groups = [each for each in np.split(order, edges) if len(each) > 1]
        return sorted(groups, key=lambda each: (-len(each), int(each[0])))


def facts(vectors: Matrix) -> Facts:
    """Return what the stored vectors (n, d) are, float32 and just as they were stored.

    >>> found = facts(np.array([[3, 4, 0], [0, 0, 0], [3, 4, 0], [np.nan, 1, 0]], np.float32))
    >>> found.length.tolist(), found.dead.tolist(), [each.tolist() for each in found.twins]
    ([5.0, 0.0, 5.0, nan], [2], [[0, 2]])
    """
    count, dimensions = vectors.shape
    length, blank = np.zeros(count), np.zeros(count)
    key = np.zeros(count, np.uint64)
    absent = np.zeros(count, np.bool_)
    alive = np.zeros(dimensions, np.bool_)
    step = max(1, BLOCK // max(dimensions, 1))
    for start in range(0, count, step):
        part = vectors[start : start + step]
        with np.errstate(invalid="ignore", over="ignore"):
            squares = np.einsum("ij,ij->i", part, part, dtype=np.float64)
        found = np.where(np.isfinite(part).all(axis=1), np.sqrt(squares), np.nan)
        length[start : start + step] = found
        absent[start : start + step] = np.isnan(part).all(axis=1) & (dimensions > 0)
        there = part != 0
        blank[start : start + step] = 1 - there.mean(axis=1) if dimensions else 1.0
        key[start : start + step] = hash_rows(part)
        alive |= there[np.isfinite(found)].any(axis=0)
    unread = np.isnan(length)
    empty = ~unread & (blank >= 1)
    dead = np.flatnonzero(~alive) if (~unread & ~empty).any() else np.empty(0, np.int64)
    dead = dead.astype(np.int64)
    return Facts(dimensions, length, absent, unread & ~absent, empty, blank, dead, key)


@one_thread
def foretold(texts: Sequence[str | None], vectors: Matrix) -> Floats:
    """Return the cosine of each stored vector (n, d), of length 1, with what its text's words foretell.

    A ridge regression (Hoerl and Kennard 1970) from hashed words to vectors less their mean, fitted
    on one half of the rows and held against the other, so that no row foretells itself. A row that
    is near or below 0 is odd: its vector may be of another text, or of another space. It is a hint of
    where to look, and proves nothing. NaN where a text has no word.

    >>> words = ["red door", "red wall", "open sea", "deep sea"] * 8
    >>> here = np.repeat(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]][None], 8, axis=0).reshape(32, 2)
    >>> here[5] = [0, 1]
    >>> int(foretold(words, here).argmin())
    5
    """
    from scipy.linalg import cho_factor, cho_solve

    cells = worded(texts)
    known = np.asarray(cells.getnnz(axis=1) > 0)
    found = np.full(len(texts), np.nan)
    half = np.zeros(len(texts), np.bool_)  # at random, for rows may come in a pattern
    half[np.random.Generator(np.random.PCG64(0)).permutation(len(texts))[::2]] = True
    for fit in (half, ~half):
        fitted, held = np.flatnonzero(fit & known), np.flatnonzero(~fit & known)
        if not len(fitted) or not len(held):
            continue
        some = cells[fitted]
        middle = vectors[fitted].mean(axis=0, dtype=np.float64)
        products = (some.T @ some).toarray().astype(np.float64)
        spread = RIDGE * max(float(np.trace(products)) / WORDS, 1e-9)
        products[np.diag_indices(WORDS)] += spread
        weights = cho_solve(cho_factor(products), some.T @ (vectors[fitted] - middle))
        told = unit(np.asarray(cells[held] @ weights, np.float32))
        real = unit(np.asarray(vectors[held] - middle, np.float32))
        found[held] = np.einsum("ij,ij->i", told, real, dtype=np.float64)
    return found


def worded(texts: Sequence[str | None], places: int = WORDS) -> Any:
    """Return the texts as a sparse matrix (n, places) of hashed words, rows of length 1.

    A word counts once a text, and by how rare its place is (Weinberger et al. 2009, Feature hashing).

    >>> worded(["red door", "Red DOOR!", ""]).shape, worded(["a b", ""]).getnnz(axis=1).tolist()
    ((3, 1024), [2, 0])
    """
    from scipy.sparse import csr_matrix
    from sklearn.preprocessing import normalize

    array = pa.array(list(texts), pa.string())
    rows, spots, signs = [], [], []
    for some in tokenised(Values(Column("text", Kind.TEXT), array)):
        hashes = some.tokens.hashes[some.tokens.codes]
        rows.append(some.tokens.rows + some.first)
        spots.append((hashes % np.uint64(places)).astype(np.int64))
        signs.append(np.where(hashes >> _SIGN, 1.0, -1.0))
    shape = (len(texts), places)
    if not rows:
        return csr_matrix(shape)
    row, spot = np.concatenate(rows), np.concatenate(spots)
    cells = csr_matrix((np.concatenate(signs), (row, spot)), shape)
    usual = np.bincount(cells.indices, minlength=places)
    cells.data = np.sign(cells.data) * np.log((1 + shape[0]) / (1 + usual[cells.indices]))
    cells.eliminate_zeros()
    return normalize(cells)

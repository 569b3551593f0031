"""Vectors: the cells of a list column as one matrix, and what is wrong with the rows that are none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FINE, NULL, RAGGED, NOT_FINITE, ZERO = range(5)
STATES = ("fine", "null", "ragged", "not finite", "zero")
"""What a row can be, by its code: `ragged` is of another length, `not finite` holds NaN or infinity."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Vectors:
    """The cells of one column as the rows of a matrix; a row that is not fine is all zeros.

    So sums and products over all rows are those over the fine ones. Never write to `rows`: it may
    be the memory of the Arrow array itself.

    >>> cells = pa.array([[3.0, 4.0], None, [1.0], [0.0, 0.0], [1.0, float("nan")]])
    >>> found = matrix(cells)
    >>> [STATES[code] for code in found.state]
    ['fine', 'null', 'ragged', 'zero', 'not finite']
    >>> found.norms.tolist()
    [5.0, 0.0, 0.0, 0.0, 0.0]
    """

    rows: Matrix
    """Shape (n, d), C-contiguous."""
    state: NDArray[np.int8]
    """Shape (n,): FINE, NULL, RAGGED, NOT_FINITE or ZERO."""
    squares: NDArray[np.float32]
    """The sum of squares of each row in float32, which loses very small and very large ones."""

    def __len__(self) -> int:
        """Return the number of rows, bad ones included."""
        return len(self.state)

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return int(self.rows.shape[1])

    @cached_property
    def fine(self) -> NDArray[np.bool_]:
        """Which rows are vectors of this length, finite and not zero; shape (n,)."""
        return np.asarray(self.state == FINE)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many rows are in each state, in the order of STATES; shape (5,)."""
        return np.bincount(self.state, minlength=len(STATES)).astype(np.int64)

    @cached_property
    def good(self) -> Matrix:
        """The fine rows alone; shape (m, d)."""
        return self.rows if self.fine.all() else self.rows[self.fine]

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """The length of every row, 0 where it is not fine; shape (n,)."""
        norms = np.sqrt(self.squares.astype(np.float64))
        norms[~self.fine] = 0.0
        odd = np.flatnonzero(self.fine & ~((self.squares > 1e-30) & (self.squares < 1e30)))
        if len(odd):
            far = self.rows[odd].astype(np.float64)
            norms[odd] = np.sqrt(np.einsum("ij,ij->i", far, far))
        return norms


def matrix(array: pa.Array | pa.ChunkedArray, dimensions: int | None = None) -> Vectors:
    """Return a list column as one float32 matrix, without a copy where every row is fine.

    Any list of numbers will do: list, large list, fixed-size list, of float16, 32, 64 or integers.
    `dimensions` is how long a vector is; by default the commonest length of these rows, the shorter
    of two equally common ones. A column of anything else has no vector: every row is ragged or null.
    A number beyond the range of float32 counts as not finite.

    >>> matrix(pa.array([[1, 2], [3, 4]])).rows.tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no chunk at all
        array = pa.nulls(0, array.type)
    count = len(array)
    state = np.zeros(count, np.int8)
    missing = None if array.null_count == 0 else ~np.asarray(array.is_valid())
    if is_list(array.type) and is_numeric(array.type.value_type):
        sizes = lengths(array)
        there = sizes if missing is None else sizes[~missing]
        if dimensions is None:
            dimensions = _commonest(there)
        state[sizes != dimensions] = RAGGED
    else:
        dimensions = dimensions or 0
        state[:] = RAGGED
    if missing is not None:
        state[missing] = NULL
    if dimensions == 0:
        state[state == FINE] = ZERO
        return Vectors(np.zeros((count, 0), np.float32), state, np.zeros(count, np.float32))
    fits = state == FINE
    if fits.all():
        rows = _cells(array, count, dimensions)
    else:
        rows = np.zeros((count, dimensions), np.float32)
        if fits.any():
            some = array.filter(pa.array(fits))
            rows[fits] = _cells(some, int(fits.sum()), dimensions)
    return _settled(rows, state)


def row_squares(rows: Matrix) -> NDArray[np.float32]:
    """Return the sum of squares of every row; each depends on nothing but its row."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(np.einsum("ij,ij->i", rows, rows))


def is_list(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type is a list of one kind or another."""
    return bool(
        pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    )


def is_numeric(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type holds numbers; null does where every list is empty."""
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def lengths(array: pa.Array) -> NDArray[np.int64]:
    """Return how many items each list holds, 0 where it is null.

    >>> lengths(pa.array([[1, 2], None, []])).tolist()
    [2, 0, 0]
    """
    if pa.types.is_fixed_size_list(array.type):
        sizes = np.full(len(array), array.type.list_size, np.int64)
    else:
        sizes = np.diff(np.asarray(array.offsets)).astype(np.int64)
    if array.null_count:
        sizes[~np.asarray(array.is_valid())] = 0
    return sizes


def items(array: pa.Array) -> pa.Array:
    """Return the items of lists of which none is null, one after the other, without a copy."""
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        return array.values.slice(array.offset * size, len(array) * size)
    offsets = array.offsets
    first, last = (offsets[0].as_py(), offsets[-1].as_py()) if len(offsets) else (0, 0)
    return array.values.slice(first, last - first)


def _commonest(sizes: NDArray[np.int64]) -> int:
    if not len(sizes):
        return 0
    found, counts = np.unique(sizes, return_counts=True)
    return int(found[counts.argmax()])


def _cells(array: pa.Array, count: int, dimensions: int) -> Matrix:
    """Return lists of one length, none of them null, as a matrix; an item that is null is NaN."""
    flat = items(array)
    kind = flat.type
    if pa.types.is_null(kind):
        return np.full((count, dimensions), np.nan, np.float32)
    if pa.types.is_decimal(kind) or (flat.null_count and not pa.types.is_floating(kind)):
        flat = flat.cast(pa.float64(), safe=False)
    if flat.null_count:
        flat = pc.fill_null(flat, pa.scalar(float("nan")).cast(flat.type))
    with np.errstate(over="ignore"):
        made = np.asarray(flat).astype(np.float32, copy=False)
    return np.ascontiguousarray(made.reshape(count, dimensions))


def _settled(rows: Matrix, state: NDArray[np.int8]) -> Vectors:
    """Tell the rows that are zero or not finite, and zero the latter."""
    squares = row_squares(rows)
    # A square that under- or overflows says nothing yet: look at the row itself.
    odd = np.flatnonzero((state == FINE) & ~((squares > 0) & (squares < np.inf)))
    if not len(odd):
        return Vectors(rows, state, squares)
    some = rows[odd]
    finite = np.isfinite(some).all(axis=1)
    state[odd[~finite]] = NOT_FINITE
    state[odd[finite & ~some.any(axis=1)]] = ZERO
    if not finite.all():
        rows = rows.copy() if not rows.flags.writeable or rows.base is not None else rows
        rows[odd[~finite]] = 0.0
    return Vectors(rows, state, squares)

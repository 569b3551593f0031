"""A few thousand rows, drawn by hash: the same ones for any partitioning, with their multiplicity."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.schema import Column, Role
from undertow.core.summary import State, Survey
from undertow.core.values import Values, is_text

ROWS = 4096
"""Rows kept at most; fewer where the table is so wide that they would not fit in memory."""
CELLS = 2**21
NUMBERS = 2**23
"""Numbers kept at most in one column of vectors: 4,096 rows of 2,048 dimensions."""
LONGEST = 4000
"""Characters kept of one cell."""


@dataclass(frozen=True, eq=False)
class RowSample:
    """The distinct rows of lowest hash, with how often each occurred (a bottom-k sketch).

    `by` names the columns the hash is taken over: the identifier, or else the whole content.
    `repeats` is exact below the capacity and estimated above.

    >>> from undertow.core.schema import Kind
    >>> made = RowSample(k=9).observe(Values(Column("x", Kind.NUMBER), pa.array([1, 1, 2, 3])))
    >>> made.kept.num_rows, made.distinct, sorted(made.multiplicity.tolist())
    (3, 3.0, [1, 1, 2])
    """

    tag: ClassVar[str] = "sample"
    fitted: ClassVar[bool] = False

    k: int = ROWS
    by: tuple[str, ...] = ()
    rows: int = 0
    table: pa.Table | None = None
    hashes: NDArray[np.uint64] | None = None
    weights: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.hashes is None:
            object.__setattr__(self, "hashes", np.empty(0, np.uint64))
            object.__setattr__(self, "weights", np.empty(0, np.int64))
            object.__setattr__(self, "table", pa.table({}))

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:  # noqa: ARG003
        """Return the empty sample: hashed over the identifier if there is one."""
        by = tuple(c.name for c in columns if c.role is Role.ID and c.why.startswith("declared"))
        fits = [CELLS // max(len(columns), 1), *(NUMBERS // _width(c.arrow) for c in columns)]
        return cls(max(64, min(ROWS, *fits)), by)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """The hashes of the rows kept, ascending."""
        assert self.hashes is not None
        return self.hashes

    @property
    def multiplicity(self) -> NDArray[np.int64]:
        """How many rows of the data each kept row stands for, as the same content."""
        assert self.weights is not None
        return self.weights

    @property
    def kept(self) -> pa.Table:
        """The rows kept, in the order of their hashes."""
        assert self.table is not None
        return self.table

    @property
    def distinct(self) -> float:
        """How many distinct rows there are: exact below the capacity, else estimated."""
        if len(self.keys) < self.k:
            return float(len(self.keys))
        return min(float(self.rows), (self.k - 1) / (float(self.keys[-1]) / 2.0**64))

    def observe(self, *columns: Values) -> Self:
        """Return the sample with the rows of a batch added."""
        hashes = self._hash(columns)
        rows = self.rows + len(hashes)
        if len(self.keys) >= self.k:
            near = np.flatnonzero(hashes <= self.keys[-1])
        elif len(hashes) > 4 * self.k:
            near = np.argpartition(hashes, 2 * self.k)[: 2 * self.k]
            near = np.flatnonzero(hashes <= hashes[near].max())
        else:
            near = np.arange(len(hashes))
        if not len(near):
            return replace(self, rows=rows)
        keys, spots, counts = np.unique(hashes[near], return_index=True, return_counts=True)
        if len(keys) < self.k and len(near) < len(hashes) and len(self.keys) < self.k:
            # So many repeats that the shortlist ran dry: look at every row.
            near = np.arange(len(hashes))
            keys, spots, counts = np.unique(hashes, return_index=True, return_counts=True)
        chosen = pa.array(near[spots[: self.k]])
        table = pa.table({v.column.name: _cells(v.array.take(chosen)) for v in columns})
        batch = replace(
            self,
            rows=0,
            table=table,
            hashes=keys[: self.k],
            weights=counts[: self.k].astype(np.int64),
        )
        return replace(self + batch, rows=rows)

    def _hash(self, columns: tuple[Values, ...]) -> NDArray[np.uint64]:
        total = np.zeros(len(columns[0]), np.uint64)
        for values in columns:
            if not self.by or values.column.name in self.by:
                total += values.hashes * np.uint64(hashing.hash_text(values.column.name) | 1)
        return hashing.mix(total)

    def __add__(self, other: Self) -> Self:
        """Return the sample of both sets of rows."""
        rows = self.rows + other.rows
        if not len(other.keys) or not len(self.keys):
            full = self if len(self.keys) else other
            return replace(full, rows=rows)
        hashes = np.concatenate([self.keys, other.keys])
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
        weights = np.concatenate([self.multiplicity, other.multiplicity])[order]
        weights = np.add.reduceat(weights, first)
        both = pa.concat_tables([self.kept, other.kept], promote_options="permissive")
        table = both.take(pa.array(order[first[: self.k]])).combine_chunks()
        return replace(
            self,
            rows=rows,
            table=table,
            hashes=hashes[first[: self.k]],
            weights=weights[: self.k],
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether the same rows were kept, with the same weights."""
        return (
            isinstance(other, RowSample)
            and (self.k, self.by, self.rows) == (other.k, other.by, other.rows)
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.multiplicity, other.multiplicity)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same capacity with no rows."""
        return type(self)(self.k, self.by)

    def state(self) -> State:
        """Return the capacity, the rows kept, their hashes and weights."""
        return {
            "k": self.k,
            "by": list(self.by),
            "rows": self.rows,
            "table": self.kept,
            "hashes": self.keys,
            "weights": self.multiplicity,
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the sample of a state; raise ValueError where its parts disagree."""
        hashes = np.asarray(state["hashes"], np.uint64)
        weights = np.asarray(state["weights"], np.int64)
        table = state["table"]
        if not len(hashes) == len(weights) == table.num_rows <= int(state["k"]):
            raise ValueError("a sample needs one hash and one weight a row")
        if (hashes[1:] <= hashes[:-1]).any() or (weights < 1).any():
            raise ValueError("a sample's hashes ascend and its weights count rows")
        by = tuple(str(name) for name in state["by"])
        return cls(int(state["k"]), by, int(state["rows"]), table, hashes, weights)


def _width(arrow: str) -> int:
    """Return how long the vectors of an Arrow type are, 1 where it does not say."""
    size = re.search(r"^fixed_size_list<.*>\[(\d+)\]$", arrow)
    return max(1, int(size[1])) if size else 1


def _cells(array: pa.Array) -> pa.Array:
    """Return the cells as they are kept: no dictionaries, no endless strings."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    kind = array.type
    if is_text(kind) and not pa.types.is_binary(kind) and not pa.types.is_large_binary(kind):
        array = pc.utf8_slice_codeunits(array, 0, LONGEST)
    return array

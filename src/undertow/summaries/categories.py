"""How many rows hold each distinct value, exact up to a cap, with what the cap left out on record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.schema import Column
from undertow.core.summary import State, Survey
from undertow.core.values import Values

CAP = 131_072
"""Distinct values counted exactly; beyond it, those of lowest hash stay exact (Cohen & Kaplan 2007)."""
BUCKETS = 1024
"""Every row is also counted in one of these groups by hash, which no cap touches."""
SHOWN = 200
"""Characters of a value that are kept for people to read."""
_LOW_BITS = np.uint64(BUCKETS - 1)


@dataclass(frozen=True, eq=False)
class Categories:
    """Distinct values by hash, ascending, with their counts and (shortened) names.

    >>> from undertow.core.schema import Kind
    >>> column = Column("city", Kind.CATEGORY)
    >>> made = Categories().observe(Values(column, pa.array(["a", "b", "a", None])))
    >>> made.common(1), made.rows, made.distinct
    ([('a', 2)], 3, 2.0)
    """

    tag: ClassVar[str] = "categories"
    fitted: ClassVar[bool] = False

    cap: int = CAP
    rows: int = 0
    hashes: NDArray[np.uint64] | None = None
    counts: NDArray[np.int64] | None = None
    names: pa.Array | None = None
    buckets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.hashes is None:
            object.__setattr__(self, "hashes", np.empty(0, np.uint64))
            object.__setattr__(self, "counts", np.empty(0, np.int64))
            object.__setattr__(self, "names", pa.nulls(0, pa.string()))
            object.__setattr__(self, "buckets", np.zeros(BUCKETS, np.int64))

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:  # noqa: ARG003
        """Return the empty summary with the default cap."""
        return cls()

    @property
    def keys(self) -> NDArray[np.uint64]:
        """The hashes of the values kept, ascending."""
        assert self.hashes is not None
        return self.hashes

    @property
    def tally(self) -> NDArray[np.int64]:
        """The rows of each value kept, in the order of `keys`."""
        assert self.counts is not None
        return self.counts

    @property
    def groups(self) -> NDArray[np.int64]:
        """Rows by group of hashes, whatever the cap left out."""
        assert self.buckets is not None
        return self.buckets

    @property
    def pooled(self) -> int:
        """Rows whose value the cap left out."""
        return self.rows - int(self.tally.sum())

    @property
    def distinct(self) -> float:
        """How many distinct values there are: exact below the cap, else estimated from the hashes."""
        if len(self.keys) < self.cap:
            return float(len(self.keys))
        return float((self.cap - 1) / (float(self.keys[-1]) / 2.0**64))

    def name(self, spot: int) -> str:
        """Return the value at a position of `keys`, shortened."""
        assert self.names is not None
        return str(self.names[spot].as_py())

    def common(self, most: int) -> list[tuple[str, int]]:
        """Return the commonest values with their rows, ties in the order of their names."""
        order = np.argsort(-self.tally, kind="stable")[: most * 4 + 16]
        pairs = sorted(
            ((self.name(i), int(self.tally[i])) for i in order), key=lambda p: (-p[1], p[0])
        )
        return pairs[:most]

    def aligned(
        self, other: Self
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the values either side kept, with the rows of each on both sides.

        Where a cap left values out, only hashes that both sides would have kept are compared, and
        the rest of the rows stand in the last cell (hash 0 stands for it).
        """
        top = min(
            (s.keys[-1] for s in (self, other) if len(s.keys) >= s.cap),
            default=np.uint64(2**64 - 1),
        )
        mine, yours = self.keys[self.keys <= top], other.keys[other.keys <= top]
        both = np.union1d(mine, yours)
        left = np.zeros(len(both) + 1, np.int64)
        right = np.zeros(len(both) + 1, np.int64)
        left[np.searchsorted(both, mine)] = self.tally[: len(mine)]
        right[np.searchsorted(both, yours)] = other.tally[: len(yours)]
        left[-1], right[-1] = self.rows - left.sum(), other.rows - right.sum()
        keys = np.append(both, np.uint64(0))
        return (keys, left, right) if left[-1] or right[-1] else (both, left[:-1], right[:-1])

    def observe(self, *columns: Values) -> Self:
        """Return the counts with one column of a batch added; missing values are not counted."""
        (values,) = columns
        hashes, counts, words = values.tally
        if not len(hashes):
            return self
        spots = np.searchsorted(self.keys, hashes)
        spots[spots == len(self.keys)] = 0
        if len(self.keys) and len(self.keys) < self.cap and (self.keys[spots] == hashes).all():
            tally = self.tally.copy()
            np.add.at(tally, spots, counts)
            added = int(counts.sum())
            groups = self.groups + _grouped(hashes, counts)
            return replace(self, rows=self.rows + added, counts=tally, buckets=groups)
        order = np.argsort(hashes, kind="stable")
        shown = words.cast(pa.string()) if words.type != pa.string() else words
        batch = replace(
            self.empty(),
            rows=int(counts.sum()),
            hashes=hashes[order],
            counts=counts[order],
            names=pc.utf8_slice_codeunits(shown.take(pa.array(order)), 0, SHOWN),
            buckets=_grouped(hashes, counts),
        )
        return self + batch

    def __add__(self, other: Self) -> Self:
        """Return the counts of both; beyond the cap the lowest hashes stay."""
        assert self.names is not None
        assert other.names is not None
        hashes = np.concatenate([self.keys, other.keys])
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        counts = np.concatenate([self.tally, other.tally])[order]
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])) if len(hashes) else order
        counts = np.add.reduceat(counts, first) if len(first) else counts
        names = pa.concat_arrays([self.names, other.names]).take(pa.array(order[first[: self.cap]]))
        return replace(
            self,
            rows=self.rows + other.rows,
            hashes=hashes[first[: self.cap]],
            counts=counts[: self.cap],
            names=names,
            buckets=self.groups + other.groups,
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether cap, values and counts are the same."""
        return (
            isinstance(other, Categories)
            and (self.cap, self.rows) == (other.cap, other.rows)
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.tally, other.tally)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same cap with no rows."""
        return type(self)(self.cap)

    def state(self) -> State:
        """Return the cap, the values kept with their counts, and the groups."""
        assert self.names is not None
        return {
            "cap": self.cap,
            "rows": self.rows,
            "hashes": self.keys,
            "counts": self.tally,
            "names": self.names.to_pylist(),
            "buckets": self.buckets,
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the counts of a state; raise ValueError where they disagree."""
        hashes = np.asarray(state["hashes"], np.uint64)
        counts = np.asarray(state["counts"], np.int64)
        buckets = np.asarray(state["buckets"], np.int64)
        names = pa.array(np.array(state["names"], np.object_), pa.string())
        ascending = bool((hashes[1:] > hashes[:-1]).all())
        if not (len(hashes) == len(counts) == len(names) <= int(state["cap"]) and ascending):
            raise ValueError("categories need one count and one name a value, in order of hash")
        if len(buckets) != BUCKETS or (counts < 0).any() or counts.sum() > int(state["rows"]):
            raise ValueError("categories hold more rows than they counted")
        return cls(int(state["cap"]), int(state["rows"]), hashes, counts, names, buckets)


def _grouped(hashes: NDArray[np.uint64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    groups = (hashes & _LOW_BITS).astype(np.intp)
    return np.bincount(groups, weights=counts, minlength=BUCKETS).astype(np.int64)

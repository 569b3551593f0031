"""Mean and second moment of vectors, and how many rows hold none, in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from undertow.core.hashing import hash_floats, mix
from undertow.core.schema import Column
from undertow.core.summary import State, Survey
from undertow.core.values import Values
from undertow.core.vectors import NOT_FINITE, NULL, RAGGED, STATES, ZERO, Vectors

WIDEST = 1536
"""Beyond so many dimensions only the diagonal of the second moment is kept."""
NEAR_ONE = 1e-3
"""A vector counts as normalised where its length is as near to 1 as this."""
BUCKETS = 4096
_CELLS = 2**19

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spread:
    """Sums of the fine vectors and of their products, and counts of all rows by what they are.

    Counts and the range of the norms are exact. The sums are float64 and may differ by a relative
    1e-9 between two ways to cut up the same rows, never more: they are no sums of integers.

    >>> import pyarrow as pa
    >>> from undertow.core.schema import Kind
    >>> cells = pa.array([[3.0, 4.0], [1.0, 0.0], None, [0.0, 0.0]])
    >>> made = Spread(2).observe(Values(Column("v", Kind.VECTOR), cells))
    >>> made.fine, made.null, made.zero, made.unit, made.high
    (2, 1, 1, 1, 5.0)
    >>> made.mean.tolist(), made.second.tolist()
    ([2.0, 2.0], [[5.0, 6.0], [6.0, 8.0]])
    """

    tag: ClassVar[str] = "spread"
    fitted: ClassVar[bool] = True

    dimensions: int = 0
    counts: tuple[int, ...] = (0,) * len(STATES)
    """Rows by state, in the order of `core.vectors.STATES`."""
    unit: int = 0
    """Fine rows of length 1, to NEAR_ONE."""
    low: float = math.inf
    """The shortest length of a fine row."""
    high: float = -math.inf
    """The longest length of a fine row."""
    total: Floats = field(default_factory=lambda: np.empty(0))
    """The sum of the fine rows; shape (d,)."""
    products: Floats = field(default_factory=lambda: np.empty(0))
    """The sum of x x^T over the fine rows, shape (d, d), or its diagonal beyond WIDEST, (d,)."""

    buckets: Counts = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    """Fine rows by a hash of the vector: one that stands in many rows fills its bucket."""

    def __post_init__(self) -> None:
        if len(self.total) != self.dimensions:
            size = self.dimensions
            object.__setattr__(self, "total", np.zeros(size))
            shape = (size,) if size > WIDEST else (size, size)
            object.__setattr__(self, "products", np.zeros(shape))

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:
        """Return the empty summary for vectors as long as most of the reference's."""
        (column,) = columns
        if survey.sample.schema.get_field_index(column.name) < 0:
            return cls()
        return cls(Values(column, survey.sample.column(column.name)).vectors.dimensions)

    @property
    def rows(self) -> int:
        """All rows observed."""
        return sum(self.counts)

    @property
    def fine(self) -> int:
        """Rows that are vectors: of this length, finite and not zero."""
        return self.counts[0]

    @property
    def null(self) -> int:
        """Rows without a value."""
        return self.counts[NULL]

    @property
    def ragged(self) -> int:
        """Rows of another length."""
        return self.counts[RAGGED]

    @property
    def not_finite(self) -> int:
        """Rows with NaN, infinity or a null in them."""
        return self.counts[NOT_FINITE]

    @property
    def zero(self) -> int:
        """Rows that are zero in every dimension."""
        return self.counts[ZERO]

    @property
    def commonest(self) -> float:
        """About how many rows hold the commonest vector: what its bucket has beyond the others' mean.

        Too high by some 4 standard deviations of a bucket where no vector is common: 0.1% of 5,000
        rows, less of more.
        """
        most = int(self.buckets.max())
        return max(0.0, most - (self.fine - most) / (BUCKETS - 1))

    @property
    def diagonal(self) -> bool:
        """Whether only the diagonal of the second moment is kept."""
        return self.products.ndim == 1

    @property
    def mean(self) -> Floats:
        """The mean of the fine rows, NaN where there is none; shape (d,)."""
        return self.total / (self.fine or math.nan)

    @property
    def second(self) -> Floats:
        """The mean of x x^T over the fine rows, shape (d, d); its diagonal beyond WIDEST, (d,)."""
        return self.products / (self.fine or math.nan)

    @property
    def covariance(self) -> Floats:
        """The covariance of the fine rows (population form); the variances beyond WIDEST."""
        mean = self.mean
        return self.second - (mean * mean if self.diagonal else np.outer(mean, mean))

    def observe(self, *columns: Values) -> Self:
        """Return the summary with one column of a batch added."""
        (values,) = columns
        found = values.vectors_of(self.dimensions)
        norms = found.norms[found.fine]
        total, products = self.total.copy(), self.products.copy()
        size = max(1, self.dimensions)
        step = max(64, _CELLS // size)
        held = np.empty((min(step, len(found)), size if self.dimensions else 0))
        # Rows that are not fine are zero, so that nothing has to be left out.
        for start in range(0, len(found) if self.dimensions else 0, step):
            some = found.rows[start : start + step]
            wide = held[: len(some)]
            np.copyto(wide, some)
            total += wide.sum(axis=0)
            products += np.einsum("ij,ij->j", wide, wide) if self.diagonal else wide.T @ wide
        return replace(
            self,
            buckets=self.buckets + _tallied(found),
            counts=_added(self.counts, found.counts.tolist()),
            unit=self.unit + int((np.abs(norms - 1.0) <= NEAR_ONE).sum()),
            low=min(self.low, float(norms.min(initial=math.inf))),
            high=max(self.high, float(norms.max(initial=-math.inf))),
            total=total,
            products=products,
        )

    def __add__(self, other: Self) -> Self:
        """Return the summary of both."""
        return replace(
            self,
            buckets=self.buckets + other.buckets,
            counts=_added(self.counts, other.counts),
            unit=self.unit + other.unit,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            total=self.total + other.total,
            products=self.products + other.products,
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether the counts are the same and the sums to a relative 1e-9."""
        if not isinstance(other, Spread) or self.products.shape != other.products.shape:
            return False
        mine, theirs = ((s.counts, s.unit, s.low, s.high) for s in (self, other))
        scale = 1e-9 * max(self.fine, 1) * max(self.high, 0.0)
        return (
            mine == theirs
            and np.array_equal(self.buckets, other.buckets)
            and np.allclose(self.total, other.total, rtol=0, atol=scale)
            and np.allclose(self.products, other.products, rtol=0, atol=scale * max(self.high, 0.0))
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same length with no rows."""
        return type(self)(self.dimensions)

    def state(self) -> State:
        """Return the length, the counts and the sums; of the products the upper triangle."""
        upper = self.products if self.diagonal else self.products[np.triu_indices(self.dimensions)]
        return {
            "dimensions": self.dimensions,
            "counts": list(self.counts),
            "unit": self.unit,
            "low": repr(self.low),
            "high": repr(self.high),
            "total": self.total,
            "products": upper,
            "buckets": self.buckets,
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the summary of a state; raise ValueError where its parts disagree."""
        size = int(state["dimensions"])
        total = np.asarray(state["total"], np.float64)
        upper = np.asarray(state["products"], np.float64)
        counts = tuple(int(count) for count in state["counts"])
        cells = size if size > WIDEST else size * (size + 1) // 2
        if size < 0 or total.shape != (size,) or upper.shape != (cells,):
            raise ValueError("the sums of vectors are as many as their dimensions say")
        if len(counts) != len(STATES) or min(counts) < 0:
            raise ValueError("vectors are counted by their state")
        products = upper
        if size <= WIDEST:
            products = np.zeros((size, size))
            products[np.triu_indices(size)] = upper
            products = products + np.triu(products, 1).T
        buckets = np.asarray(state["buckets"], np.int64)
        if buckets.shape != (BUCKETS,) or int(buckets.sum()) != counts[0]:
            raise ValueError("the buckets of vectors hold every fine row once")
        low, high = float(state["low"]), float(state["high"])
        return cls(size, counts, int(state["unit"]), low, high, total, products, buckets)


def _tallied(found: Vectors) -> Counts:
    """Return the fine rows by a hash of their product with one fixed direction.

    Equal vectors have equal products, and unequal ones hardly ever.
    """
    if not found.dimensions:
        return np.zeros(BUCKETS, np.int64)
    places = mix(np.arange(1, found.dimensions + 1, dtype=np.uint64))
    weights = ((places >> np.uint64(40)).astype(np.float32) + 1) / np.float32(2**24)
    with np.errstate(over="ignore", invalid="ignore"):
        keys = hash_floats(np.einsum("ij,j->i", found.rows, weights).astype(np.float64))
    spots = (keys[found.fine] % np.uint64(BUCKETS)).astype(np.intp)
    return np.bincount(spots, minlength=BUCKETS).astype(np.int64)


def _added(one: tuple[int, ...], other: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    return tuple(a + int(b) for a, b in zip(one, other, strict=True))

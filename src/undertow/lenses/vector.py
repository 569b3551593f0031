"""Vector -> how long it is, which cluster it falls into, and how near it is to what is known.

Cosines are taken between unit vectors rounded to a grid of 2^-12. A product of two of them sums
multiples of 2^-24 that never add up to more than 1, which float32 holds exactly in any order: so a
row has the same cosines to the last bit in whatever batch it comes, on any processor, at the price
of an error of about 1e-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.hashing import Hashes, hash_rows
from undertow.core.schema import Column, Kind, Role
from undertow.core.summary import State, Survey
from undertow.core.values import Values
from undertow.core.vectors import Matrix, Vectors, row_squares
from undertow.lenses.spherical import GRID, cluster, direction, on_grid

NORM, MEAN, VARIANCE = "norm", "mean", "variance"
ANCHOR, PAIR, KNOWN, CLUSTER, CENTRE = "anchor", "pair", "known", "cluster", "centre"
NUMBERS = (NORM, MEAN, VARIANCE, ANCHOR, PAIR, KNOWN, CENTRE)
"""The numbers made of a vector; CLUSTER is a category beside them."""

FITTED_ON = 2048
"""Rows of the reference the lens is fitted on at most: half of what is sampled, or fewer."""
_KNOWN_ROWS = 512
_PAIRS = 31
_CLUSTERS = 32
_ROWS_A_CLUSTER = 64
_LEAST = 16
_KEYS = 16
_BLOCK = 2**21

_STEPS = ("anchor", "centres", "known", "homes")

Floats = NDArray[np.float64]
Steps = NDArray[np.int16]
"""Unit vectors in steps of the grid."""


@dataclass(frozen=True, eq=False)
class Vector:
    """Eight plain columns of a vector column, each a pure function of the row.

    `norm`, and `mean` and `variance` of the components. `anchor`: cosine to the mean direction of the
    reference. `pair`: cosine to one of 31 fixed rows of the reference, chosen by a hash of the row
    itself, so that its distribution is that of random pairs. `cluster`: the nearest of at most 32
    centres (spherical k-means), "1" being the largest in the reference; `centre`: cosine to it.
    `known`: the largest cosine to the (at most 512) known rows of that cluster. A row that is no
    fine vector has none of them.

    The lens is fitted on at most half of the reference's sampled rows. Those are nearer to what was
    fitted on them than any later row can be, so they have no `anchor`, `pair`, `cluster`, `centre`
    and `known` (unless the same vector occurs more than once: then it is traffic like any other).

    >>> rows = np.random.default_rng(0).normal(size=(400, 3)).tolist()
    >>> column = Column("v", Kind.VECTOR)
    >>> lens = Vector.fit(Survey(400, pa.table({"v": rows}), np.ones(400, np.int64)), column)
    >>> made = lens(Values(column, pa.array([[0.0, 3.0, 4.0], None])))
    >>> made["v:norm"].to_pylist(), made["v:cluster"].null_count
    ([5.0, None], 1)
    """

    tag: ClassVar[str] = "vector"
    kind: ClassVar[Kind] = Kind.VECTOR
    roles: ClassVar[frozenset[Role]] = frozenset({*Role} - {Role.SCORE, Role.PREDICTION})

    dimensions: int = 0
    anchor: Steps | None = None
    """The mean direction; shape (1, d)."""
    centres: Steps | None = None
    """Shape (clusters, d), the largest cluster of the reference first."""
    known: Steps | None = None
    """Rows of the reference; shape (m, d), those of the first cluster first."""
    homes: NDArray[np.int16] | None = None
    """The cluster of each known row, ascending; shape (m,)."""
    shaped: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    """The hashes of the rows it was fitted on, ascending."""

    @classmethod
    def fit(cls, survey: Survey, column: Column) -> Self:
        """Return the lens for vectors as long as most of the reference's."""
        found = Values(column, survey.sample.column(column.name)).vectors
        if not found.dimensions or not found.fine.any():
            return cls()
        rows = on_grid(found.good, found.norms[found.fine])
        some = rows[::2][:FITTED_ON]
        bare = cls(found.dimensions)
        if len(some) < _LEAST:
            return bare
        anchor = direction(some.sum(axis=0, dtype=np.float64)[None, :])
        most = int(np.clip(len(some) // _ROWS_A_CLUSTER, 2, _CLUSTERS))
        centres, homes = cluster(some, most)
        kept = _spread(homes, _KNOWN_ROWS)
        lens = replace(
            bare,
            anchor=_steps(anchor),
            centres=_steps(centres),
            known=_steps(direction(some[kept])),
            homes=homes[kept].astype(np.int16),
        )
        weights = survey.weights[found.fine]
        keys = lens._keys(rows @ lens._directions.T)  # noqa: SLF001 - its own
        seen, places = np.unique(keys, return_inverse=True)
        once = seen[np.bincount(places, weights=weights) < 2]
        return replace(lens, shaped=np.intersect1d(keys[::2][: len(some)], once))

    @property
    def names(self) -> tuple[str, ...]:
        """What it derives: the shape of a vector alone where the reference was too small."""
        if not self.dimensions:
            return ()
        return (*NUMBERS, CLUSTER) if self.centres is not None else (NORM, MEAN, VARIANCE)

    def columns(self, column: Column) -> tuple[Column, ...]:
        """Return its columns; they are remembered, and read by the checks of vectors alone."""
        return tuple(
            Column(
                f"{column.name}:{what}",
                Kind.CATEGORY if what == CLUSTER else Kind.NUMBER,
                Role.IGNORE,
                "derived from the vector",
                "string" if what == CLUSTER else "double",
                column.name,
            )
            for what in self.names
        )

    def __call__(self, values: Values) -> Mapping[str, pa.Array]:
        """Return the columns of one batch."""
        if not self.dimensions:
            return {}
        found = values.vectors_of(self.dimensions)
        made = {what: np.full(len(found), np.nan) for what in self.names if what != CLUSTER}
        homes = np.full(len(found), -1, np.int32)
        step = max(1, _BLOCK // self.dimensions)
        for start in range(0, len(found), step // 8 + 1):
            self._shape(found, slice(start, start + step // 8 + 1), made)
        for start in range(0, len(found) if self.centres is not None else 0, step):
            self._place(found, slice(start, start + step), made, homes)
        out = {what: pa.array(number, from_pandas=True) for what, number in made.items()}
        if self.centres is not None:
            words = pa.array([str(place + 1) for place in range(len(self.centres))])
            codes = pa.array(homes, mask=homes < 0)
            out[CLUSTER] = pa.DictionaryArray.from_arrays(codes, words)
        return {f"{values.column.name}:{what}": out[what] for what in self.names}

    def _shape(self, found: Vectors, here: slice, made: Mapping[str, Floats]) -> None:
        """Fill in the norm, mean and variance of a block of rows."""
        fine, rows = found.fine[here], found.rows[here]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.einsum("ij->i", rows) / np.float32(self.dimensions)
            spread = row_squares(rows - mean[:, None]).astype(np.float64) / self.dimensions
        for what, number in ((NORM, found.norms[here]), (MEAN, mean), (VARIANCE, spread)):
            made[what][here] = np.where(fine & np.isfinite(number), number, np.nan)

    def _place(
        self, found: Vectors, here: slice, made: Mapping[str, Floats], homes: NDArray[np.int32]
    ) -> None:
        """Fill in the cluster and the cosines of a block of rows."""
        rows = on_grid(found.rows[here], found.norms[here])
        near = rows @ self._directions.T
        keys = self._keys(near)
        use = found.fine[here] & ~_among(keys, self.shaped)
        near *= self._stretch
        cosines = near[:, self._pairs + 1 :]
        home = cosines.argmax(axis=1)
        every = np.arange(len(rows))
        known = np.full(len(rows), np.nan)
        for place, some in enumerate(self._known_of):
            members = np.flatnonzero(use & (home == place))
            if len(members):
                known[members] = (rows[members] @ some.directions.T * some.stretch).max(axis=1)
        partner = 1 + (keys % np.uint64(self._pairs)).astype(np.intp)
        homes[here] = np.where(use, home, -1)
        for what, number in (
            (ANCHOR, near[:, 0]),
            (PAIR, near[every, partner]),
            (KNOWN, known),
            (CENTRE, cosines[every, home]),
        ):
            made[what][here] = np.where(use, np.clip(number, -1.0, 1.0), np.nan)

    def _keys(self, near: Matrix) -> Hashes:
        """Return a hash of each row by its exact products with the first directions."""
        return hash_rows(near[:, :_KEYS])

    @cached_property
    def _pairs(self) -> int:
        assert self.known is not None
        return min(_PAIRS, len(self.known))

    @cached_property
    def _all(self) -> _Known:
        """The anchor, the rows that others are paired with, and the centres."""
        assert self.known is not None
        partners = self.known[np.linspace(0, len(self.known) - 1, self._pairs).astype(int)]
        steps = [each for each in (self.anchor, partners, self.centres) if each is not None]
        return _Known.of(np.vstack(steps))

    @property
    def _directions(self) -> Matrix:
        return self._all.directions

    @property
    def _stretch(self) -> NDArray[np.float32]:
        return self._all.stretch

    @cached_property
    def _known_of(self) -> list[_Known]:
        """The known rows of each cluster."""
        assert self.known is not None
        assert self.centres is not None
        return [_Known.of(self.known[self.homes == place]) for place in range(len(self.centres))]

    def state(self) -> State:
        """Return the dimensions and the arrays that are there."""
        if self.centres is None:
            return {"dimensions": self.dimensions}
        steps = {name: getattr(self, name).astype(np.int32) for name in _STEPS}
        return {"dimensions": self.dimensions, **steps, "shaped": self.shaped}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the lens of a state; raise ValueError where its arrays do not fit each other."""
        dimensions = int(state["dimensions"])
        if "centres" not in state:
            return cls(dimensions)
        anchor, centres, known = (
            np.asarray(state[name]).astype(np.int16).reshape(-1, dimensions)
            for name in ("anchor", "centres", "known")
        )
        homes = np.asarray(state["homes"]).astype(np.int16)
        shaped = np.asarray(state["shaped"], np.uint64)
        whole = np.array_equal(np.unique(homes), np.arange(len(centres)))
        if len(anchor) != 1 or len(homes) != len(known) or not whole:
            raise ValueError("a vector lens needs one anchor, and known rows of every cluster")
        return cls(dimensions, anchor, centres, known, homes, shaped)


@dataclass(frozen=True, eq=False)
class _Known:
    """Directions to take products with, and what makes cosines of the products."""

    directions: Matrix
    """Shape (n, d)."""
    stretch: NDArray[np.float32]
    """Shape (n,)."""

    @classmethod
    def of(cls, steps: Steps) -> _Known:
        unit = steps.astype(np.float64) / GRID
        norms = np.sqrt((unit * unit).sum(axis=1))
        stretch = 1.0 / np.where(norms > 0, norms, 1.0)
        # Divided once more by the grid, in which the rows come: a power of two, so still exact.
        return cls((unit / GRID).astype(np.float32), stretch.astype(np.float32))


def _among(keys: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Tell which keys are among the known ones, which ascend."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    spots = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.asarray(known[spots] == keys)


def _steps(rows: Matrix) -> Steps:
    return np.asarray(np.rint(rows * GRID).astype(np.int16))


def _spread(homes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return which rows to keep: of every cluster its share of `most`, at least one, in its order."""
    order = np.argsort(homes, kind="stable")
    sizes = np.bincount(homes)
    rank = np.arange(len(homes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    quota = np.maximum(1, sizes * most // max(len(homes), most))
    return order[rank < np.repeat(quota, sizes)]

"""How far predicted numbers lie from the true ones: exact sums, and a table of errors by label."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.schema import Column, Kind, Role
from undertow.core.summary import State, Survey, equal_states
from undertow.core.values import Values
from undertow.summaries.histogram import quantiles
from undertow.summaries.moments import Moments

ERRORS, LABELS = 48, 32
"""Cells of equal share that the size of an error and the label are counted in."""
_GROWTH, _REACH = 1.15, 1e4
"""Beyond the reference's largest error the cells widen by this factor, up to so many times it."""
_READS = 0.9

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Errors:
    """Sums over the rows that have both numbers, and counts by (bin of label, bin of error).

    An error is prediction minus label. `rows` counts every row. Without edges the two columns do
    not read as numbers that can be compared, and nothing is counted but rows.

    >>> said = Values(Column("p", Kind.NUMBER, Role.PREDICTION), pa.array([1.0, 2.0, 5.0]))
    >>> true = Values(Column("y", Kind.NUMBER, Role.LABEL), pa.array([1.0, 4.0, None]))
    >>> made = Errors(error_edges=(-1.0, 1.0), label_edges=(2.0,)).observe(said, true)
    >>> made.rows, made.judged, made.error.mean, made.absolute.mean
    (3, 2, -1.0, 1.0)
    """

    tag: ClassVar[str] = "errors"
    fitted: ClassVar[bool] = True

    error_edges: tuple[float, ...] = ()
    label_edges: tuple[float, ...] = ()
    rows: int = 0
    unlabelled: int = 0
    unpredicted: int = 0
    error: Moments = field(default_factory=Moments)
    absolute: Moments = field(default_factory=Moments)
    label: Moments = field(default_factory=Moments)
    counts: Counts | None = None

    def __post_init__(self) -> None:
        if self.counts is None:
            object.__setattr__(self, "counts", np.zeros(self.shape, np.int64))

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:
        """Return the empty table whose grid and cells suit the errors of the reference."""
        said, true = _roles(columns)
        have = survey.sample.column_names
        if said.name not in have or true.name not in have:
            return cls()
        said_numbers = Values(said, survey.sample.column(said.name)).floats
        numbers = Values(true, survey.sample.column(true.name)).floats
        with np.errstate(over="ignore", invalid="ignore"):
            error = said_numbers - numbers
        both = np.isfinite(error)
        if not both.any() or not _numeric(survey, said) or not _numeric(survey, true):
            return cls()
        if _probability(said_numbers[both], numbers[both]):
            return cls()
        derived = {"error": pa.array(error), "absolute": pa.array(np.abs(error))}
        wide = replace(survey, sample=survey.sample.select([true.name])).along(derived)
        made = [Moments.fit(wide, Column(name, Kind.NUMBER)) for name in (*derived, true.name)]
        labels = np.sort(numbers[both])
        cuts = quantiles(labels, np.ones(len(labels), np.int64), LABELS)
        edges = _edges(np.abs(error[both]), labels)
        return cls(edges, tuple(cuts.tolist()), 0, 0, 0, made[0], made[1], made[2])

    @property
    def usable(self) -> bool:
        """Whether the two columns are numbers that can be compared."""
        return bool(self.error_edges)

    @property
    def shape(self) -> tuple[int, int]:
        """The bins of the label and those of the error."""
        return len(self.label_edges) + 1, len(self.error_edges) + 1

    @property
    def table(self) -> Counts:
        """Rows by (bin of the label, bin of the error)."""
        assert self.counts is not None
        return self.counts

    @property
    def labelled(self) -> int:
        """Rows that have a label."""
        return self.rows - self.unlabelled

    @property
    def judged(self) -> int:
        """Rows that have both numbers."""
        return self.error.rows

    @property
    def spread(self) -> float:
        """The sum of the squared distances of the labels from their mean, NaN without rows."""
        return self.label.std**2 * self.judged

    def observe(self, *columns: Values) -> Self:
        """Return the sums with one batch of rows added."""
        said, true = _roles([values.column for values in columns])
        found = {values.column: values.floats for values in columns}
        if not self.usable:
            return replace(self, rows=self.rows + len(columns[0]))
        labels = found[true]
        has = np.isfinite(labels)
        with np.errstate(over="ignore", invalid="ignore"):
            error = found[said] - labels
        both = np.isfinite(error)
        error, labels = error[both], labels[both]
        rows, columns_ = self.shape
        spots = np.searchsorted(self.label_edges, labels) * columns_
        spots += np.searchsorted(self.error_edges, error)
        added = np.bincount(spots, minlength=rows * columns_).reshape(rows, columns_)
        return replace(
            self,
            rows=self.rows + len(has),
            unlabelled=self.unlabelled + int((~has).sum()),
            unpredicted=self.unpredicted + int(has.sum() - both.sum()),
            error=self.error.observe(_numbers(error)),
            absolute=self.absolute.observe(_numbers(np.abs(error))),
            label=self.label.observe(_numbers(labels)),
            counts=self.table + added,
        )

    def __add__(self, other: Self) -> Self:
        """Return the sums of both."""
        return replace(
            self,
            rows=self.rows + other.rows,
            unlabelled=self.unlabelled + other.unlabelled,
            unpredicted=self.unpredicted + other.unpredicted,
            error=self.error + other.error,
            absolute=self.absolute + other.absolute,
            label=self.label + other.label,
            counts=self.table + other.table,
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether settings, sums and counts are the same."""
        return isinstance(other, Errors) and equal_states(self.state(), other.state())

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same grid and cells with no rows."""
        moments = (self.error.empty(), self.absolute.empty(), self.label.empty())
        return type(self)(self.error_edges, self.label_edges, 0, 0, 0, *moments)

    def state(self) -> State:
        """Return the cells, the counts, and the states of the three sums."""
        return {
            "error_edges": list(self.error_edges),
            "label_edges": list(self.label_edges),
            "rows": self.rows,
            "unlabelled": self.unlabelled,
            "unpredicted": self.unpredicted,
            "error": dict(self.error.state()),
            "absolute": dict(self.absolute.state()),
            "label": dict(self.label.state()),
            "counts": self.table.ravel(),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the sums of a state; raise ValueError where its parts disagree."""
        edges = [tuple(float(x) for x in state[n]) for n in ("error_edges", "label_edges")]
        if any((np.diff(each) <= 0).any() for each in edges):
            raise ValueError("the edges of errors ascend")
        numbers = [int(state[name]) for name in ("rows", "unlabelled", "unpredicted")]
        sums = [Moments.restore(state[name]) for name in ("error", "absolute", "label")]
        counts = np.asarray(state["counts"], np.int64)
        shape = len(edges[1]) + 1, len(edges[0]) + 1
        if counts.size != shape[0] * shape[1] or (counts < 0).any() or counts.sum() != sums[0].rows:
            raise ValueError("a table of errors counts every judged row once")
        rows, unlabelled, unpredicted = numbers
        error, absolute, label = sums
        table = counts.reshape(shape)
        return cls(edges[0], edges[1], rows, unlabelled, unpredicted, error, absolute, label, table)


def _roles(columns: tuple[Column, ...] | list[Column]) -> tuple[Column, Column]:
    true = next(each for each in columns if each.role is Role.LABEL)
    return next(each for each in columns if each is not true), true


def _numeric(survey: Survey, column: Column) -> bool:
    """Tell whether nearly every value of a column reads as a number."""
    values = Values(column, survey.sample.column(column.name))
    there = len(values) - values.nulls
    if column.kind is not Kind.NUMBER and not column.arrow.startswith(
        ("int", "uint", "float", "double")
    ):
        return False
    return there > 0 and len(values.finite) >= _READS * there


def _probability(said: Floats, labels: Floats) -> bool:
    """Tell whether the numbers said are probabilities of one of two classes."""
    return len(np.unique(labels)) <= 2 and bool(said.min() >= 0 and said.max() <= 1)


def _edges(sizes: Floats, labels: Floats) -> tuple[float, ...]:
    """Return edges on both sides of zero: equal shares of the sizes, then ever wider ones."""
    ordered = np.sort(sizes)
    top = float(ordered[-1]) or float(abs(labels[0])) or 1.0
    cuts = quantiles(ordered, np.ones(len(ordered), np.int64), ERRORS)
    with np.errstate(over="ignore"):
        beyond = top * _GROWTH ** np.arange(int(np.log(_REACH) / np.log(_GROWTH)) + 1)
    size = np.unique(np.concatenate([cuts[cuts > 0], beyond[np.isfinite(beyond)]]))
    return tuple(np.concatenate([-size[::-1], [0.0], size]).tolist())


def _numbers(array: Floats) -> Values:
    return Values(Column("", Kind.NUMBER), pa.array(array))

"""What rows say, by hash, and how often each was seen: enough to find the same rows elsewhere.

Identifiers, clocks, predictions and labels are no part of what a row says, so that the same input
is found again under another label. The label is kept beside it. Up to the cap every row is held and
the answer is exact; beyond it the contents of lowest hash are, the same ones in every set (a
coordinated bottom-k sample, Cohen & Kaplan 2007), and the answer is a share with an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.schema import Column, Role
from undertow.core.summary import State, Survey
from undertow.core.values import Values

CAP = 2**20
"""Distinct contents held: 24 bytes each, so 25 MB a set at most."""
SAID = frozenset({Role.FEATURE, Role.SEGMENT})
"""Roles of the columns that say what a row is."""
Z = 1.959963984540054

Run = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Contents:
    """The distinct contents of rows and their labels, ascending by hash, with the rows of each.

    `names` are the columns that make up the content, `labels` those kept beside it.

    >>> from undertow.core.schema import Kind
    >>> column = Column("x", Kind.NUMBER)
    >>> seen = Contents(("x",)).observe(Values(column, pa.array([1, 1, 2])))
    >>> later = Contents(("x",)).observe(Values(column, pa.array([2.0, 3.0])))
    >>> seen.shared(later).rows_now, seen.shared(later).share
    (1, 0.5)
    """

    tag: ClassVar[str] = "contents"
    fitted: ClassVar[bool] = True

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cap: int = CAP
    rows: int = 0
    runs: tuple[Run, ...] = ()

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:  # noqa: ARG003
        """Return the empty summary of one column, or of all columns that say what a row is."""
        said = tuple(c.name for c in columns if c.role in SAID or len(columns) == 1)
        return cls(
            said, tuple(c.name for c in columns if c.role is Role.LABEL and c.name not in said)
        )

    @cached_property
    def run(self) -> Run:
        """The contents, the labels and the rows of each pair, in order, no more than the cap."""
        return _joined(self.runs, self.cap)

    @property
    def exact(self) -> bool:
        """Whether every row is held."""
        return int(self.run[2].sum()) == self.rows

    def hash(self, columns: tuple[Values, ...], names: tuple[str, ...]) -> hashing.Hashes:
        """Return one hash a row, over the columns of these names, in whatever order they come."""
        total = np.zeros(len(columns[0]) if columns else 0, np.uint64)
        for values in columns:
            if values.column.name in names:
                total += self.cells(values) * np.uint64(hashing.hash_text(values.column.name) | 1)
        return hashing.mix(total)

    def cells(self, values: Values) -> hashing.Hashes:
        """Return one hash a cell; 1 and 1.0 are the same number."""
        kind = values.array.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return hashing.hash_floats(values.floats)
        return values.hashes

    def kept(self, columns: tuple[Values, ...]) -> NDArray[np.bool_]:
        """Return which rows say anything: a row of missing values is like no other row."""
        held = np.zeros(len(columns[0]) if columns else 0, np.bool_)
        for values in columns:
            if values.column.name in self.names:
                held |= np.asarray(values.array.is_valid())
        return held

    def observe(self, *columns: Values) -> Self:
        """Return the contents with the rows of a batch added."""
        held = self.kept(columns)
        if not held.any():
            return self
        labels = self.hash(columns, self.labels) if self.labels else np.zeros(len(held), np.uint64)
        run = _counted(self.hash(columns, self.names)[held], labels[held])
        return replace(self, rows=self.rows + int(held.sum()), runs=self._stacked((run,)))

    def _stacked(self, more: tuple[Run, ...]) -> tuple[Run, ...]:
        """Return the runs, joined so that each is longer than all after it together."""
        runs = sorted((*self.runs, *more), key=lambda run: -len(run[0]))
        while len(runs) > 1 and len(runs[-2][0]) < 2 * len(runs[-1][0]):
            last = runs.pop()
            runs[-1] = _joined((runs[-1], last), self.cap)
            runs.sort(key=lambda run: -len(run[0]))
        return tuple(runs)

    def __add__(self, other: Self) -> Self:
        """Return the contents of both sets of rows."""
        return replace(self, rows=self.rows + other.rows, runs=self._stacked(other.runs))

    def __eq__(self, other: object) -> bool:
        """Tell whether the same contents were held, as often."""
        return (
            isinstance(other, type(self))
            and (self.names, self.labels, self.cap) == (other.names, other.labels, other.cap)
            and self.rows == other.rows
            and all(np.array_equal(a, b) for a, b in zip(self.run, other.run, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same settings with no rows."""
        return type(self)(self.names, self.labels, self.cap)

    def state(self) -> State:
        """Return the settings, and the contents with their labels and rows."""
        contents, labels, counts = self.run
        return {
            "names": list(self.names),
            "labels": list(self.labels),
            "cap": self.cap,
            "rows": self.rows,
            "contents": contents,
            "label_hashes": labels,
            "counts": counts,
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the contents of a state; raise ValueError where its parts disagree."""
        run = (
            np.asarray(state["contents"], np.uint64),
            np.asarray(state["label_hashes"], np.uint64),
            np.asarray(state["counts"], np.int64),
        )
        if not len(run[0]) == len(run[1]) == len(run[2]) or (run[2] < 1).any():
            raise ValueError("contents need one label and one count of rows each")
        if (run[0][1:] < run[0][:-1]).any() or int(run[2].sum()) > int(state["rows"]):
            raise ValueError("contents ascend, and hold no more rows than were seen")
        names, labels = (tuple(str(n) for n in state[key]) for key in ("names", "labels"))
        runs = (run,) if len(run[0]) else ()
        return cls(names, labels, int(state["cap"]), int(state["rows"]), runs)

    def shared(self, now: Self) -> Shared:
        """Return what this set and another one have in common, of the contents that both hold."""
        tops = [s.run[0][-1] for s in (self, now) if not s.exact and len(s.run[0])]
        ours, theirs = (_below(s.run, min(tops)) if tops else s.run for s in (self, now))
        keys, counts = _totals(ours)
        other_keys, other_counts = _totals(theirs)
        both = np.intersect1d(keys, other_keys, assume_unique=True)
        here, there = np.isin(keys, both), np.isin(other_keys, both)
        known = ours[0] ^ hashing.mix(ours[1])
        told = theirs[0] ^ hashing.mix(theirs[1])
        other_label = np.isin(theirs[0], both) & ~np.isin(told, known)
        repeated = counts[counts > 1]
        return Shared(
            keys=both,
            exact=not tops,
            rows_reference=int(counts[here].sum()),
            rows_now=int(other_counts[there].sum()),
            held_reference=int(counts.sum()),
            held_now=int(other_counts.sum()),
            relabelled=int(theirs[2][other_label].sum()) if self.labels else 0,
            repeats=int(repeated.sum()),
            clump=float((repeated.astype(np.float64) ** 2).sum() / max(int(repeated.sum()), 1)),
            spread=float((np.where(there, 1.0, 0.0) * other_counts.astype(np.float64) ** 2).sum()),
        )


class Texts(Contents):
    """The distinct texts of one column: case, white space and Unicode's ways of writing are one.

    >>> from undertow.core.schema import Kind
    >>> column = Column("t", Kind.TEXT)
    >>> one, two = (Texts(("t",)).observe(Values(column, pa.array([t]))) for t in ("A  b", "a b "))
    >>> one == two
    True
    """

    tag: ClassVar[str] = "texts"

    def cells(self, values: Values) -> hashing.Hashes:
        """Return one hash a text, the same for texts that differ in nothing a reader sees."""
        return hashing.hash_strings(normal(values.strings))

    def kept(self, columns: tuple[Values, ...]) -> NDArray[np.bool_]:
        """Return which rows hold more than white space."""
        (values,) = columns
        lengths = pc.utf8_length(pc.utf8_trim_whitespace(values.strings)).fill_null(0)
        return np.asarray(lengths) > 0


@dataclass(frozen=True)
class Shared:
    """What two sets have in common: rows whose content the other set holds too.

    `held_*` are the rows looked at: all of them where `exact`. `repeats` are rows of the reference
    whose content it holds twice or more, in clumps of `clump` rows on average.
    """

    keys: NDArray[np.uint64]
    exact: bool
    rows_reference: int
    rows_now: int
    held_reference: int
    held_now: int
    relabelled: int
    repeats: int
    clump: float
    spread: float

    @property
    def share(self) -> float:
        """The share of the current rows whose content the reference holds."""
        return self.rows_now / self.held_now if self.held_now else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95% interval: the share itself where every row was looked at."""
        if self.exact or not self.held_now:
            return self.share, self.share
        error = Z * math.sqrt(max(self.spread, Z * Z) * max(1 - self.share, 0.0)) / self.held_now
        return max(self.share - error, 0.0), min(self.share + error, 1.0)

    @property
    def usual(self) -> float:
        """The most current rows that would be shared if both sets were drawn from one population.

        A current row meets its like in the reference as often as a reference row does; three
        standard errors of both counts are added. 0 where the reference repeats nothing.
        """
        if not self.held_reference:
            return 0.0
        scale = self.held_now / self.held_reference
        expected = self.repeats * scale
        return expected + 3 * math.sqrt(self.clump * expected * (1 + scale))


def normal(texts: pa.Array) -> pa.Array:
    """Return texts in one way of writing: compatible characters, lower case, single spaces.

    >>> normal(pa.array(["  Hi  THERE "])).to_pylist()
    ['hi there']
    """
    lower = pc.utf8_lower(pc.utf8_normalize(texts, "NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(lower, r"\s+", " "))


def _counted(contents: NDArray[np.uint64], labels: NDArray[np.uint64]) -> Run:
    """Return the distinct pairs of a batch, in order, with the rows of each."""
    return _grouped(contents, labels, np.ones(len(contents), np.int64))


def _grouped(
    contents: NDArray[np.uint64], labels: NDArray[np.uint64], counts: NDArray[np.int64]
) -> Run:
    order = np.lexsort((labels, contents)) if labels.any() else np.argsort(contents, kind="stable")
    contents, labels, counts = contents[order], labels[order], counts[order]
    new = np.append(True, (contents[1:] != contents[:-1]) | (labels[1:] != labels[:-1]))
    first = np.flatnonzero(new[: len(contents)])
    sums = np.add.reduceat(counts, first) if len(first) else counts
    return contents[first], labels[first], sums


def _joined(runs: tuple[Run, ...], cap: int) -> Run:
    """Return runs as one, without the contents beyond the cap."""
    if not runs:
        return np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int64)
    run = runs[0]
    if len(runs) > 1:
        contents, labels, counts = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        run = _grouped(contents, labels, counts)
    new = np.append(True, run[0][1:] != run[0][:-1])[: len(run[0])]
    if int(new.sum()) <= cap:
        return run
    return _below(run, run[0][np.flatnonzero(new)[cap - 1]])


def _below(run: Run, top: np.uint64) -> Run:
    """Return the contents up to a hash."""
    end = int(np.searchsorted(run[0], top, side="right"))
    return run[0][:end], run[1][:end], run[2][:end]


def _totals(run: Run) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the distinct contents, whatever their label, and the rows of each."""
    first = np.flatnonzero(np.append(True, run[0][1:] != run[0][:-1])[: len(run[0])])
    return run[0][first], np.add.reduceat(run[2], first) if len(first) else run[2]

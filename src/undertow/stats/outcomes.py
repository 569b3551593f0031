"""Both sides' outcomes as arrays of the same classes, and samples of them drawn again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.stats.counts import Floats, stream
from undertow.summaries.cells import SCORE_STEPS
from undertow.summaries.errors import Errors
from undertow.summaries.outcomes import NONE, OTHER, SAME, Outcomes
from undertow.summaries.scores import CONFIDENCE, POSITIVE, canonical

DRAWS = 400
"""Samples drawn again: their spread is a standard error that is itself known to 3.5%."""
_WIDEST = 4_000_000
_PSEUDO = 2.0

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """One entry a cell (prediction, label, bin of the score) that either side has rows in.

    `rows` holds the rows of each cell on the last axis; samples drawn again stand on the first.
    Codes point into `classes`; the last code stands for classes beyond the cap, -1 for none. `mean`
    and `square` are of the scores in a cell, NaN where there are none. `tenth` is the tenth of
    [0, 1] that a score lies in.
    """

    rows: Floats
    prediction: Codes
    label: Codes
    right: NDArray[np.bool_]
    bins: Codes
    mean: Floats
    square: Floats
    tenth: Codes
    classes: tuple[str, ...]
    positive: int = -1
    meaning: str = "none"

    @property
    def size(self) -> int:
        """How many codes there are: one a class, and one for the rest."""
        return len(self.classes) + 1

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which cells hold a prediction."""
        return self.prediction >= 0

    @property
    def happened(self) -> NDArray[np.bool_]:
        """Whether what the score is a probability of came true, a cell."""
        return self.label == self.positive if self.meaning == POSITIVE else self.right

    def by(self, codes: Codes, size: int, weights: Floats | None = None) -> Floats:
        """Return the rows (or weights) of each code; codes below 0 are left out."""
        weights = self.rows if weights is None else weights
        out = np.zeros((*weights.shape[:-1], size))
        held = np.flatnonzero(codes >= 0)
        if not len(held):
            return out
        order = held[np.argsort(codes[held], kind="stable")]
        listed = codes[order]
        start = np.flatnonzero(np.append(True, listed[1:] != listed[:-1]))
        out[..., listed[start]] = np.add.reduceat(weights[..., order], start, axis=-1)
        return out

    def collapsed(self) -> Table:
        """Return the table without the scores: one entry a pair of classes."""
        keys = (self.prediction + 1) * (self.size + 1) + self.label
        _, first, where = np.unique(keys * 2 + self.right, return_index=True, return_inverse=True)
        plain = np.full(len(first), np.nan)
        return replace(
            self,
            rows=self.by(where.astype(np.int64), len(first)),
            prediction=self.prediction[first],
            label=self.label[first],
            right=self.right[first],
            bins=np.full(len(first), -1),
            mean=plain,
            square=plain,
            tenth=np.full(len(first), -1),
        )

    def smoothed(self) -> Table:
        """Return the table with each label's rows drawn a little towards the overall accuracy.

        Two rows that were both right do not prove that the third will be: samples drawn again from
        the bare counts of rare classes would vary too little. Each label weighs what it weighed.
        """
        wrong = self.by(np.where(self.right, -1, self.prediction), self.size)
        labelled = self.by(self.label, self.size)
        total = float(labelled.sum())
        if not total or not len(self.classes):
            return self
        rate = (float(self.rows[self.right].sum()) + 1) / (total + 2)
        seen = np.flatnonzero(labelled > 0)
        usual = np.argsort(-wrong, kind="stable")
        other = np.where(seen == usual[0], usual[1], usual[0])
        shrunk = self.rows * (labelled / (labelled + _PSEUDO))[self.label]
        added = _PSEUDO * labelled[seen] / (labelled[seen] + _PSEUDO)
        blank = np.full(2 * len(seen), np.nan)
        return replace(
            self,
            rows=np.concatenate([shrunk, added * rate, added * (1 - rate)]),
            prediction=np.concatenate([self.prediction, seen, other]),
            label=np.concatenate([self.label, seen, seen]),
            right=np.concatenate([self.right, seen >= 0, seen < 0]),
            bins=np.concatenate([self.bins, np.full(2 * len(seen), -1)]),
            mean=np.concatenate([self.mean, blank]),
            square=np.concatenate([self.square, blank]),
            tenth=np.concatenate([self.tenth, np.full(2 * len(seen), -1)]),
        )

    def drawn(self) -> Table:
        """Return samples of as many rows, drawn again from the same shares (a Poisson bootstrap).

        Efron & Tibshirani (1993), An Introduction to the Bootstrap; the seed is fixed.
        """
        times = max(100, min(DRAWS, _WIDEST // max(len(self.rows), 1)))
        return replace(
            self, rows=stream().poisson(self.rows, (times, len(self.rows))).astype(float)
        )


@dataclass(frozen=True)
class Sums:
    """Sums over the rows that have a true and a predicted number; samples on the first axis.

    >>> Sums.of(Errors()).rows
    array(0.)
    """

    rows: Floats
    error: Floats
    absolute: Floats
    squared: Floats
    label: Floats
    label_squared: Floats

    @classmethod
    def of(cls, errors: Errors) -> Self:
        """Return the exact sums, labels counted from the centre of their grid."""
        n, label, error = errors.judged, errors.label, errors.error
        if not n:
            return cls(*(np.zeros(()) for _ in range(6)))
        middle = label.mean - label.center
        return cls(
            np.asarray(float(n)),
            np.asarray(n * error.mean),
            np.asarray(n * errors.absolute.mean),
            np.asarray(n * (error.std**2 + error.mean**2)),
            np.asarray(n * middle),
            np.asarray(n * (label.std**2 + middle**2)),
        )

    @classmethod
    def drawn(cls, errors: Errors) -> Self:
        """Return the sums of samples drawn again from the counts, each cell at its middle."""
        counts = errors.table
        label = _middles(errors.label_edges, errors.label.low, errors.label.high)
        error = _middles(errors.error_edges, errors.error.low, errors.error.high)
        where, what = np.nonzero(counts)
        held = counts[where, what]
        drawn = stream().poisson(held, (DRAWS, len(held))).astype(float)
        at, off = label[where] - errors.label.center, error[what]
        parts = [np.ones(len(held)), off, np.abs(off), off**2, at, at**2]
        return cls(*(drawn @ part for part in parts))


def tables(before: Outcomes, now: Outcomes) -> tuple[Table, Table]:
    """Return both sides over the same cells and classes.

    Where one side had more classes than are counted one by one, the rest are one on both sides.
    """
    highest = min(
        (each.keys[-1] for each in (before, now) if each.capped and len(each.keys)),
        default=np.uint64(2**64 - 1),
    )
    sides = [each.within(highest) for each in (before, now)]
    keys = np.union1d(sides[0].keys, sides[1].keys)
    names = {k: n for s in sides[::-1] for k, n in zip(s.keys.tolist(), s.classes, strict=True)}
    both = sides[0].cells + sides[1].cells
    scores = before.scores
    lower = np.append(-np.inf, np.asarray(scores.edges))[np.maximum(both.bins, 0)]
    tenth = np.searchsorted(np.arange(1, 10) / 10, lower, side="right")
    classes = tuple(names[key] for key in keys.tolist())
    same = both.prediction == SAME
    right = same | ((both.prediction == both.label) & (both.label != OTHER))
    plain = replace(
        _EMPTY,
        prediction=_codes(np.where(same, OTHER, both.prediction), keys),
        label=_codes(both.label, keys),
        right=right,
        bins=both.bins,
        tenth=np.where(both.bins >= 0, tenth, -1),
        classes=classes,
        positive=_spot(classes, scores.positive, before.fold),
        meaning=scores.meaning,
    )
    return _filled(plain, sides[0], both.parts), _filled(plain, sides[1], both.parts)


def confidence(table: Table) -> Floats:
    """Return how sure the model was in each cell: the probability of what it predicted."""
    if table.meaning == CONFIDENCE:
        return table.mean
    return np.maximum(table.mean, 1 - table.mean)


def _filled(table: Table, side: Outcomes, parts: tuple[NDArray[np.generic], ...]) -> Table:
    """Return the table with one side's rows and scores."""
    cells = side.cells
    mine = dict(
        zip(
            zip(cells.prediction.tolist(), cells.label.tolist(), cells.bins.tolist(), strict=True),
            range(len(cells.rows)),
            strict=True,
        )
    )
    wanted = zip(*(part.tolist() for part in parts[:3]), strict=True)
    spots = np.array([mine.get(key, -1) for key in wanted], np.int64)
    rows = np.where(spots >= 0, np.append(cells.rows, 0)[spots], 0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.append(cells.total, 0)[spots] / SCORE_STEPS / rows
        square = np.append(cells.squares, 0)[spots] / SCORE_STEPS / rows
    lacks = (table.bins < 0) | (rows == 0) | (not side.scores.probability)
    mean[lacks] = square[lacks] = np.nan
    return replace(table, rows=rows, mean=mean, square=square)


def _codes(hashes: NDArray[np.uint64], keys: NDArray[np.uint64]) -> Codes:
    found = np.searchsorted(keys, hashes).astype(np.int64)
    found[hashes == OTHER] = len(keys)
    found[hashes == NONE] = -1
    return found


def _spot(classes: tuple[str, ...], positive: str, fold: bool) -> int:
    plain = canonical(pa.array(list(classes), pa.string()), fold).to_pylist()
    return plain.index(positive) if positive and positive in plain else -1


def _middles(edges: tuple[float, ...], low: float, high: float) -> Floats:
    """Return the middle of each cell, the outer ones bounded by the lowest and highest value."""
    inner = np.asarray(edges)
    ends = np.concatenate([[min(low, *edges)], inner, [max(high, *edges)]])
    return np.asarray((ends[1:] + ends[:-1]) / 2)


_NOTHING = np.empty(0)
_NO_CODES = np.empty(0, np.int64)
_EMPTY = Table(
    _NOTHING,
    _NO_CODES,
    _NO_CODES,
    _NO_CODES.astype(bool),
    _NO_CODES,
    _NOTHING,
    _NOTHING,
    _NO_CODES,
    (),
)

"""What the model said against what was true: rows counted by prediction, label and score.

Everything that judges a classifier (accuracy, recall, AUC, calibration) is a function of this
table, so it can be computed later, without the rows. Both names are compared as text, so that a
prediction 1 and a label "1" are the same class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.schema import Column
from undertow.core.summary import State, Survey, equal_states
from undertow.core.values import Values
from undertow.summaries.cells import SCORE_STEPS, Cells, Hashes
from undertow.summaries.scores import NOTHING, Floats, Scores, canonical, foldable, parts_of

CAP = 256
"""Classes counted one by one; beyond it, those of lowest hash stay and the rest are one class."""
SHOWN = 200
"""Characters of a class that are kept for people to read."""
OTHER, SAME, NONE = (np.uint64(2**64 - n) for n in (1, 2, 3))
"""Stand for a class beyond the cap, for that class again as the prediction, for no prediction."""
_DENSE = 65_536
UNSCORED = -1
"""The bin of a row whose score is missing."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Rows by (prediction, label, bin of the score); only rows that have both names are in a cell.

    `fold` says that letters of either case are the same. `rows` counts every row, `unlabelled`
    those whose label is missing, `unpredicted` those with a label and no prediction, `outside`
    scores beyond 0 and 1 that were read as the nearer end.

    >>> from undertow.core.schema import Kind, Role
    >>> said = Values(Column("p", Kind.CATEGORY, Role.PREDICTION), pa.array(["1", "0", "1", "1"]))
    >>> true = Values(Column("y", Kind.NUMBER, Role.LABEL), pa.array([1, 0, 0, None]))
    >>> made = Outcomes().observe(said, true)
    >>> made.rows, made.labelled, made.right, sorted(made.classes)
    (4, 3, 2, ['0', '1'])
    """

    tag: ClassVar[str] = "outcomes"
    fitted: ClassVar[bool] = True

    scores: Scores = field(default_factory=Scores)
    cap: int = CAP
    fold: bool = True
    rows: int = 0
    unlabelled: int = 0
    unpredicted: int = 0
    outside: int = 0
    cells: Cells = field(default_factory=Cells)
    hashes: NDArray[np.uint64] | None = None
    names: pa.Array | None = None

    def __post_init__(self) -> None:
        if self.hashes is None:
            object.__setattr__(self, "hashes", np.empty(0, np.uint64))
            object.__setattr__(self, "names", pa.array([], pa.string()))

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:
        """Return the empty table: what the score means and where its bins lie."""
        said, true, sure = parts_of(columns)
        names = [_sampled(survey, column) for column in (said, true)]
        words = [None if each is None else each.strings for each in names]
        fold = foldable(*words)
        first, second = (None if each is None else canonical(each, fold) for each in words)
        score = _sampled(survey, sure)
        numbers = None if score is None else score.floats
        return cls(Scores.fit(first, second, numbers, predicted=said is not None), fold=fold)

    @property
    def keys(self) -> Hashes:
        """The hashes of the classes kept, ascending."""
        assert self.hashes is not None
        return self.hashes

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes kept, in the order of their hashes."""
        assert self.names is not None
        return tuple(str(name) for name in self.names.to_pylist())

    @property
    def labelled(self) -> int:
        """Rows that have a label."""
        return self.rows - self.unlabelled

    @property
    def judged(self) -> int:
        """Rows that have both a label and a prediction (or a score that stands for one)."""
        return int(self.cells.rows.sum())

    @property
    def right(self) -> int:
        """Rows whose prediction is their label."""
        cells = self.cells
        hit = (cells.prediction == cells.label) & (cells.label != OTHER)
        return int(cells.rows[hit | (cells.prediction == SAME)].sum())

    @property
    def capped(self) -> bool:
        """Whether there were more classes than are counted one by one."""
        return bool((self.cells.label == OTHER).any() or (self.cells.prediction == OTHER).any())

    def observe(self, *columns: Values) -> Self:
        """Return the table with one batch of rows added."""
        said, true, sure = parts_of([values.column for values in columns])
        found = {values.column: values for values in columns}
        assert true is not None
        rows = len(columns[0])
        label, names = _classes(found[true], self.fold)
        numbers = np.full(rows, np.nan) if sure is None else found[sure].floats
        if said is not None:
            prediction, more = _classes(found[said], self.fold)
        else:
            prediction, more = self._decided(numbers)
        names = _joined(names, more)
        has = label.known
        both = has & prediction.known
        outside = 0
        if self.scores.probability:
            with np.errstate(invalid="ignore"):
                beyond = (numbers < 0) | (numbers > 1)
            outside = int(beyond[both].sum())
            numbers = np.clip(numbers, 0.0, 1.0) if outside else numbers
        batch = replace(
            self.empty(),
            rows=rows,
            unlabelled=int(rows - has.sum()),
            unpredicted=int(has.sum() - both.sum()),
            outside=outside,
            cells=self._counted(prediction.where(both), label.where(both), numbers[both]),
            **_named(names),
        )
        return self + batch

    def _decided(self, numbers: Floats) -> tuple[_Coded, dict[int, str]]:
        """Return the prediction that a score stands for, where no column holds predictions."""
        scores = self.scores
        pair = hashing.hash_strings(pa.array([scores.negative, scores.positive]))
        table = np.append(pair, [NONE, hashing.NULL])
        codes = np.full(len(numbers), 2)
        names: dict[int, str] = {}
        if scores.threshold is not None:
            codes = (numbers >= scores.threshold).astype(np.int64)
            named = zip(pair.tolist(), (scores.negative, scores.positive), strict=True)
            names = {key: name for key, name in named if name}
        nothing = scores.meaning == NOTHING
        return _Coded(table, np.where(np.isfinite(numbers) & (not nothing), codes, 3)), names

    def _counted(self, prediction: _Coded, label: _Coded, numbers: Floats) -> Cells:
        if self.scores.meaning == NOTHING:
            bins = np.full(len(numbers), UNSCORED)
        else:
            bins = self.scores.bins(numbers)
        second, wide = len(label.table), len(self.scores.edges) + 2
        keys = (prediction.codes * second + label.codes) * wide + bins + 1
        size = len(prediction.table) * second * wide
        if size <= _DENSE:
            where, spots = keys, np.arange(size)
        else:
            spots, where = np.unique(keys, return_inverse=True)
        rows = np.bincount(where, minlength=len(spots))
        sums = [np.zeros(len(spots), np.int64)] * 2
        if self.scores.probability:
            known = np.nan_to_num(numbers)
            sums = [_total(where, each, len(spots)) for each in (known, known * known)]
        held = np.flatnonzero(rows)
        spots = spots[held]
        return Cells.of(
            prediction.table[spots // wide // second],
            label.table[spots // wide % second],
            spots % wide - 1,
            *(each[held] for each in (rows, *sums)),
        )

    def __add__(self, other: Self) -> Self:
        """Return the table of both; beyond the cap the classes of lowest hash stay."""
        sides = (dict(zip(s.keys.tolist(), s.classes, strict=True)) for s in (self, other))
        names = _joined(*sides)
        return replace(
            self,
            rows=self.rows + other.rows,
            unlabelled=self.unlabelled + other.unlabelled,
            unpredicted=self.unpredicted + other.unpredicted,
            outside=self.outside + other.outside,
            cells=self.cells + other.cells,
            **_named(names),
        ).within(np.uint64(2**64 - 1))

    def within(self, highest: np.uint64) -> Self:
        """Return the table with classes beyond the cap, or of a hash above `highest`, as one."""
        keys = self.keys
        if len(keys) > self.cap:
            highest = min(highest, keys[self.cap - 1])
        if not len(keys) or keys[-1] <= highest:
            return self
        cells = self.cells
        far = [(each > highest) & (each < NONE) for each in (cells.prediction, cells.label)]
        same = far[0] & far[1] & (cells.prediction == cells.label)
        prediction = np.where(same, SAME, np.where(far[0], OTHER, cells.prediction))
        label = np.where(far[1], OTHER, cells.label)
        kept = int((keys <= highest).sum())
        assert self.names is not None
        return replace(
            self,
            cells=Cells.of(prediction, label, *cells.parts[2:]),
            hashes=keys[:kept],
            names=self.names.slice(0, kept),
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether settings and counts are the same."""
        return isinstance(other, Outcomes) and equal_states(self.state(), other.state())

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same settings with no rows."""
        return type(self)(self.scores, self.cap, self.fold)

    def state(self) -> State:
        """Return the settings, the cells, and the names of the classes."""
        prediction, label, bins, rows, total, squares = self.cells.parts
        return {
            "scores": self.scores.to_dict(),
            "cap": self.cap,
            "fold": self.fold,
            "rows": self.rows,
            "unlabelled": self.unlabelled,
            "unpredicted": self.unpredicted,
            "outside": self.outside,
            "prediction": prediction,
            "label": label,
            "bins": bins,
            "counts": rows,
            "total": total,
            "squares": squares,
            "hashes": self.keys,
            "names": list(self.classes),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the table of a state; raise ValueError where its parts disagree."""
        scores = Scores.from_dict(state["scores"])
        entries = [np.asarray(state[name]) for name in ("prediction", "label", "bins", "counts")]
        entries += [np.asarray(state[name]) for name in ("total", "squares")]
        if len({len(each) for each in entries}) != 1 or (entries[3] < 1).any():
            raise ValueError("a table of outcomes needs one count a cell, each above zero")
        cells = Cells.of(*entries)
        rows, unlabelled, unpredicted = (
            int(state[n]) for n in ("rows", "unlabelled", "unpredicted")
        )
        if (
            len(cells.rows) != len(entries[3])
            or cells.rows.sum() + unlabelled + unpredicted != rows
        ):
            raise ValueError("a table of outcomes counts every row once")
        hashes = np.asarray(state["hashes"], np.uint64)
        names = pa.array([str(name) for name in state["names"]], pa.string())
        if len(hashes) != len(names) or (hashes[1:] <= hashes[:-1]).any():
            raise ValueError("a table of outcomes needs one name a class, in order of hash")
        table = cls(scores, int(state["cap"]), bool(state["fold"]))
        return replace(
            table,
            rows=rows,
            unlabelled=unlabelled,
            unpredicted=unpredicted,
            outside=int(state["outside"]),
            cells=cells,
            hashes=hashes,
            names=names,
        )


def _sampled(survey: Survey, column: Column | None) -> Values | None:
    if column is None or survey.sample.schema.get_field_index(column.name) < 0:
        return None
    return Values(column, survey.sample.column(column.name))


@dataclass(frozen=True)
class _Coded:
    """One class a row, as a code into a table of hashes whose last entry stands for missing."""

    table: Hashes
    codes: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.asarray((self.table != hashing.NULL)[self.codes])

    def where(self, keep: NDArray[np.bool_]) -> _Coded:
        return _Coded(self.table, self.codes[keep])


def _classes(values: Values, fold: bool) -> tuple[_Coded, dict[int, str]]:
    """Return each row's class, and what the classes are called."""
    encoded = values.encoded
    words = encoded.dictionary.cast(pa.string())
    hashes = hashing.hash_strings(canonical(words, fold))
    codes = encoded.indices.cast(pa.int64()).fill_null(len(hashes))
    rows = np.asarray(codes)
    used = np.bincount(rows, minlength=len(hashes) + 1) > 0
    names: dict[int, str] = {}
    for key, name, seen in zip(hashes.tolist(), words.to_pylist(), used.tolist(), strict=False):
        if seen and name is not None:
            names[key] = min(name[:SHOWN], names.get(key, name[:SHOWN]))
    return _Coded(np.append(hashes, hashing.NULL), rows), names


def _joined(one: dict[int, str], other: dict[int, str]) -> dict[int, str]:
    """Return the names of both; of two names of one class the first in order, as "1" of "true"."""
    return one | {key: min(name, one.get(key, name)) for key, name in other.items()}


def _named(names: dict[int, str]) -> dict[str, Any]:
    keys = sorted(names)
    return {
        "hashes": np.array(keys, np.uint64),
        "names": pa.array([names[key] for key in keys], pa.string()),
    }


def _total(where: NDArray[np.intp], numbers: Floats, cells: int) -> NDArray[np.int64]:
    """Return the sum in each cell of numbers between 0 and 1, in whole steps: always exact."""
    return np.bincount(where, np.rint(numbers * SCORE_STEPS), cells).astype(np.int64)

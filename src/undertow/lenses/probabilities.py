"""How sure a model is: plain columns made of its scores, whatever form they have.

A vector of class probabilities (or logits) becomes the predicted class, the confidence in it, the
entropy and the margin to the runner-up. One probability of the positive class becomes the
confidence in whichever class it favours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.schema import Column, Kind, Role
from undertow.core.summary import State, Survey
from undertow.core.values import Values
from undertow.core.vectors import matrix

LABEL, CONFIDENCE, ENTROPY, MARGIN = "label", "confidence", "entropy", "margin"
_SUMS_TO_ONE = 0.02
_FEW = 0.01
_LOW = 0.1

Floats = NDArray[np.float64]


def derived(origin: str, what: str) -> str:
    """Return the name of a column made of a score.

    >>> derived("p", CONFIDENCE)
    'p:confidence'
    """
    return f"{origin}:{what}"


@dataclass(frozen=True)
class Probabilities:
    """A vector of class probabilities -> label, confidence, entropy and margin, all in [0, 1].

    Entropy is a share of the largest there could be: 0 is certain, 1 is a guess. What does not add
    up to 1 in the reference is read as logits. A row with a missing number, or of another length,
    is null. The label is the position of the largest, counted from 0.

    >>> column = Column("p", Kind.VECTOR, Role.SCORE)
    >>> made = Probabilities(2)(Values(column, pa.array([[0.9, 0.1], [0.5, 0.5], None])))
    >>> made["p:label"].to_pylist(), made["p:entropy"].to_pylist()[1:]
    (['0', '0', None], [1.0, None])
    """

    tag: ClassVar[str] = "probabilities"
    kind: ClassVar[Kind] = Kind.VECTOR
    roles: ClassVar[frozenset[Role]] = frozenset({Role.SCORE, Role.PREDICTION})

    classes: int = 0
    logits: bool = False

    @classmethod
    def fit(cls, survey: Survey, column: Column) -> Self:
        """Return the lens for as many classes as most vectors of the reference have."""
        cells = survey.sample.column(column.name).combine_chunks()
        classes = matrix(cells).dimensions
        if not classes:
            return cls()
        rows = _matrix(cells, classes)
        rows = rows[np.isfinite(rows).all(axis=1)]
        whole = np.abs(rows.sum(axis=1) - 1) <= _SUMS_TO_ONE
        plain = bool(len(rows) and (rows >= 0).all() and whole.mean() > 0.9)
        return cls(classes, logits=not plain)

    def columns(self, column: Column) -> tuple[Column, ...]:
        """Return the predicted class, and three numbers that only the output checks look at."""
        if self.classes < 2:
            return ()
        why = "softmax of the vector" if self.logits else "read from the class probabilities"
        label = Column(
            derived(column.name, LABEL), Kind.CATEGORY, Role.PREDICTION, why, "", column.name
        )
        numbers = (
            Column(derived(column.name, what), Kind.NUMBER, Role.IGNORE, why, "", column.name)
            for what in (CONFIDENCE, ENTROPY, MARGIN)
        )
        return (label, *numbers)

    def __call__(self, values: Values) -> Mapping[str, pa.Array]:
        """Return the derived columns of one batch."""
        if self.classes < 2:
            return {}
        rows = _matrix(values.array, self.classes)
        known: NDArray[np.bool_] = np.asarray(np.isfinite(rows).all(axis=1))
        rows = np.where(known[:, None], rows, 1.0)
        rows = (
            np.exp(rows - rows.max(axis=1, keepdims=True))
            if self.logits
            else np.clip(rows, 0.0, None)
        )
        total = rows.sum(axis=1, keepdims=True)
        known &= total[:, 0] > 0
        rows = rows / np.where(total > 0, total, 1.0)
        best = rows.argmax(axis=1)
        top = np.sort(rows, axis=1)[:, -2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            bits = np.where(rows > 0, rows * np.log(rows), 0.0).sum(axis=1)
        entropy = np.clip(-bits / np.log(self.classes), 0.0, 1.0)
        parts = (best.astype(str), top[:, 1], entropy, top[:, 1] - top[:, 0])
        names = (LABEL, CONFIDENCE, ENTROPY, MARGIN)
        return {
            derived(values.column.name, name): pa.array(part, mask=~known)
            for name, part in zip(names, parts, strict=True)
        }

    def state(self) -> State:
        """Return the number of classes, and whether the vectors are logits."""
        return {"classes": self.classes, "logits": self.logits}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the lens of a state."""
        return cls(int(state["classes"]), bool(state["logits"]))


@dataclass(frozen=True)
class Certainty:
    """One score of the positive class -> how sure the model is of either class.

    "probability": the larger of p and 1 - p. "margin": the distance from 0 of a score with both
    signs. "none": the score is a confidence already (or stays on one side), and says it all itself.

    >>> column = Column("p", Kind.NUMBER, Role.SCORE)
    >>> made = Certainty("probability")(Values(column, pa.array([0.25, None])))
    >>> made["p:confidence"].to_pylist()
    [0.75, None]
    """

    tag: ClassVar[str] = "certainty"
    kind: ClassVar[Kind] = Kind.NUMBER
    roles: ClassVar[frozenset[Role]] = frozenset({Role.SCORE})

    form: str = "none"

    @classmethod
    def fit(cls, survey: Survey, column: Column) -> Self:
        """Return the lens for the scale of the reference's scores.

        A probability reaches below a tenth and to both sides of a half, each in 1% of rows or more:
        the confidence in one of several classes does not.
        """
        values, weights = survey.numbers(column.name)
        if not len(values):
            return cls()
        share = weights / weights.sum()
        if values[0] >= 0 and values[-1] <= 1:
            ends = share[values < _LOW].sum(), share[values >= 0.5].sum(), share[values < 0.5].sum()
            return cls("probability" if min(ends) >= _FEW else "none")
        sides = share[values < 0].sum(), share[values > 0].sum()
        return cls("margin" if min(sides) >= _FEW else "none")

    def columns(self, column: Column) -> tuple[Column, ...]:
        """Return the confidence, which only the output checks look at."""
        if self.form == "none":
            return ()
        why = "distance from 0" if self.form == "margin" else "the larger of p and 1 - p"
        name = derived(column.name, CONFIDENCE)
        return (Column(name, Kind.NUMBER, Role.IGNORE, why, "", column.name),)

    def __call__(self, values: Values) -> Mapping[str, pa.Array]:
        """Return the confidence of one batch."""
        if self.form == "none":
            return {}
        scores = values.floats
        sure = np.abs(scores) if self.form == "margin" else np.maximum(scores, 1 - scores)
        name = derived(values.column.name, CONFIDENCE)
        return {name: pa.array(sure, mask=~np.isfinite(scores))}

    def state(self) -> State:
        """Return the form of the scores."""
        return {"form": self.form}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the lens of a state."""
        return cls(str(state["form"]))


def _matrix(cells: pa.Array, classes: int) -> Floats:
    """Return vectors as rows of one matrix; those that are missing or ragged are NaN."""
    out = np.full((len(cells), classes), np.nan)
    sizes = np.asarray(pc.list_value_length(cells).fill_null(-1))
    fits = np.flatnonzero(sizes == classes)
    if len(fits) and classes:
        flat = cells.take(pa.array(fits)).flatten().cast(pa.float64(), safe=False)
        out[fits] = np.asarray(flat.fill_null(float("nan"))).reshape(len(fits), classes)
    return out

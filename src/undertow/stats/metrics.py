"""Metrics: each is one plain function of a table of outcomes, registered as an entry point.

    @metric(scored=True)
    def auc(table: Table) -> Floats: ...

A metric of classes takes a `Table`, one of numbers takes `Sums`; both hold samples drawn again on
the first axis, so the same function gives the value and its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.verdict import Effect
from undertow.stats.counts import Floats
from undertow.stats.difference import difference, magnitude, proportion_difference
from undertow.stats.outcomes import Sums, Table
from undertow.stats.score import Z, limits, normal_tail

CLASSES, NUMBERS = "classes", "numbers"
DIFFERENCE, RELATIVE = "difference", "relative_change"
TOLERANCE = {DIFFERENCE: 0.02, RELATIVE: 0.10}
"""Smallest change that matters: 0.02 of a metric between 0 and 1, a tenth of an error's size."""
_NEVER = 1e-6
_SHORT = 6.0
"""A spread of samples drawn again is too short in few rows: this much over their number."""


@dataclass(frozen=True)
class Metric:
    """A number that judges a model, how a change of it is measured, and what it is called.

    `unit` is "difference" for a metric on a scale of its own, or "relative_change" for an error in
    the label's unit. `scored` metrics need the score. `counts` gives hits and rows where the metric
    is a share of rows, whose interval is then exact. A metric that is not `judged` is evidence
    only: noise pushes it one way, so that no honest interval of its change comes from its spread.
    """

    name: str
    value: Callable[[Any], Floats]
    over: str = CLASSES
    unit: str = DIFFERENCE
    scored: bool = False
    counts: Callable[[Table], tuple[int, int]] | None = None
    judged: bool = True

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES.get(self.name, self.name.replace("_", " "))


_TITLES = {
    "auc": "AUC",
    "f1": "F1",
    "macro_f1": "macro F1",
    "brier": "Brier score",
    "ece": "ECE",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
}


def metric(
    *,
    over: str = CLASSES,
    unit: str = DIFFERENCE,
    scored: bool = False,
    counts: Callable[[Table], tuple[int, int]] | None = None,
    judged: bool = True,
) -> Callable[[Callable[[Any], Floats]], Metric]:
    """Make a metric of a function; its name is the metric's."""

    def made(function: Callable[[Any], Floats]) -> Metric:
        return Metric(function.__name__, function, over, unit, scored, counts, judged)

    return made


@dataclass(frozen=True)
class Measured:
    """A metric on one side: its value and a 95% interval for the true one."""

    value: float
    low: float
    high: float
    error: float

    def to_dict(self) -> dict[str, float | None]:
        """Return what a chart draws."""
        row = {"value": self.value, "low": self.low, "high": self.high}
        return {name: each if math.isfinite(each) else None for name, each in row.items()}


def measured(chosen: Metric, side: Any, drawn: Any) -> Measured:
    """Return a metric's value on one side with its interval, from samples drawn again."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(chosen.value(side))
        samples = chosen.value(drawn)
    if chosen.counts is not None and math.isfinite(value):
        hits, rows = chosen.counts(side)
        low, high = (float(x) for x in limits(hits, rows))
        return Measured(value, low, high, (high - low) / (2 * Z))
    samples = samples[np.isfinite(samples)]
    many = max(float(np.sum(side.rows)), 1.0)
    error = float(samples.std(ddof=1)) * (1 + _SHORT / many) if len(samples) > 1 else math.nan
    return Measured(value, value - Z * error, value + Z * error, error)


def change(
    chosen: Metric, before: Measured, now: Measured, tolerance: float, sides: tuple[Any, Any]
) -> Effect:
    """Return how far a metric moved, in its own unit, with an interval."""
    if chosen.counts is not None:
        hits = chosen.counts(sides[0]), chosen.counts(sides[1])
        return proportion_difference(*hits[0], *hits[1], tolerance=tolerance)
    if chosen.unit == DIFFERENCE:
        return difference(before.value, before.error, now.value, now.error, tolerance=tolerance)
    if chosen.name == "bias":
        unit = float(mae.value(sides[0]))
        parts = [x / unit if unit else math.nan for x in (before.value, before.error)]
        parts += [x / unit if unit else math.nan for x in (now.value, now.error)]
        return difference(*parts, tolerance=tolerance, name=RELATIVE)
    return relative_change(before, now, tolerance)


def relative_change(before: Measured, now: Measured, tolerance: float) -> Effect:
    """Return by what part of itself a positive number changed, from the interval of its log.

    Undefined where it is 0 on a side: there is no part of nothing.

    >>> moved = relative_change(Measured(10, 9, 11, 0.5), Measured(15, 14, 16, 0.5), 0.1)
    >>> round(moved.value, 2), round(moved.low, 2), round(moved.high, 2)
    (0.5, 0.33, 0.69)
    """
    if not (before.value > 0 and now.value > 0 and math.isfinite(before.error + now.error)):
        return Effect(RELATIVE, math.nan, math.nan, math.nan, tolerance, 1.0)
    ratio = math.log(now.value / before.value)
    error = math.hypot(before.error / before.value, now.error / now.value)
    low, high = magnitude(math.expm1(ratio - Z * error), math.expm1(ratio + Z * error))
    tail = normal_tail(ratio / error) if error else float(ratio == 0)
    return Effect(RELATIVE, abs(math.expm1(ratio)), low, high, tolerance, tail)


def _hits(table: Table) -> tuple[int, int]:
    sure = table.decided
    return round(float(table.rows[table.right].sum())), round(float(table.rows[sure].sum()))


@metric(counts=_hits)
def accuracy(table: Table) -> Floats:
    """Return the share of rows whose prediction is their label."""
    return np.asarray(table.rows[..., table.right].sum(-1) / table.rows[..., table.decided].sum(-1))


def parts(table: Table) -> tuple[Floats, Floats, Floats]:
    """Return, for each class, the rows predicted right, the rows labelled so, and predicted so."""
    sure = table.decided
    hits = table.by(np.where(table.right & sure, table.label, -1), table.size)
    labelled = table.by(np.where(sure, table.label, -1), table.size)
    return hits, labelled, table.by(table.prediction, table.size)


@dataclass(frozen=True)
class Mix:
    """Why accuracy moved: because the shares of the labels did, or because recalls did.

    The two parts add up to the change. `most` is the label whose share moved most, `share` its
    shares on both sides.
    """

    shares: float
    recalls: float
    most: int
    share: tuple[float, float]


def mix(before: Table, now: Table) -> Mix:
    """Return what part of a change of accuracy comes from the labels' shares.

    Kitagawa (1955), Components of a difference between two rates.
    """
    (hits, rows, _), (other_hits, other_rows, _) = parts(before), parts(now)
    p, q = rows / max(rows.sum(), 1), other_rows / max(other_rows.sum(), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recalls = hits / rows, other_hits / other_rows
    one = np.where(rows > 0, recalls[0], np.where(other_rows > 0, recalls[1], 0.0))
    other = np.where(other_rows > 0, recalls[1], one)
    most = int(np.abs(q - p).argmax())
    return Mix(
        float(((q - p) * (one + other) / 2).sum()),
        float(((other - one) * (p + q) / 2).sum()),
        most,
        (float(p[most]), float(q[most])),
    )


def _over(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(counted, values, 0.0).sum(-1) / counted.sum(-1))


@metric()
def balanced_accuracy(table: Table) -> Floats:
    """Return the mean recall over the classes that have labels."""
    hits, labelled, _ = parts(table)
    return _over(hits / labelled, labelled > 0)


@metric()
def macro_f1(table: Table) -> Floats:
    """Return the mean F1 over the classes that occur as label or prediction."""
    hits, labelled, predicted = parts(table)
    both = labelled + predicted
    return _over(2 * hits / both, both > 0)


def _of_positive(table: Table, part: Callable[..., Floats]) -> Floats:
    spot = table.positive
    if spot < 0 or len(table.classes) > 2:
        return np.full(table.rows.shape[:-1], np.nan)
    return np.asarray(part(*(each[..., spot] for each in parts(table))))


def _found(table: Table, of: int) -> tuple[int, int]:
    """Return the positive rows that were found, and those labelled (1) or predicted (2) so."""
    each = [part[..., table.positive] for part in parts(table)]
    return round(float(each[0])), round(float(each[of]))


@metric(counts=lambda table: _found(table, 2))
def precision(table: Table) -> Floats:
    """Return the share of rows predicted positive that are, of two classes."""
    return _of_positive(table, lambda hits, _, predicted: hits / predicted)


@metric(counts=lambda table: _found(table, 1))
def recall(table: Table) -> Floats:
    """Return the share of positive rows that are predicted so, of two classes."""
    return _of_positive(table, lambda hits, labelled, _: hits / labelled)


@metric()
def f1(table: Table) -> Floats:
    """Return the harmonic mean of precision and recall, of two classes."""
    return _of_positive(table, lambda hits, labelled, said: 2 * hits / (labelled + said))


@metric(scored=True)
def auc(table: Table) -> Floats:
    """Return how often a positive row scores above a negative one, ties counted half.

    Scores of one bin are ties; there are 64 bins of equal share and ten of equal width.
    """
    if table.positive < 0 or len(table.classes) > 2 or table.meaning == "confidence":
        return np.full(table.rows.shape[:-1], np.nan)
    size = int(table.bins.max(initial=-1)) + 1
    positive = table.label == table.positive
    up = table.by(np.where(positive, table.bins, -1), size)
    down = table.by(np.where(positive, -1, table.bins), size)
    wins = (up * (down.cumsum(-1) - down / 2)).sum(-1)
    return np.asarray(wins / (up.sum(-1) * down.sum(-1)))


def _mean(table: Table, loss: Floats) -> Floats:
    held = np.isfinite(loss)
    return np.asarray(table.rows[..., held] @ loss[held] / table.rows[..., held].sum(-1))


@metric(scored=True)
def brier(table: Table) -> Floats:
    """Return the mean squared distance of the probability from what happened (0 or 1)."""
    y = table.happened.astype(float)
    return _mean(table, table.square - 2 * y * table.mean + y)


@metric(scored=True)
def log_loss(table: Table) -> Floats:
    """Return the mean of -log of the probability given to what happened, from the bins' means."""
    sure = np.clip(np.where(table.happened, table.mean, 1 - table.mean), _NEVER, 1.0)
    return _mean(table, -np.log(sure))


@metric(scored=True, judged=False)
def ece(table: Table) -> Floats:
    """Return the expected calibration error: mean gap between said and seen over ten bins.

    It is larger where there are fewer rows, so it is evidence; `output.calibration` is judged.
    """
    known = np.isfinite(table.mean)
    gaps = np.where(known, np.nan_to_num(table.mean) - table.happened, 0.0)
    off = table.by(np.where(known, table.tenth, -1), 10, table.rows * gaps)
    return np.asarray(np.abs(off).sum(-1) / table.rows[..., known].sum(-1))


@metric(over=NUMBERS, unit=RELATIVE)
def mae(sums: Sums) -> Floats:
    """Return the mean absolute error."""
    return np.asarray(sums.absolute / sums.rows)


@metric(over=NUMBERS, unit=RELATIVE)
def rmse(sums: Sums) -> Floats:
    """Return the root of the mean squared error."""
    return np.asarray(np.sqrt(sums.squared / sums.rows))


@metric(over=NUMBERS, unit=RELATIVE)
def bias(sums: Sums) -> Floats:
    """Return the mean error; its change is measured in mean absolute errors of the reference."""
    return np.asarray(sums.error / sums.rows)


@metric(over=NUMBERS)
def r2(sums: Sums) -> Floats:
    """Return the share of the labels' variance that the predictions explain."""
    spread = sums.label_squared - sums.label**2 / sums.rows
    return np.asarray(1 - sums.squared / spread)

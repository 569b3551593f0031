"""Classes that sit inside one another: how much of one's neighbourhood belongs to another."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import EVERY, Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import to_text
from undertow.core.vectors import Matrix, matrix
from undertow.core.verdict import Effect
from undertow.stats import sampled
from undertow.stats.mixing import Mixed, Mixing, mixing, mixing_change
from undertow.stats.neighbours import unit
from undertow.summaries.sample import RowSample

LISTED, EXAMPLES = 10, 5


@dataclass(frozen=True)
class MixedClasses:
    """Per pair of classes, how much of one's neighbourhood belongs to the other, before and after.

    "Sarcastic sits inside positive" is a number: of the 15 nearest rows of a sarcastic one, the share
    that is positive, against what the classes' sizes alone would give. The pair whose share moved
    most is judged, as a difference of shares, corrected for all pairs; the pairs that are mixed most
    now are listed. Read from the sampled rows that have a vector and a label on both sides.
    """

    name: ClassVar[str] = "label.mixed"
    tolerance: float = 0.05
    least: int = 30
    """Rows of a class without which it is left out."""
    classes: int = 40
    """Classes looked at, the commonest first."""

    def needs(self, schema: Schema) -> Iterator[Need]:  # noqa: ARG002 - every check has it
        """Ask for nothing beside the sample of rows."""
        yield from ()

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding for each vector column with each label column."""
        for label in history.shared():
            if label.role is not Role.LABEL:
                continue
            for column in history.shared(kind=Kind.VECTOR):
                sides = [_side(side, column, label) for side in (history.reference, history.now)]
                both = self._classes(sides)
                if len(both) > 1:
                    yield self._compare(history, column, label, both, sides)

    def _classes(self, sides: Sequence[_Side]) -> list[str]:
        counts = [dict(zip(*np.unique(s.labels, return_counts=True), strict=True)) for s in sides]
        least = {each: min(side.get(each, 0) for side in counts) for each in counts[0] if each}
        named = sorted(least, key=lambda each: (-least[each], each))
        return [str(each) for each in named[: self.classes] if least[each] >= self.least]

    def _compare(
        self,
        history: History,
        column: Column,
        label: Column,
        classes: Sequence[str],
        sides: Sequence[_Side],
    ) -> Finding:
        before, now = (side.only(classes) for side in sides)
        found = mixing_change((before.rows, before.classes), (now.rows, now.classes))
        pair = found[0]
        tolerance = history.tolerance(self.name, "difference", column.name, self.tolerance)
        current = {(each.label, each.other): each for each in mixing(now.rows, now.classes)}
        worst = current[pair.after.label, pair.after.other]
        return Finding(
            self.name,
            f"{column.name}~{label.name}",
            _says(pair),
            _effect(pair, len(found), tolerance),
            Rows(len(before.rows), len(now.rows)),
            column=column.name,
            evidence={
                "pair": [pair.after.label, pair.after.other],
                "chance": {"reference": pair.before.chance, "current": pair.after.chance},
                "mixed_now": [_told(each) for each in list(current.values())[:LISTED]],
            },
            examples=_examples(history.now.schema, now, worst) if pair.difference > 0 else (),
            next=(_step(pair),),
        )


@dataclass(frozen=True, eq=False)
class _Side:
    rows: Matrix
    labels: NDArray[np.object_]
    table: pa.Table

    @property
    def classes(self) -> list[object]:
        return list(self.labels)

    def only(self, classes: Sequence[str]) -> _Side:
        spots = np.flatnonzero(np.isin(self.labels, list(classes)))
        return _Side(self.rows[spots], self.labels[spots], self.table.take(pa.array(spots)))


def _side(profile: Profile, column: Column, label: Column) -> _Side:
    sample = profile.get(RowSample, *EVERY) or RowSample()
    if not {column.name, label.name} <= set(sample.kept.column_names):
        return _Side(np.empty((0, 0), np.float32), np.empty(0, object), pa.table({}))
    wide = getattr(profile.lenses.get(column.name), "dimensions", 0) or None
    vectors = matrix(sample.kept.column(column.name), wide)
    words = to_text(sample.kept.column(label.name).combine_chunks()).fill_null("")
    labels = np.asarray(words.to_pylist(), dtype=object)
    spots = np.flatnonzero(vectors.fine & (labels != ""))
    return _Side(unit(vectors.rows[spots]), labels[spots], sample.kept.take(pa.array(spots)))


def _effect(pair: Mixed, pairs: int, tolerance: float) -> Effect:
    """Return the difference of the pair that was picked, its interval widened for the picking."""
    normal = statistics.NormalDist()
    wider = normal.inv_cdf(1 - 0.025 / max(pairs, 1)) / normal.inv_cdf(0.975)
    down, up = (wider * arm for arm in (pair.difference - pair.low, pair.high - pair.difference))
    low, high = pair.difference - down, pair.difference + up
    if pair.difference < 0:
        low, high = -high, -low
    return Effect(
        "difference", abs(pair.difference), max(low, 0.0), high, tolerance, p_no_change=pair.p
    )


def _says(pair: Mixed) -> str:
    now, before = pair.after, pair.before
    chance = percent(now.chance)
    return (
        f"of what is nearest to {now.label!r}, {percent(before.share)} → {percent(now.share)} is "
        f"{now.other!r} (chance gives {chance})"
    )


def _step(pair: Mixed) -> str:
    now = pair.after
    return f"read the rows of {now.label!r} that lie among {now.other!r}: is their label right?"


def _told(pair: Mixing) -> dict[str, Any]:
    lift = pair.lift if math.isfinite(pair.lift) else None
    return {
        "label": pair.label[:80],
        "inside": pair.other[:80],
        "share": pair.share,
        "interval": [pair.low, pair.high],
        "chance": pair.chance,
        "lift": lift,
        "rows": pair.rows,
    }


def _examples(schema: Schema, side: _Side, pair: Mixing) -> tuple[Mapping[str, str], ...]:
    """Return the rows that lie deepest inside the other class."""
    texts = [column.name for column in schema.of(kind=(Kind.IMAGE, Kind.TEXT))]
    names = [*texts[:2], *(c.name for c in schema.of(role=(Role.ID, Role.LABEL)))]
    names = [name for name in dict.fromkeys(names) if name in side.table.column_names]
    spots = pair.inside[:EXAMPLES]
    rows = side.table.take(pa.array(spots))
    cells = {name: sampled.shown(schema, name, rows.column(name)) for name in names}
    return tuple({name: cells[name][n] for name in names} for n in range(len(spots)))

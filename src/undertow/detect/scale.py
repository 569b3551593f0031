"""Scale: the numbers are the old ones in another unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from undertow.core.check import History, family
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Verdict, decide
from undertow.detect.number import Number
from undertow.stats import describe, sampled, units
from undertow.stats.counts import Counts, Floats
from undertow.stats.gap import cdf_gap
from undertow.stats.share import share_change
from undertow.stats.told import short, two_shares
from undertow.stats.units import Fit
from undertow.summaries.histogram import Histogram


@dataclass(frozen=True)
class Scale:
    """Whether a number that moved is the old number in another unit: grams where kilograms were.

    It speaks only where the distribution has moved by more than the tolerance, and measures that as
    `drift.number` does, so it is never louder. The old values are converted by each usual factor
    and formula (10, 60, 100, 1000, 1024, Fahrenheit, inches, logarithms, another sign, ratings of 1
    to 5 on a scale of 1 to 10, ...): the one that brings both distributions together is named, with
    the gap that is left. Small factors must be hit within 2%, so that a growth of 10% is not taken
    for a unit. Where only some rows changed their unit, those outside the reference's range are
    explained.
    """

    name: ClassVar[str] = "quality.scale"
    tolerance: float = 0.10

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `drift.number` asks for."""
        yield from Number().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a number that looks converted."""
        columns = history.shared(kind=Kind.NUMBER)
        for column in columns:
            before = history.reference.get(Histogram, column.name)
            now = history.now.get(Histogram, column.name)
            if before is None or now is None:
                continue
            sides = _side(history.reference, column), _side(history.now, column)
            found = self._whole(history, column, before, now, sides, len(columns))
            found = found or self._part(history, column, sides, len(columns))
            if found is not None:
                yield found

    def _whole(
        self,
        history: History,
        column: Column,
        before: Histogram,
        now: Histogram,
        sides: _Sides,
        looked_at: int,
    ) -> Finding | None:
        tolerance = history.tolerance(
            f"{family(column)}.number", "cdf_gap", column.name, self.tolerance
        )
        effect = cdf_gap(before.tally, now.tally, atoms=before.atoms, tolerance=tolerance)
        if decide(effect, looked_at) is not Verdict.CHANGED:
            return None
        fit = units.likeliest(*sides[0], *sides[1], effect.value)
        if fit is None:
            return None
        return Finding(
            self.name,
            column.name,
            f"{column.name!r} is {fit.unit.says} at every quantile: looks like {fit.unit.cause} "
            f"(undone, {percent(fit.residual)} of rows differ)",
            effect,
            Rows(before.rows, now.rows),
            column=column.name,
            evidence=_evidence(fit, sides),
            shape=_shape(fit, sides),
            examples=sampled.examples(history.now, column.name),
            causes=(f"a change of unit: {fit.unit.cause}",),
            next=(f"{fit.unit.undo} where {column.name!r} is loaded, then check again",),
        )

    def _part(
        self, history: History, column: Column, sides: _Sides, looked_at: int
    ) -> Finding | None:
        """Return a finding where only the rows outside the reference's range look converted."""
        (old, old_rows), (new, new_rows) = sides
        if not len(old) or not len(new):
            return None
        low, high = old.min(), old.max()
        outside = (new < low) | (new > high)
        hits, rows = round(float(new_rows[outside].sum())), round(float(new_rows.sum()))
        old_count = round(float(old_rows.sum()))
        if hits < units.LEAST_ROWS:
            return None
        tolerance = history.tolerance(self.name, "cohens_h", column.name, 0.2)
        effect = share_change(0, old_count, hits, rows, tolerance=tolerance)
        effect = replace(effect, p_no_change=min(1.0, effect.p_no_change * looked_at))
        if decide(effect, 1) is not Verdict.CHANGED:
            return None
        fit = units.likeliest(old, old_rows, new[outside], new_rows[outside], 1.0)
        if fit is None:
            return None
        values = sampled.numbers(sampled.kept(history.now), column.name)
        share = percent(hits / rows)
        return Finding(
            self.name,
            column.name,
            f"{column.name!r} is {fit.unit.says} in {share} of rows: looks like {fit.unit.cause}",
            effect,
            Rows(old_count, rows),
            column=column.name,
            evidence=_evidence(fit, ((old, old_rows), (new[outside], new_rows[outside]))),
            shape=two_shares("another unit", "as before", (0, hits), (old_count, rows)),
            examples=sampled.examples(history.now, column.name, (values < low) | (values > high)),
            causes=(f"a change of unit in some rows: {fit.unit.cause}",),
            next=(f"find the source that writes {column.name!r} above {short(float(high))}",)
            if np.median(new[outside]) > high
            else (f"find the source that writes {column.name!r} below {short(float(low))}",),
        )


_Sides = tuple[tuple[Floats, Floats], tuple[Floats, Floats]]
"""The distinct sampled values of each side, and the rows that each is worth."""


def _side(profile: Profile, column: Column) -> tuple[Floats, Floats]:
    values, rows, _ = sampled.tallied(sampled.kept(profile), column.name)
    return values, rows


def _evidence(fit: Fit, sides: _Sides) -> dict[str, Any]:
    before, now = (units.at_points(*side) for side in sides)
    return {
        "looks_like": fit.unit.cause,
        "gap_once_undone": fit.residual,
        **{
            f"p{round(100 * point)}": describe.pair(float(was), float(is_))
            for point, was, is_ in zip(units.POINTS, before, now, strict=True)
        },
    }


def _shape(fit: Fit, sides: _Sides) -> Any:
    """Return a chart of the reference, converted, and what there is now."""
    (_, old_rows), (new, new_rows) = sides
    ends = min(fit.converted.min(), new.min()), max(fit.converted.max(), new.max())
    edges = np.unique(
        np.quantile(np.concatenate([fit.converted, new]), np.linspace(0.01, 0.99, 99))
    )
    curves = [
        describe.Curve.of(edges, _cells(edges, values, rows), float(ends[0]), float(ends[1]))
        for values, rows in ((fit.converted, old_rows), (new, new_rows))
    ]
    return describe.histogram(curves[0], curves[1], np.empty(0))


def _cells(edges: Floats, values: Floats, rows: Floats) -> Counts:
    spots = np.searchsorted(edges, values, side="left")
    held = np.bincount(spots, rows, minlength=len(edges) + 1)
    return np.rint(1000 * held).astype(np.int64)

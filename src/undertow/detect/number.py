"""Numbers: the share of rows that moved past some point, anywhere in the distribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from undertow.core import sql
from undertow.core.check import History, family
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.stats import describe, sampled
from undertow.stats.describe import Curve
from undertow.stats.gap import cdf_gap
from undertow.stats.rows import needs_rows
from undertow.stats.told import rough
from undertow.summaries.histogram import Histogram
from undertow.summaries.moments import Moments


@dataclass(frozen=True)
class Number:
    """The largest gap between the distribution functions of a number before and now.

    A gap of 0.31 says that 31% of the rows moved past one point. Missing and infinite values are
    not part of it; `missing` looks at those.
    """

    name: ClassVar[str] = "drift.number"
    tolerance: float = 0.10

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for a histogram and moments of every number that is compared."""
        for column in schema.of(kind=Kind.NUMBER):
            if column.role not in {Role.ID, Role.IGNORE}:
                yield (column.name,), Histogram
                yield (column.name,), Moments

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a number."""
        for column in history.shared(kind=Kind.NUMBER):
            before = _side(history.reference, column.name)
            now = _side(history.now, column.name)
            if before is not None and now is not None:
                yield self._compare(history, column, before, now)

    def _compare(self, history: History, column: Column, before: _Side, now: _Side) -> Finding:
        check = f"{family(column)}.number"
        tolerance = history.tolerance(check, "cdf_gap", column.name, self.tolerance)
        ours, theirs = before.counts, now.counts
        effect = cdf_gap(ours.tally, theirs.tally, atoms=ours.atoms, tolerance=tolerance)
        rows = Rows(ours.rows, theirs.rows)
        if not effect.defined:
            says = f"{rows.reference:,} and {rows.current:,} usable values"
            return Finding(check, column.name, says, effect, rows, column=column.name)
        curves = before.curve, now.curve
        examples, steps = _rows_to_look_at(history.now, column.name, ours, theirs)
        return Finding(
            check,
            column.name,
            _says(*curves),
            effect,
            rows,
            column=column.name,
            needs_rows=_needs(effect),
            evidence=_evidence(before, now),
            shape=describe.histogram(*curves, _atoms(ours)),
            examples=examples,
            next=steps,
        )


@dataclass(frozen=True)
class _Side:
    counts: Histogram
    moments: Moments
    curve: Curve


def _side(profile: Profile, name: str) -> _Side | None:
    counts, moments = profile.get(Histogram, name), profile.get(Moments, name)
    if counts is None or moments is None:
        return None
    rows = sampled.kept(profile)
    values = sampled.numbers(rows, name)
    here = np.isfinite(values)
    curve = Curve.of(
        counts.edges,
        counts.tally,
        moments.low,
        moments.high,
        values=values[here],
        weights=rows.multiplicity[here] if len(values) else None,
        whole=_whole(counts, moments),
    )
    return _Side(counts, moments, curve)


def _whole(counts: Histogram, moments: Moments) -> bool:
    """Tell whether all values are whole numbers, as far as edges, ends and sum tell."""
    told = np.array([moments.low, moments.high, moments.mean * moments.rows, *counts.edges])
    if not np.isfinite(told).all():
        return False
    # A value with a cell of its own has a second edge the least step below it.
    near = np.abs(told - np.rint(told)) <= 1e-9 * np.maximum(np.abs(told), 1)
    return bool(near.all())


def _rows_to_look_at(
    now: Profile, name: str, ours: Histogram, theirs: Histogram
) -> tuple[tuple[dict[str, str], ...], tuple[str, ...]]:
    """Return examples from the side of the widest gap that gained rows, and how to see the rest."""
    rise = theirs.tally.cumsum() / theirs.rows - ours.tally.cumsum() / ours.rows
    if len(rise) < 2:
        return (), ()
    at = int(np.abs(rise[:-1]).argmax())
    cut, below = float(ours.edges[at]), bool(rise[at] > 0)
    values = sampled.numbers(sampled.kept(now), name)
    gained = values <= cut if below else values > cut
    column = sql.name(name)
    left, right = ("<=", ">") if below else (">", "<=")
    rest = int(theirs.tally[at + 1 :].sum() if below else theirs.tally[: at + 1].sum())
    if now.column(name).origin:  # not in the data, where the step would look for it
        return sampled.examples(now, name, gained), ()
    if not rest:
        every = f"ask where {name!r} comes from now: every row has {column} {left} {cut:.6g}"
        return sampled.examples(now, name, gained), (every,)
    step = "see how the rows that moved differ from the rest: " + sql.rest(
        "CURRENT", f"{column} {left} {cut:.6g}", f"{column} {right} {cut:.6g}"
    )
    return sampled.examples(now, name, gained), (step,)


def _atoms(counts: Histogram) -> np.ndarray[Any, np.dtype[np.float64]]:
    spots = np.flatnonzero(counts.atoms & (counts.tally > 0))
    return counts.edges[spots]


def _needs(effect: Effect) -> int | None:
    """Return the rows a side that would tell; None where the interval has already told."""
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    return needs_rows("cdf_gap", effect.tolerance)


def _says(before: Curve, now: Curve) -> str:
    was, is_ = before.quantile(0.5), now.quantile(0.5)
    if rough(was) != rough(is_):
        return f"half were under {rough(was)}, now under {rough(is_)}"
    wide = [curve.quantile(0.9) - curve.quantile(0.1) for curve in (before, now)]
    ends = f"{rough(before.quantile(0.1))} to {rough(before.quantile(0.9))}"
    here = f"{rough(now.quantile(0.1))} to {rough(now.quantile(0.9))}"
    word = "wider" if wide[1] > wide[0] else "narrower"
    if ends != here:
        return f"{word}: the middle 80% was {ends}, now {here}"
    knots = before.knots[np.isfinite(before.knots)]
    below = [np.array([curve.share_below(knot) for knot in knots]) for curve in (before, now)]
    at = int(np.abs(below[1] - below[0]).argmax())
    shares = (percent(side[at]) for side in below)
    return f"{' → '.join(shares)} of rows at or below {rough(knots[at])}"


def _evidence(before: _Side, now: _Side) -> dict[str, Any]:
    curves = before.curve, now.curve
    return {
        "mean": describe.pair(before.moments.mean, now.moments.mean),
        "std": describe.pair(before.moments.std, now.moments.std),
        "minimum": describe.pair(before.moments.low, now.moments.low),
        "maximum": describe.pair(before.moments.high, now.moments.high),
        **describe.quantiles(*curves),
        **describe.divergences(before.counts.tally, now.counts.tally, ordered=True),
        "wasserstein": curves[0].distance(curves[1]),
    }

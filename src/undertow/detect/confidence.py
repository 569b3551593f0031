"""Confidence: how sure the model is of what it says, which can be seen before labels come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from undertow.core.check import History
from undertow.core.finding import Finding, Rows
from undertow.core.profile import Profile
from undertow.core.schema import Column, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.lenses.probabilities import CONFIDENCE, ENTROPY, MARGIN, derived
from undertow.stats import describe
from undertow.stats.describe import Curve
from undertow.stats.gap import cdf_gap
from undertow.stats.rows import needs_rows
from undertow.stats.told import rough
from undertow.summaries.categories import Categories
from undertow.summaries.histogram import Histogram
from undertow.summaries.moments import Moments

SURE = 0.9
_SHOWN = 6


@dataclass(frozen=True)
class Confidence:
    """The largest gap between the distributions of confidence, and of entropy, before and now.

    Confidence is the probability of the predicted class. It is read from a vector of class
    probabilities or from one probability of the positive class; a score that is a confidence by
    itself is looked at as any output is. Entropy needs the vector. High confidence proves nothing:
    a model can be sure and wrong, so what is steady here says nothing of whether it is right.
    """

    name: ClassVar[str] = "output.confidence"
    tolerance: float = 0.10

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for a histogram and moments of each column that a lens made of a score."""
        for column in _made(schema):
            yield (column.name,), Histogram
            yield (column.name,), Moments

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding for confidence, and one for entropy where there are probabilities."""
        for column in _made(history.reference.all_columns):
            what = column.name.removeprefix(f"{column.origin}:")
            sides = [_side(profile, column.name) for profile in (history.reference, history.now)]
            before, now = sides
            if what != MARGIN and before is not None and now is not None:
                yield self._compare(history, column, what, before, now)

    def _compare(
        self,
        history: History,
        column: Column,
        what: str,
        before: tuple[Histogram, Moments],
        now: tuple[Histogram, Moments],
    ) -> Finding:
        check = f"output.{what}"
        tolerance = history.tolerance(check, "cdf_gap", column.origin, self.tolerance)
        counts = before[0]
        effect = cdf_gap(counts.tally, now[0].tally, atoms=counts.atoms, tolerance=tolerance)
        rows = Rows(before[0].rows, now[0].rows)
        if not effect.defined:
            says = f"{rows.reference:,} and {rows.current:,} usable scores"
            return Finding(check, column.origin, says, effect, rows, column=column.origin)
        curves = _curve(before), _curve(now)
        return Finding(
            check,
            column.origin,
            _says(what, *curves),
            effect,
            rows,
            column=column.origin,
            needs_rows=_needed(effect, counts),
            evidence=_evidence(history, column, what, (before, now), curves),
            shape=describe.histogram(
                *curves, counts.edges[np.flatnonzero(counts.atoms & (counts.tally > 0))]
            ),
            next=_steps(history, column.origin),
        )


def _steps(history: History, name: str) -> tuple[str, ...]:
    look = f"look at rows whose {name!r} is least sure: are they new kinds of rows?"
    if history.reference.schema.one(Role.LABEL) is not None:
        return (look,)
    return look, "label some of them: only labels tell whether the model is still right"


def _made(schema: Schema) -> Iterator[Column]:
    """Yield the columns that lenses made of scores for this check."""
    for column in schema.of(role=Role.IGNORE):
        names = {derived(column.origin, what) for what in (CONFIDENCE, ENTROPY, MARGIN)}
        if column.origin and column.name in names:
            yield column


def _side(profile: Profile, name: str) -> tuple[Histogram, Moments] | None:
    counts, moments = profile.get(Histogram, name), profile.get(Moments, name)
    return None if counts is None or moments is None else (counts, moments)


def _curve(side: tuple[Histogram, Moments]) -> Curve:
    counts, moments = side
    return Curve.of(counts.edges, counts.tally, moments.low, moments.high)


def _needed(effect: Effect, counts: Histogram) -> int | None:
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    cells = max(int((~counts.atoms & (counts.tally > 0)).sum()), 2)
    return needs_rows("cdf_gap", effect.tolerance, cells=cells)


def _says(what: str, before: Curve, now: Curve) -> str:
    was, is_ = before.quantile(0.5), now.quantile(0.5)
    word = "less" if (is_ > was) == (what == ENTROPY) else "more"
    half = f"half had {what} under {rough(was)}, now under {rough(is_)}"
    return f"the model is {word} sure: {half}"


def _evidence(
    history: History,
    column: Column,
    what: str,
    sides: tuple[tuple[Histogram, Moments], tuple[Histogram, Moments]],
    curves: tuple[Curve, Curve],
) -> dict[str, Any]:
    (counts, before), (other, now) = sides
    out: dict[str, Any] = {"mean": describe.pair(before.mean, now.mean)}
    if what == CONFIDENCE and before.high <= 1:
        shares = (1 - curve.share_below(SURE) for curve in curves)
        out["above_0.9"] = describe.pair(*shares)
    out |= describe.quantiles(*curves)
    out |= describe.divergences(counts.tally, other.tally, ordered=True)
    out["wasserstein"] = curves[0].distance(curves[1])
    margins = [_side(p, derived(column.origin, MARGIN)) for p in (history.reference, history.now)]
    if margins[0] is not None and margins[1] is not None:
        out["mean_margin"] = describe.pair(margins[0][1].mean, margins[1][1].mean)
    out["predicted"] = _predicted(history)
    if not any(each.role is Role.LABEL for each in history.now.schema):
        out["note"] = "there are no labels here: whether the model is still right cannot be told"
    return {name: value for name, value in out.items() if value not in ({}, None)}


def _predicted(history: History) -> dict[str, Any]:
    """Return the shares of the commonest predicted classes on both sides."""
    for column in history.reference.all_columns.of(role=Role.PREDICTION):
        before = history.reference.get(Categories, column.name)
        now = history.now.get(Categories, column.name)
        if before is None or now is None or not before.rows or not now.rows:
            continue
        counts = dict(now.common(len(now.keys)))
        return {
            name: describe.pair(rows / before.rows, counts.get(name, 0) / now.rows)
            for name, rows in before.common(_SHOWN)
        }
    return {}

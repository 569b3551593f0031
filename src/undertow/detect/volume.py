"""Volume: how many rows there are, how fast they come, and how many repeat another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect, Verdict
from undertow.stats import describe, sampled
from undertow.stats.score import Z, normal_tail
from undertow.stats.share import share_change
from undertow.stats.told import needed, two_shares
from undertow.summaries.moments import Moments
from undertow.summaries.sample import RowSample

BLOCKS = 20
"""Parts of equal length that a side's time is cut into, to see how unevenly rows come."""
ORDINARY = 0.5
"""Where more of the reference's rows than this repeat another, repeats are not judged."""
_DAY = 86_400_000_000.0


@dataclass(frozen=True)
class Volume:
    """How many rows each side has and, with a time column, how many come in a day.

    A reference is often a sample, and traffic has weekdays, so how many rows come is judged only
    where a tolerance is declared: `--tolerance quality.volume=0.5` is half as many again, or a
    third fewer. The interval comes from how unevenly the rows of each side come over twenty parts
    of its time. Without a tolerance or without times the numbers are told and nothing is judged.
    """

    name: ClassVar[str] = "quality.volume"
    tolerance: float | None = None

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the first and last time of the column that is the clock."""
        clock = schema.one(Role.TIME)
        if clock is not None:
            yield (clock.name,), Moments

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding for the table."""
        declared = history.tolerances.get(self.name, self.tolerance)
        rows = Rows(history.reference.rows, history.now.rows)
        clock = history.reference.schema.one(Role.TIME)
        before = now = math.nan
        if clock is not None and clock.name in history.now.schema:
            before, now = (_a_day(side, clock) for side in (history.reference, history.now))
        evidence = {"rows": describe.pair(rows.reference, rows.current)}
        timed = before > 0 and now > 0
        if timed:
            evidence["rows_a_day"] = describe.pair(before, now)
        if clock is None or declared is None or not timed:
            told = f"{rows.current:,} rows, {rows.reference:,} in the reference"
            told += f"; {now:,.4g} a day, {before:,.4g} before" if timed else ""
            how = "a declared tolerance" if timed else "a time column on both sides"
            yield Finding(
                self.name,
                "rows",
                f"{told} (how many come is not judged without {how})",
                rows=rows,
                verdict=Verdict.STEADY,
                evidence=evidence,
            )
            return
        tolerance = history.tolerance(self.name, "relative_change", clock.name, declared)
        errors = [_unevenness(side, clock) for side in (history.reference, history.now)]
        effect = _relative(before, now, math.hypot(*errors), tolerance)
        word, times = ("more", now / before) if now > before else ("fewer", before / now)
        yield Finding(
            self.name,
            "rows",
            f"{now:,.4g} rows a day, {before:,.4g} before: {times:.3g} times {word}",
            effect,
            rows,
            evidence=evidence,
            next=("ask whether rows are lost, filtered or sent twice on the way here",),
        )


def _a_day(side: Profile, clock: Column) -> float:
    span = side.get(Moments, clock.name)
    if span is None or span.rows < 2 or not span.high > span.low:
        return math.nan
    return (span.rows - 1) / ((span.high - span.low) / _DAY)


def _unevenness(side: Profile, clock: Column) -> float:
    """Return the standard error of the logarithm of the rate, from its parts."""
    values, counts, rows = sampled.tallied(sampled.kept(side), clock.name)
    if rows < 2:
        return math.inf
    ends = float(values.min()), float(values.max())
    parts, _ = np.histogram(values, BLOCKS, ends, weights=counts)
    return float(parts.std(ddof=1) / parts.mean() / math.sqrt(BLOCKS))


def _relative(before: float, now: float, error: float, tolerance: float) -> Effect:
    moved = abs(math.log(now / before))
    if not math.isfinite(error):
        return Effect("relative_change", math.nan, math.nan, math.nan, tolerance, 1.0)
    low, high = max(moved - Z * error, 0.0), moved + Z * error
    evidence = normal_tail(moved / error) if error > 0 else float(moved == 0)
    return Effect(
        "relative_change", math.expm1(moved), math.expm1(low), math.expm1(high), tolerance, evidence
    )


@dataclass(frozen=True)
class Duplicates:
    """The share of rows that repeat an earlier one (or its identifier, where one is declared).

    The more rows there are the more of them meet an equal, so the larger side is thinned to the
    rows of the smaller one, by calculation, before both are compared. Below the sample's capacity
    the count is exact, above it is estimated; rows that come in clumps count as few. Where more
    than half of the reference's rows repeat another, because there are few things a row can say,
    nothing is judged; nor is it where the columns differ.
    """

    name: ClassVar[str] = "quality.duplicates"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:  # noqa: ARG002 - every check has it
        """Ask for nothing: a sample of rows is always kept."""
        yield from ()

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding for the table."""
        samples = sampled.kept(history.reference), sampled.kept(history.now)
        rows = Rows(samples[0].rows, samples[1].rows)
        same = set(history.reference.schema.names) == set(history.now.schema.names)
        if not min(rows.reference, rows.current) or not (same or samples[0].by):
            return
        least = min(rows.reference, rows.current)
        before, now = (_repeats(sample, least) for sample in samples)
        what = (
            f"the {' and '.join(samples[0].by)} of an earlier row"
            if samples[0].by
            else "an earlier row"
        )
        evidence = {
            "repeats": describe.pair(_plain(samples[0]), _plain(samples[1])),
            "repeats_at_equal_rows": describe.pair(before.share, now.share),
            "distinct_rows": describe.pair(samples[0].distinct, samples[1].distinct),
            "exact": all(sampled.whole(sample) for sample in samples),
        }
        ordinary = before.share > ORDINARY
        if ordinary or not (before.share or now.share):
            says = f"{percent(before.share)} of rows repeat {what}, now {percent(now.share)}"
            says = f"{says}: too common to be judged" if ordinary else f"no row repeats {what}"
            yield Finding(
                self.name, "rows", says, rows=rows, verdict=Verdict.STEADY, evidence=evidence
            )
            return
        tolerance = history.tolerance(self.name, "cohens_h", "rows", self.tolerance)
        effect = share_change(before.hits, before.rows, now.hits, now.rows, tolerance=tolerance)
        weights = samples[1].multiplicity
        first = history.now.schema.names[0]
        yield Finding(
            self.name,
            "rows",
            f"{percent(now.share)} of rows repeat {what}, {percent(before.share)} before",
            effect,
            rows,
            needs_rows=needed(effect, max(before.share, now.share)),
            evidence=evidence,
            shape=two_shares(
                "repeats", "first seen", (before.hits, now.hits), (before.rows, now.rows)
            ),
            examples=sampled.examples(history.now, first, weights > 1)
            if now.share > before.share
            else (),
            next=("find the step that loads the same rows twice, and check again without it",),
        )


@dataclass(frozen=True)
class _Repeats:
    share: float
    rows: int

    @property
    def hits(self) -> int:
        return round(self.share * self.rows)


def _plain(sample: RowSample) -> float:
    weights = sample.multiplicity
    return 1 - len(weights) / max(int(weights.sum()), 1)


def _repeats(sample: RowSample, least: int) -> _Repeats:
    """Return the share of `least` of these rows that repeat another, and the rows that is worth.

    Each distinct row stays with the chance that one of its copies does (Hurlbert 1971). Copies of
    one row are no independent evidence: the rows are divided by the mean size of a clump.
    """
    weights = sample.multiplicity.astype(np.float64)
    total = float(weights.sum())
    if not total:
        return _Repeats(0.0, 0)
    thin = min(1.0, least / sample.rows)
    copies = weights * thin
    once = -np.expm1(weights * math.log1p(-thin)) if thin < 1 else np.ones_like(weights)
    again = copies - once
    share = max(0.0, float(again.sum() / copies.sum()))
    clump = float((again * again).sum() / again.sum()) if again.sum() > 0 else 1.0
    rows = min(total, least) / max(clump, 1.0)
    if sampled.whole(sample):
        return _Repeats(share, max(round(rows), 1))
    return _estimated(sample, share, rows)


def _estimated(sample: RowSample, share: float, rows: float) -> _Repeats:
    """Return the share by the sampled rows, or by the spacing of their hashes where they disagree.

    A single row that occurred a million times is hardly ever among those sampled (or weighs far too
    much), but leaves so few distinct rows that the hashes lie far apart.
    """
    error = (1 - share) / math.sqrt(sample.k - 2)
    spaced = 1 - sample.distinct / max(sample.rows, 1)
    if abs(spaced - share) <= 4 * error:
        return _Repeats(share, max(round(rows), 1))
    error = (1 - spaced) / math.sqrt(sample.k - 2)
    return _Repeats(spaced, max(round(spaced * (1 - spaced) / error**2), 1))

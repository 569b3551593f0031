"""A tolerance learned from a reference: how far its own blocks of time lie from the rest of it.

The same checks that compare the current set with the reference compare each block with the rows
outside it, never with rows that contain it. The tolerance is a prediction limit of those effects:
what the next block like these exceeds about once in 500. It is never below the declared tolerance:
that says what matters, the wobble what is usual, and a change that is small or usual is none.
Where blocks are not worth eight independent ones, or half of all rows may move, nothing can
be taught: the finding is unknown and says why, unless it is steady as declared, or lies beyond the
largest tolerance and the worst block.

A block's company is all other rows. A column that follows the hour, the weekday or the season is
compared within it where that gives a smaller tolerance, and so is the current set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.check import Check, History
from undertow.core.finding import Finding, size
from undertow.core.profile import Profile
from undertow.core.verdict import EFFECT_MAXIMUM, Effect, Verdict, decide
from undertow.stats.calendar import LEAST, RETURNS, Layout, lasting, limit, worth
from undertow.summaries.categories import Categories
from undertow.summaries.histogram import Histogram

ROWS = 30
"""Rows a block must have: fewer show noise, not wobble."""
CHANCE = 0.0002
"""Tail of the normal whose limit half-normal effects exceed once in 500: magnitudes are skewed."""
BETTER = 0.8
"""A narrower company is used only where its tolerance is smaller by this factor."""
_ALL, _ALIGNED, _SEASON = "all other rows", "blocks at the same hour and weekday", "the same season"

Subject = tuple[str, str]


@dataclass(frozen=True)
class Lesson:
    """What the reference teaches of one check on one column: a tolerance, or why there is none."""

    tolerance: float
    blocks: int
    independent: float
    worst: str
    effect: float
    company: str
    reason: str = ""

    def to_dict(self, used: float, declared: float) -> dict[str, Any]:
        """Return the lesson as evidence."""
        return {
            "used": used,
            "declared": declared,
            "learned": None if self.reason else self.tolerance,
            "blocks": self.blocks,
            "independent_blocks": round(self.independent, 1),
            "worst_block": self.worst,
            "worst_effect": self.effect,
            "compared_with": self.company,
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class Taught:
    """What a reference teaches, and the rows of it that each column is compared with.

    `nothing` is why it teaches nothing at all.
    """

    layout: Layout | None = None
    lessons: Mapping[Subject, Lesson] = field(default_factory=dict)
    company: Mapping[str, Profile] = field(default_factory=dict)
    nothing: str = ""

    def reference(self, whole: Profile) -> Profile:
        """Return the reference with the rows that each column is compared with."""
        parts = dict(whole.parts)
        for column, profile in self.company.items():
            parts |= {key: part for key, part in profile.parts.items() if key[0] == (column,)}
        return replace(whole, parts=parts)

    def over(self, findings: Iterable[Finding], auto: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings, those in `auto` with the tolerance they were taught."""
        listed, wanted = tuple(findings), {id(each) for each in auto}
        comparisons = sum(each.effect is not None for each in listed)
        return tuple(
            self._judged(each, comparisons) if id(each) in wanted else each for each in listed
        )

    def _judged(self, finding: Finding, comparisons: int) -> Finding:
        effect = finding.effect
        if effect is None or not effect.defined:
            return finding
        lesson = self.lessons.get(_subject(finding))
        if lesson is None:
            lesson = self._absent(finding)
        most = EFFECT_MAXIMUM.get(effect.name, math.inf) / 2
        declared = effect.tolerance
        used = declared if lesson.reason else max(declared, lesson.tolerance)
        if used >= most:
            lesson, used = replace(lesson, reason=self._wild(lesson, effect.name)), declared
        evidence = {**finding.evidence, "tolerance": _clean(lesson.to_dict(used, declared))}
        needs = finding.needs_rows
        if needs is not None and used > declared:
            needs = math.ceil(needs * (declared / used) ** 2)
        same = replace(
            finding, effect=replace(effect, tolerance=used), evidence=evidence, needs_rows=needs
        )
        beyond = most if math.isnan(lesson.effect) else max(most, lesson.effect)
        if not lesson.reason or _settled(effect, beyond, comparisons):
            return same
        evidence["effect"] = {"name": effect.name, "low": effect.low, "high": effect.high}
        says = f"{lesson.reason}; {finding.says}"
        return replace(
            same,
            effect=None,
            verdict=Verdict.UNKNOWN,
            says=says,
            evidence=evidence,
            needs_rows=None,
        )

    def _absent(self, finding: Finding) -> Lesson:
        """Return the lesson of what no check said of any block: it never happened, or who knows."""
        blocks = max((each.blocks for each in self.lessons.values()), default=0)
        known = {name for _, name in self.lessons}
        if not self.nothing and finding.column in known:
            return Lesson(0.0, blocks, float(blocks), "", 0.0, _ALL)
        why = self.nothing or "no block of the reference holds it"
        return Lesson(math.nan, 0, 0.0, "", math.nan, _ALL, why)

    def _wild(self, lesson: Lesson, effect: str) -> str:
        """Return why blocks that lie too far apart teach nothing; a season is the likely cause."""
        apart = f"blocks of {self._length} lie up to {size(effect, lesson.effect)} from the others"
        layout = self.layout
        if layout and layout.short and lesson.independent < lesson.blocks / 2:
            return f"{layout.short}: {apart}, neighbours alike"
        return f"the reference's own {apart}, so no tolerance can be taught"

    @property
    def _length(self) -> str:
        return lasting(self.layout.length, dated=self.layout.dated) if self.layout else ""

    @property
    def note(self) -> str:
        """One sentence for the report: how the tolerances were learned, or why they were not."""
        if self.layout is None or not self.lessons:
            return f"tolerance auto: {self.nothing}"
        layout, taught = self.layout, [each for each in self.lessons.values() if not each.reason]
        blocks = max(each.blocks for each in self.lessons.values())
        told = (
            f"tolerances learned for {len(taught)} of {len(self.lessons)} comparisons from "
            f"{blocks} blocks of {self._length} ({layout.label(0)} to {layout.label(-1)}), each "
            f"against reference rows outside it; never below the declared tolerance"
        )
        named = ", ".join(sorted(self.company))
        return told + (f"; compared within their season: {named}" if named else "")


def teach(
    layout: Layout, blocks: Sequence[Profile], rest: Profile, checks: Sequence[Check]
) -> Taught:
    """Return what a reference teaches, given its blocks and the rows in none of them."""
    long = lasting(layout.length, dated=layout.dated)
    if len(layout.numbers) < LEAST:
        span = lasting(layout.span, dated=layout.dated)
        many = "no block" if not layout.numbers else f"{len(layout.numbers)} block"
        many += "s" if len(layout.numbers) > 1 else ""
        why = f"{span} of reference hold {many} as long as the current set ({long}), {LEAST} needed"
        return Taught(layout, nothing=why)
    held = [spot for spot, block in enumerate(blocks) if block.rows >= ROWS]
    if len(held) < LEAST:
        most = sorted(block.rows for block in blocks)[-LEAST]
        why = f"blocks of {long} are too small: {LEAST} of {ROWS} rows needed, one has {most}"
        return Taught(layout, nothing=why)
    names = {each.origin or each.name for each in rest.all_columns}
    lessons, company = dict(_lessons(_All(layout, blocks, rest, held), names, checks)), {}
    loose = {
        origin
        for (_, name), each in lessons.items()
        if (origin := _origin(rest, name)) and (each.reason or each.effect > 0)
    }
    for narrow in (_Aligned(layout, blocks, rest, held), _Season(layout, blocks, rest, held)):
        if not narrow.company():
            continue
        found = dict(_lessons(narrow, loose, checks))
        for column in {name for _, name in found}:
            before = [lessons[key] for key in found if key[1] == column and key in lessons]
            after = [found[key] for key in found if key[1] == column and key in lessons]
            if after and _size(after) < BETTER * _size(before):
                lessons |= {key: each for key, each in found.items() if key[1] == column}
                company[column] = narrow.company()[0][1]
    return Taught(layout, lessons, company)


def _size(lessons: Sequence[Lesson]) -> float:
    return max(math.inf if each.reason else each.tolerance for each in lessons)


@dataclass(frozen=True)
class _All:
    """Each block against every other row."""

    layout: Layout
    blocks: Sequence[Profile]
    rest: Profile
    held: Sequence[int]
    word: str = _ALL

    def company(self) -> list[tuple[int, Profile]]:
        """Return (-1, what the current set is compared with), then each block's own company."""
        others = _others(self.blocks, self.rest)
        return [(-1, self.rest), *((spot, others[spot]) for spot in self.held)]

    def taught(self, column: str, effects: NDArray[np.float64]) -> tuple[float, str]:
        """Return how many independent blocks a column's are worth, and why they teach nothing."""
        apart = _apart([self.blocks[spot] for spot in self.held], column)
        count = float(len(effects)) if apart is None else min(worth(apart), float(len(effects)))
        if count >= LEAST or not effects.any():
            return max(count, 2.0), ""
        long = lasting(self.layout.length, dated=self.layout.dated)
        span = lasting(self.layout.span, dated=self.layout.dated)
        return count, (
            f"{self.layout.short or f'{span} cannot teach a trend'}: blocks of {long} near each "
            f"other are alike and distant ones are not, so {len(self.held)} are worth {count:.0f}"
        )


@dataclass(frozen=True)
class _Aligned(_All):
    """Each block against the other blocks, all at the hour and weekday of the current set."""

    word: str = _ALIGNED

    def company(self) -> list[tuple[int, Profile]]:
        """Return the blocks together, then each one's others; nothing where they fill the time."""
        if self.layout.step < 2 * self.layout.length:
            return []
        return [(-1, _sum(self.blocks)), *_each(self.blocks, self.held)]


@dataclass(frozen=True)
class _Season(_All):
    """Each block against the blocks of the same phase of the open season."""

    word: str = _SEASON

    def company(self) -> list[tuple[int, Profile]]:
        """Return the blocks in the current set's phase, then each block's others in its own."""
        phases: dict[int, list[int]] = {}
        for spot in self.held if self.layout.classes > 1 else ():
            phases.setdefault(self.layout.phase(self.layout.numbers[spot]), []).append(spot)
        often = [spots for spots in phases.values() if len(spots) >= RETURNS]
        if len(phases.get(0, ())) < RETURNS or sum(map(len, often)) < LEAST:
            return []
        current = _sum([self.blocks[spot] for spot in phases[0]])
        return [(-1, current), *(pair for spots in often for pair in _each(self.blocks, spots))]

    def taught(self, column: str, effects: NDArray[np.float64]) -> tuple[float, str]:  # noqa: ARG002 - other ways of pairing need it
        """Return how many blocks there are: within its season each stands alone."""
        return float(len(effects)), ""


def _lessons(
    against: _All, columns: Iterable[str], checks: Sequence[Check]
) -> Iterator[tuple[Subject, Lesson]]:
    """Ask every check about every block; yield what each subject's effects teach."""
    wanted = sorted(columns)
    seen: dict[Subject, dict[int, float]] = {}
    asked: list[int] = []
    for spot, company in against.company()[1:]:
        history = History(company.of(wanted), against.blocks[spot].of(wanted))
        asked.append(spot)
        for finding in (each for check in checks for each in check(history)):
            if finding.effect is not None:
                found = seen.setdefault(_subject(finding), {})
                value = finding.effect.value if finding.effect.defined else math.nan
                found[spot] = max(found.get(spot, value), value)
    for subject, values in seen.items():
        # A check that says nothing of a block found nothing there.
        found = {spot: values.get(spot, 0.0) for spot in asked}
        found = {spot: value for spot, value in found.items() if not math.isnan(value)}
        effects = np.array(list(found.values()))
        if len(effects) < LEAST:
            continue
        count, why = against.taught(subject[1], effects)
        worst = max(found, key=lambda spot: (found[spot], -spot))
        learned = math.nan if why else limit(effects, CHANCE, count)
        label = against.layout.label(worst)
        yield subject, Lesson(learned, len(effects), count, label, found[worst], against.word, why)


def _subject(finding: Finding) -> Subject:
    return finding.check, finding.column or finding.subject


def _origin(profile: Profile, name: str) -> str:
    """Return the column of the data behind a column's name, or "" where there is none."""
    return (profile.column(name).origin or name) if name in profile.all_columns else ""


def _settled(effect: Effect, beyond: float, comparisons: int) -> bool:
    """Tell whether the verdict needs no teaching: steady as declared, or beyond all there can be.

    That is the largest tolerance, and the worst block that was seen.
    """
    verdict = decide(effect, comparisons)
    return verdict is Verdict.STEADY or (verdict is Verdict.CHANGED and effect.low >= beyond)


def _apart(blocks: Sequence[Profile], column: str) -> NDArray[np.float64] | None:
    """Return how far the blocks' values of a column lie apart, or None where none are kept."""
    rows: list[NDArray[np.float64]] = []
    numeric = blocks[0].get(Histogram, column) is not None
    for block in blocks:
        numbers, words = block.get(Histogram, column), block.get(Categories, column)
        counts = (
            numbers.tally if numbers is not None else words.buckets if words is not None else None
        )
        if counts is None:
            return None
        shares = counts / max(int(counts.sum()), 1)
        rows.append(shares.cumsum() if numeric else shares)
    table = np.stack(rows)
    table = table[:, np.ptp(table, axis=0) > 0]
    if not table.shape[1]:
        return np.zeros((len(rows), len(rows)))
    gaps = [np.abs(table - row) for row in table]
    return np.stack([gap.max(axis=1) if numeric else gap.sum(axis=1) / 2 for gap in gaps])


def _sum(profiles: Sequence[Profile]) -> Profile:
    """Return the profile of all rows; they share a plan, which is not proved again."""
    first, *others = profiles
    parts = dict(first.parts)
    for other in others:
        parts = {key: part + other.parts[key] for key, part in parts.items()}
    return replace(first, parts=parts, rows=sum(profile.rows for profile in profiles))


def _others(profiles: Sequence[Profile], rest: Profile) -> list[Profile]:
    """Return, for each profile, the rest and all others: what comes before it, and after."""
    after = [rest]
    for profile in reversed(profiles[1:]):
        after.append(_sum([after[-1], profile]))
    out, before = [], rest.empty()
    for profile, behind in zip(profiles, reversed(after), strict=True):
        out.append(_sum([before, behind]))
        before = _sum([before, profile])
    return out


def _each(blocks: Sequence[Profile], spots: Sequence[int]) -> list[tuple[int, Profile]]:
    chosen = [blocks[spot] for spot in spots]
    return list(zip(spots, _others(chosen, chosen[0].empty()), strict=True))


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with None for what is not a number: JSON has no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}

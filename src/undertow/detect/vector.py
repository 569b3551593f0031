"""Vectors: the share of rows that moved or are novel, where, and which rows to look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from undertow.core.check import History, family
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import WATCH_FAMILY
from undertow.detect.vector_map import LISTED, map_of, named, sure
from undertow.detect.vector_sides import MOST, Side, side_of, words_of
from undertow.stats import battery, sampled, twosample
from undertow.stats.describe import Curve
from undertow.stats.moved import Moved, moved, rows_needed
from undertow.stats.neighbours import unit
from undertow.stats.regions import Region, regions, rows_by_newness
from undertow.summaries.categories import Categories
from undertow.summaries.histogram import Histogram

SHARED = 50
"""Comparisons of a report up to which the battery's p is resolved: it is held against .05 / 50."""
EXAMPLES = 6
FOREIGN = 0.9
"""Where more than this share of the rows moved, another model is likelier than other data."""
LOOKS = ("mean and spread", "the shares of small regions", "distance to the nearest known rows")
"""What the battery's statistics look at, in words, in their order."""


@dataclass(frozen=True)
class Vector:
    """The share of rows that moved or are novel, by where their nearest rows are.

    A battery of three two-sample tests (Frechet distance, cells of a tree of clusters, distance to
    the nearest known rows), calibrated by re-splitting both sides' rows, can raise `watch` alone: it
    sees more than can be sized. `changed` needs the share's interval beyond the tolerance. Where
    the rows went is told by the words of the region, and by the rows that look newest.

    At most 4,096 rows of a side are compared, those that a profile keeps. Vectors are compared
    within each value of a segment too, and of what `--by` names.
    """

    name: ClassVar[str] = "drift.vector"
    offers: ClassVar[Mapping[str, Callable[..., twosample.Evidence]]] = {
        "mmd": twosample.mmd,
        "c2st": twosample.c2st,
    }
    """Two-sample tests that are measured where they are asked for by name; they decide nothing."""
    tolerance: float = 0.02
    least: int = 100
    """Rows a side of a segment that is compared on its own."""
    values: int = 12
    """Values of a segment that are compared at most, the commonest first."""

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the plain columns of each vector: where it moved is told over time by those."""
        origins = {column.name for column in schema.of(kind=Kind.VECTOR)}
        for column in schema:
            if column.origin in origins and column.kind is Kind.NUMBER:
                yield (column.name,), Histogram
            elif column.origin in origins and column.kind is Kind.CATEGORY:
                yield (column.name,), Categories

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a vector column, and one for each value of a segment."""
        for column in history.shared(kind=Kind.VECTOR):
            if column.role in {Role.PREDICTION, Role.SCORE}:
                continue
            before, now = side_of(history.reference, column), side_of(history.now, column)
            if before is None or now is None or before.rows.shape[1] != now.rows.shape[1]:
                continue
            yield self._compare(history, column, before, now)
            yield from self._within(history, column, before, now)

    def _compare(
        self, history: History, column: Column, before: Side, now: Side, value: str | None = None
    ) -> Finding:
        check = f"{family(column)}.vector"
        tolerance = history.tolerance(check, "moved_share", column.name, self.tolerance)
        subject = column.name if value is None else f"{column.name} [{value}]"
        size = moved(before.rows, now.rows, tolerance=tolerance)
        rows = Rows(len(before.rows), len(now.rows))
        first = -1 if value is None else 1  # all rows before some of them
        bare = Finding(
            check, subject, "", size.effect, rows, column=column.name, value=value, precedence=first
        )
        if not size.effect.defined:
            return replace(bare, says=f"{rows.reference:,} and {rows.current:,} usable vectors")
        known = battery.fit(before.rows)
        outcome = battery.battery(known, now.rows, level=WATCH_FAMILY / SHARED)
        alarm = None if math.isnan(outcome.p) else outcome.p
        where = _regions(before, now)
        shown = size.effect.detected or outcome.p <= WATCH_FAMILY
        alike = [len(s.rows) > 1 and bool((s.rows == s.rows[0]).all()) for s in (before, now)]
        foreign = size.effect.low > FOREIGN and not any(alike)
        return replace(
            bare,
            effect=replace(size.effect, p_alarm=alarm),
            says=_says(size, outcome, where, one=alike[1]),
            needs_rows=rows_needed(tolerance),
            unsure=_unsure(size, rows),
            evidence=_evidence(history, column, before, now, size, outcome, where),
            shape=map_of(history, before, now, where) if value is None else None,
            # Without a difference, the newest rows are noise.
            examples=_examples(before, now) if shown else (),
            causes=_causes(where, foreign=foreign),
            next=_next(history, column, foreign=foreign),
        )

    def _within(
        self, history: History, column: Column, before: Side, now: Side
    ) -> Iterator[Finding]:
        asked = {each.name for each in history.shared() if each.role is Role.SEGMENT}
        for name in sorted(asked | history.by):
            if name not in before.table.column_names or name not in now.table.column_names:
                continue
            ours, theirs = (words_of(side.table, name) for side in (before, now))
            found, counts = np.unique(theirs, return_counts=True)
            for value in found[np.argsort(-counts, kind="stable")][: self.values]:
                inside = ours == value, theirs == value
                if value and min(int(each.sum()) for each in inside) >= self.least:
                    pair = before.only(inside[0]), now.only(inside[1])
                    yield self._compare(history, column, *pair, value=f"{name}={value}")


def _regions(before: Side, now: Side) -> tuple[Region, ...]:
    if not len(before.rows) or not len(now.rows):
        return ()
    name = next(iter(before.of(Kind.TEXT)), None)
    texts = labels = None
    if name is not None and name in now.table.column_names:
        texts = before.table.column(name).to_pylist(), now.table.column(name).to_pylist()
    label = before.role(Role.LABEL) or before.role(Role.PREDICTION)
    if label is not None and label in now.table.column_names:
        labels = words_of(before.table, label).tolist(), words_of(now.table, label).tolist()
    return regions(unit(before.rows), unit(now.rows), texts=texts, labels=labels)


def _says(size: Moved, outcome: battery.Outcome, where: Sequence[Region], *, one: bool) -> str:
    effect, place = size.effect, ""
    for name, region in sorted(sure(where), key=lambda each: not each[1].grew)[:1]:
        told = name if name.startswith("region ") else repr(name)
        place = f"; {told} went from {percent(region.before)} to {percent(region.after)} of rows"
    share = percent(effect.value)
    if one and effect.low > effect.tolerance:
        return "every row has the same vector now"
    if effect.low > FOREIGN:
        return f"{share} of rows lie elsewhere than before, as another model's vectors would"
    fired = outcome.p <= WATCH_FAMILY  # not where it is nan
    if effect.p_no_change > WATCH_FAMILY and not fired:
        return "no difference of the vectors is shown"
    if fired and effect.value <= effect.tolerance and effect.low == 0:
        strongest = min(battery.STATISTICS, key=lambda each: outcome.parts[each][1])
        look = LOOKS[battery.STATISTICS.index(strongest)]
        return (
            f"the vectors differ from the reference's, most in {look} (p = {outcome.p:.1g}), "
            f"but how many rows moved cannot be told{place}"
        )
    # Rows in a place of their own are a group too, so they count as regrouped besides.
    if size.new >= max(size.gone, 0.8 * size.regrouped):
        return f"{share} of rows are where the reference has few or none{place}"
    if size.gone >= 0.8 * size.regrouped:
        return f"{share} of the reference's rows have hardly any like them now{place}"
    return f"{share} of rows moved between known groups{place}"


def _unsure(size: Moved, rows: Rows) -> str:
    """Return what is said where more rows would not tell, or would not be looked at."""
    effect, needed = size.effect, rows_needed(size.effect.tolerance)
    if effect.detected or MOST >= needed > min(rows.reference, rows.current):
        return ""
    most = (
        f"{MOST:,} rows a side are compared at most, too few for" if needed > MOST else "too near"
    )
    limit = percent(effect.tolerance)
    return f"up to {percent(effect.high)} of rows may have moved: {most} a limit of {limit}"


def _evidence(
    history: History,
    column: Column,
    before: Side,
    now: Side,
    size: Moved,
    outcome: battery.Outcome,
    where: Sequence[Region],
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "share": {"new": size.new, "gone": size.gone, "regrouped": size.regrouped},
        "battery": {
            "p": outcome.p,
            **{f"{name}_p": p for name, (_, p) in outcome.parts.items()},
            "splits": outcome.splits,
        },
        "compared_rows": {"reference": len(before.rows), "current": len(now.rows)},
    }
    for name in sorted(history.evidence & set(Vector.offers)):
        found[name] = Vector.offers[name](before.rows, now.rows)._asdict()
    for derived in history.reference.derived:
        if derived.origin == column.name and derived.kind is Kind.NUMBER:
            pair = _medians(history, derived.name)
            if pair is not None:
                found[derived.name.rpartition(":")[2]] = pair
    if where:
        found["regions"] = [_told(each, place) for place, each in enumerate(where[:LISTED])]
    return found


def _medians(history: History, name: str) -> dict[str, float] | None:
    """Return the median of a plain column of the vector, before and now."""
    sides = (history.reference.get(Histogram, name), history.now.get(Histogram, name))
    middles = [
        Curve.of(side.edges, side.tally, side.edges[0], side.edges[-1]).quantile(0.5)
        for side in sides
        if side is not None and side.rows and len(side.edges)
    ]
    if len(middles) < len(sides):
        return None
    return dict(zip(("reference", "current"), middles, strict=True))


def _told(region: Region, place: int) -> dict[str, Any]:
    return {
        "name": named(region, place),
        "share": {"reference": region.before, "current": region.after},
        "change": [region.low, region.high],
        "p": region.p,
        "rows": {"reference": region.rows_before, "current": region.rows_after},
        "labels": {
            "reference": _commonest(region.labels_before),
            "current": _commonest(region.labels_after),
        },
    }


def _commonest(labels: Mapping[str, int]) -> dict[str, int]:
    return {str(name)[:80]: labels[name] for name in sorted(labels, key=lambda k: -labels[k])[:5]}


def _examples(before: Side, now: Side) -> tuple[Mapping[str, str], ...]:
    """Return the rows that look newest here, then those least like anything seen."""
    if not len(before.rows) or len(now.rows) < 2:
        return ()
    found = rows_by_newness(unit(before.rows), unit(now.rows))
    shown: dict[int, str] = dict.fromkeys(found.newest[: EXAMPLES // 2].tolist(), "new here")
    for spot in found.strangest.tolist():
        if len(shown) == EXAMPLES or len(shown) == len(now.rows):
            break
        shown.setdefault(spot, "unlike anything seen")
    roles = (Role.ID, Role.TIME, Role.LABEL, Role.PREDICTION)
    columns = [*now.of(Kind.IMAGE)[:1], *now.of(Kind.TEXT)[:1], *(now.role(r) for r in roles)]
    names = [name for name in dict.fromkeys(columns) if name is not None]
    if not names:
        return ()
    cells = {name: sampled.shown(now.schema, name, now.table.column(name)) for name in names}
    return tuple(
        {"why": why, **{name: cells[name][spot] for name in names}} for spot, why in shown.items()
    )


def _causes(where: Sequence[Region], *, foreign: bool) -> tuple[str, ...]:
    if foreign:
        return ("nearly every row moved, as if another model made the vectors",)
    told = [(name, region) for name, region in sure(where) if region.grew]
    grew = [name for name, region in told if region.words][:3]
    return (f"more rows about {'; '.join(map(repr, grew))}",) if grew else ()


def _next(history: History, column: Column, *, foreign: bool) -> tuple[str, ...]:
    origin = column.origin
    image = (
        origin in history.reference.schema and history.reference.schema[origin].kind is Kind.IMAGE
    )
    if image:  # no command scores or compares images
        return ()
    if foreign:
        return (
            "undertow compare-encoders OLD NEW --anchors TEXTS --text COLUMN: is it another model?",
        )
    flag = f"--text {origin}" if origin else f"--vector {column.name}"
    return (f"undertow ood REFERENCE CURRENT {flag} --scores scores.parquet: score each row",)

"""Performance: how often the model is right, where that fell most, how far off its numbers are.

Only rows that have a label count. Where there are none, nothing is known, and the finding says so.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from undertow.core.check import History
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import Profile
from undertow.core.schema import Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.detect import judged
from undertow.stats import describe, metrics, recall
from undertow.stats.metrics import CLASSES, NUMBERS, RELATIVE, TOLERANCE, Measured, Metric
from undertow.stats.outcomes import Sums, Table, tables
from undertow.stats.recall import Recalls
from undertow.stats.rows import needs_rows
from undertow.stats.score import Z, limits
from undertow.summaries.errors import Errors
from undertow.summaries.outcomes import Outcomes

METRICS = "undertow.metrics"
"""Entry-point group of metrics: a name -> a `Metric`, made of one function."""
CLASS_RECALL = "class_recall"
"""The one class whose recall moved most; not a metric of the table but of its worst part."""
_CLASSES_SHOWN = 6


@cache
def registered() -> Mapping[str, Metric]:
    """Return every registered metric by its name."""
    entries = sorted(importlib.metadata.entry_points(group=METRICS), key=lambda each: each.name)
    return {each.name: each.load() for each in entries}


@dataclass(frozen=True)
class Performance:
    """The chosen metrics before and now, on the rows that have a label.

    By default accuracy and the recall of the class that moved most, or the mean absolute error of
    numbers. Every other registered metric stands in the evidence with the interval of its change;
    only chosen ones are judged, because each comparison costs power. A metric between 0 and 1 has a
    tolerance of 0.02, the recall of a class one of Cohen's h 0.2 (90 -> 83%), an error in the
    label's unit one of a tenth of its own size.
    """

    name: ClassVar[str] = "performance"
    metrics: tuple[str, ...] = ("accuracy", CLASS_RECALL, "mae")
    tolerance: float | None = None

    def __post_init__(self) -> None:
        """Refuse a metric that nobody registered, or that can only be evidence."""
        for name in self.metrics:
            if name not in registered() and name != CLASS_RECALL:
                known = [CLASS_RECALL, *registered()]
                raise UsageError(f"no metric {name!r}{did_you_mean(name, known)}")
            if name != CLASS_RECALL and not registered()[name].judged:
                raise UsageError(
                    f"metric {name!r} grows with noise and is evidence only; leave it out"
                )

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the outcomes of every prediction that has a label."""
        yield from judged.needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a prediction and chosen metric, or one that says labels are missing."""
        for (columns, kind), before in history.reference.parts.items():
            if not isinstance(before, Outcomes | Errors) or not _usable(before):
                continue
            now = history.now.parts.get((columns, kind))
            if not isinstance(now, Outcomes | Errors) or not before.judged or not now.judged:
                yield _unjudged(history, columns, before, now)
            elif isinstance(before, Errors) and isinstance(now, Errors):
                yield from self._numbers(history, columns, before, now)
            elif isinstance(before, Outcomes) and isinstance(now, Outcomes):
                yield from self._classes(history, columns, before, now)

    def _numbers(
        self, history: History, columns: tuple[str, ...], before: Errors, now: Errors
    ) -> Iterator[Finding]:
        every = [each for each in registered().values() if each.over == NUMBERS]
        sides, drawn = (Sums.of(before), Sums.of(now)), (Sums.drawn(before), Sums.drawn(now))
        found = _measured(every, sides, drawn)
        for chosen in every:
            if chosen.name in self.metrics:
                yield self._finding(history, columns, chosen, found, sides, (before, now), "")

    def _classes(
        self, history: History, columns: tuple[str, ...], before: Outcomes, now: Outcomes
    ) -> Iterator[Finding]:
        every = [each for each in registered().values() if each.over == CLASSES]
        sides = tables(before, now)
        plain = sides[0].collapsed(), sides[1].collapsed()
        drawn = sides[0].drawn(), sides[1].drawn()
        few = plain[0].smoothed().drawn(), plain[1].smoothed().drawn()
        scored = bool((sides[0].bins >= 0).any())
        found = _measured([m for m in every if m.scored], sides, drawn) if scored else {}
        found |= _measured([m for m in every if not m.scored], plain, few)
        every = [each for each in every if each.name in found]
        compared = self._recall(history, columns, plain)
        worst = _worst(plain, compared) if compared else ""
        for chosen in every:
            if chosen.name in self.metrics:
                ends = sides if chosen.scored else plain
                yield self._finding(history, columns, chosen, found, ends, (before, now), worst)
        if CLASS_RECALL in self.metrics and compared:
            yield _recall_finding(history, columns, plain, compared, (before, now))

    def _recall(
        self, history: History, columns: tuple[str, ...], sides: tuple[Table, Table]
    ) -> tuple[Recalls, int, Effect] | None:
        """Return the classes compared and the one whose recall moved most; None for one class."""
        tolerance = self.tolerance or 0.2
        name = judged.subject(history.reference, columns)
        tolerance = history.tolerance(f"{self.name}.{CLASS_RECALL}", "cohens_h", name, tolerance)
        counts = [each.astype(np.int64) for side in sides for each in metrics.parts(side)[:2]]
        found = recall.comparable(*counts, tolerance=tolerance)
        place, effect = recall.largest_recall_change(found, tolerance=tolerance)
        return None if place < 0 or len(sides[0].classes) < 2 else (found, place, effect)

    def _finding(
        self,
        history: History,
        columns: tuple[str, ...],
        chosen: Metric,
        found: Mapping[str, tuple[Measured, Measured]],
        sides: tuple[Any, Any],
        tables_: tuple[Outcomes | Errors, Outcomes | Errors],
        worst: str,
    ) -> Finding:
        subject = judged.subject(history.reference, columns)
        check = f"{self.name}.{chosen.name}"
        unit = TOLERANCE[chosen.unit]
        tolerance = history.tolerance(check, chosen.unit, subject, self.tolerance or unit)
        before, now = found[chosen.name]
        effect = metrics.change(chosen, before, now, tolerance, sides)
        label = judged.label_of(history.reference, columns)
        said = f"{chosen.title} {_told(chosen, before)} → {_told(chosen, now)}"
        fell = worst if worst and effect.value > 0 else ""
        return Finding(
            check,
            subject,
            f"{said} on {judged.labelled(tables_[1], label)}{fell}",
            effect,
            Rows(tables_[0].judged, tables_[1].judged),
            column=subject,
            needs_rows=_needed(chosen, effect, before, now, tables_),
            evidence={**_evidence(found, tables_), **judged.caution(tables_[1])},
            shape={"form": "metric", "reference": before.to_dict(), "current": now.to_dict()},
            examples=judged.wrong(history, columns, tables_[1]),
            next=_next(history.reference, columns, tables_[1]),
        )


def _usable(table: Outcomes | Errors) -> bool:
    if isinstance(table, Errors):
        return table.usable
    return table.scores.predicted or table.scores.meaning != "none"


def _unjudged(
    history: History,
    columns: tuple[str, ...],
    before: Outcomes | Errors,
    now: object,
) -> Finding:
    """Return the finding that says what cannot be known: an unknown fact, never green."""
    subject = judged.subject(history.reference, columns)
    label = judged.label_of(history.reference, columns)
    now = now if isinstance(now, Outcomes | Errors) else None
    gone = [name for name in columns if name not in history.now.all_columns]
    if gone:
        what = f"column {gone[0]!r} is gone"
    elif now is not None and not now.labelled:
        what = f"none of {now.rows:,} current rows has a {label!r} yet"
    elif not before.judged:
        what = f"no row of the reference has both {label!r} and {subject!r}"
    else:
        what = f"no current row has both {label!r} and {subject!r}"
    return Finding(
        "performance.labels",
        subject,
        f"whether {subject!r} is still right is unknown: {what}. All else this report says of it "
        "is read from inputs and outputs alone, so concept drift cannot be excluded",
        rows=Rows(before.judged, now.judged if now is not None else 0),
        column=subject,
        evidence={
            "labelled": describe.pair(
                before.labelled / max(before.rows, 1),
                now.labelled / max(now.rows, 1) if now is not None else math.nan,
            )
        },
        next=("label a few hundred current rows drawn at random, then check again",),
    )


def _measured(
    every: list[Metric], sides: tuple[Any, Any], drawn: tuple[Any, Any]
) -> dict[str, tuple[Measured, Measured]]:
    """Return the metrics that are defined on either side, with their intervals."""
    found = {}
    for each in every:
        pair = tuple(metrics.measured(each, *side) for side in zip(sides, drawn, strict=True))
        if any(math.isfinite(side.value) for side in pair):
            found[each.name] = (pair[0], pair[1])
    return found


def _told(chosen: Metric, side: Measured) -> str:
    if chosen.counts is not None:
        return percent(side.value)
    return f"{side.value:.3f}" if chosen.unit != RELATIVE else f"{side.value:.4g}"


def _evidence(
    found: Mapping[str, tuple[Measured, Measured]],
    sides: tuple[Outcomes | Errors, Outcomes | Errors],
) -> dict[str, Any]:
    out: dict[str, Any] = {
        "labelled": describe.pair(*(side.labelled / max(side.rows, 1) for side in sides))
    }
    if sides[0].unpredicted or sides[1].unpredicted:
        lacks = (side.unpredicted / max(side.rows, 1) for side in sides)
        out["without_prediction"] = describe.pair(*lacks)
    for name, (before, now) in found.items():
        out[name] = describe.pair(before.value, now.value)
    for name, (before, now) in found.items():
        moved = now.value - before.value
        error = Z * math.hypot(before.error, now.error)
        if registered()[name].judged and math.isfinite(error + moved):
            out[f"{name}_change"] = [round(moved - error, 6), round(moved + error, 6)]
    return out


def _needed(
    chosen: Metric,
    effect: Effect,
    before: Measured,
    now: Measured,
    sides: tuple[Outcomes | Errors, Outcomes | Errors],
) -> int | None:
    if not effect.defined or effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    rows = [side.judged for side in sides]
    spread = max(side.error * math.sqrt(n) for side, n in zip((before, now), rows, strict=True))
    if chosen.unit == RELATIVE:
        spread /= abs(before.value) or 1.0
    return needs_rows("difference", min(effect.tolerance, 0.49), sd=spread or 0.01)


def _worst(sides: tuple[Table, Table], compared: tuple[Recalls, int, Effect]) -> str:
    found, place, _ = compared
    was, is_ = _shares(found, place)
    mixed = metrics.mix(*sides)
    if abs(mixed.shares) > abs(mixed.recalls):
        name = sides[0].classes[mixed.most] if mixed.most < len(sides[0].classes) else "the rest"
        then, now = (percent(each) for each in mixed.share)
        return f"; mostly because rows labelled {name!r} went {then} → {now}"
    word = "worst for" if is_ < was else "most moved:"
    return f"; {word} {_name(sides, found, place)}: recall {percent(was)} → {percent(is_)}"


def _name(sides: tuple[Table, Table], found: Recalls, place: int) -> str:
    members = found.members[place]
    names = [*sides[0].classes, "classes beyond the cap"]
    if len(members) == 1:
        return f"class {names[members[0]]!r}"
    return f"the {len(members)} classes too rare to compare alone"


def _shares(found: Recalls, place: int) -> tuple[float, float]:
    return (
        float(found.hits[place] / found.rows[place]),
        float(found.other_hits[place] / found.other_rows[place]),
    )


def _recall_finding(
    history: History,
    columns: tuple[str, ...],
    sides: tuple[Table, Table],
    compared: tuple[Recalls, int, Effect],
    tables_: tuple[Outcomes, Outcomes],
) -> Finding:
    found, place, effect = compared
    subject = judged.subject(history.reference, columns)
    was, is_ = _shares(found, place)
    members = found.members[place]
    name = sides[0].classes[members[0]] if members[0] < len(sides[0].classes) else None
    alone = len(members) == 1 and name is not None
    says = f"recall of {_name(sides, found, place)} {percent(was)} → {percent(is_)}"
    says += f" on {int(found.other_rows[place]):,} rows labelled so"
    if alone and is_ < was:
        says += _called(sides[1], members[0])
    bars = np.argsort(-np.abs(found.moved), kind="stable")[:_CLASSES_SHOWN]
    return Finding(
        f"performance.{CLASS_RECALL}",
        f"{subject}={name}" if alone else subject,
        says,
        effect,
        Rows(tables_[0].judged, tables_[1].judged),
        column=subject,
        value=name if alone else None,
        needs_rows=recall.rows_needed(found, effect),
        evidence={
            "recall": {
                _name(sides, found, int(spot)): describe.pair(*_shares(found, int(spot)))
                for spot in bars
            },
            "precision": _precisions(sides, found, bars),
            "classes_compared": found.firm,
            "rows_of_class": describe.pair(
                float(found.rows[place]), float(found.other_rows[place])
            ),
            **judged.caution(tables_[1]),
        },
        shape={
            "form": "metric",
            "reference": _end(found.hits[place], found.rows[place]),
            "current": _end(found.other_hits[place], found.other_rows[place]),
        },
        next=_next(history.reference, columns, tables_[1]),
    )


def _end(hits: Any, rows: Any) -> dict[str, float]:
    low, high = limits(hits, rows)
    return {"value": float(hits / rows), "low": float(low), "high": float(high)}


def _precisions(sides: tuple[Table, Table], found: Recalls, bars: Any) -> dict[str, Any]:
    each = [metrics.parts(side) for side in sides]
    out = {}
    for spot in bars:
        members = list(found.members[int(spot)])
        with np.errstate(invalid="ignore", divide="ignore"):
            pair = [float(h[members].sum() / p[members].sum()) for h, _, p in each]
        out[_name(sides, found, int(spot))] = describe.pair(*pair)
    return out


def _called(table: Table, member: int) -> str:
    """Return what rows of a class are now called instead, most often."""
    mine = (table.label == member) & ~table.right & (table.prediction >= 0)
    said = table.by(np.where(mine, table.prediction, -1), table.size)
    spot = int(said.argmax())
    if spot >= len(table.classes) or not said[spot]:
        return ""
    share = said[spot] / table.rows[table.label == member].sum()
    return f"; {percent(float(share))} of them are now called {table.classes[spot]!r}"


def _next(profile: Profile, columns: tuple[str, ...], now: Outcomes | Errors) -> tuple[str, ...]:
    steps = []
    if now.unlabelled:
        steps.append("wait for the missing labels, or label rows drawn at random, and check again")
    label = judged.label_of(profile, columns)
    steps.append(
        f"look at the rows where {judged.subject(profile, columns)!r} and {label!r} differ"
    )
    return tuple(steps)

"""Calibration: whether a probability still means what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.detect import judged
from undertow.stats import calibration, describe, metrics
from undertow.stats.calibration import Gap
from undertow.stats.outcomes import tables
from undertow.stats.rows import needs_rows
from undertow.summaries.outcomes import Outcomes


@dataclass(frozen=True)
class Calibration:
    """How far the gap between the mean probability said and the share that happened moved.

    Two gaps are looked at for two classes: the probability of the positive class against its share,
    and the confidence in the prediction against accuracy; their larger change is measured. For
    several classes it is the second. The expected calibration error, which grows with noise, is
    evidence.
    """

    name: ClassVar[str] = "output.calibration"
    tolerance: float = 0.02

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the outcomes of every prediction that has a label."""
        yield from judged.needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a score that is a probability and has labels on both sides."""
        for (columns, kind), before in history.reference.parts.items():
            now = history.now.parts.get((columns, kind))
            if not isinstance(before, Outcomes) or not isinstance(now, Outcomes):
                continue
            if before.scores.probability and before.judged and now.judged:
                yield from self._compare(history, columns, before, now)

    def _compare(
        self, history: History, columns: tuple[str, ...], before: Outcomes, now: Outcomes
    ) -> Iterator[Finding]:
        score = (
            columns[-1] if before.scores.predicted else judged.subject(history.reference, columns)
        )
        tolerance = history.tolerance(self.name, "difference", score, self.tolerance)
        sides = tables(before, now)
        ends = calibration.gaps(sides[0]), calibration.gaps(sides[1])
        which, effect = calibration.gap_change(*ends, tolerance=tolerance)
        if not which:
            return
        was, is_ = ends[0][which], ends[1][which]
        label = judged.label_of(history.reference, columns)
        yield Finding(
            self.name,
            score,
            f"{_says(which, before, was, is_)} on {judged.labelled(now, label)}",
            effect,
            Rows(before.judged, now.judged),
            column=score,
            needs_rows=_needed(effect, (was, before.judged), (is_, now.judged)),
            evidence=_evidence(ends, sides, now),
            shape={"form": "calibration", "rows": calibration.curve(*sides)},
            examples=judged.wrong(history, columns, now),
            next=(
                f"calibrate {score!r} on recent labels by Platt scaling or isotonic regression",
                "until then, set thresholds on rates that were seen, not on the score",
            ),
        )


def _says(which: str, table: Outcomes, was: Gap, is_: Gap) -> str:
    then, today = (f"{percent(g.said)}" for g in (was, is_))
    seen, now = (f"{percent(g.happened)}" for g in (was, is_))
    if which == "positive":
        name = f"{table.scores.positive!r}"
        return f"{name} is given {today} on average and came true in {now} (was {then} and {seen})"
    word = "over" if is_.value > was.value else "under"
    return f"the model is {word}confident: {today} sure, {now} right (was {then} and {seen})"


def _needed(effect: Effect, *sides: tuple[Gap, int]) -> int | None:
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    spread = max(gap.error * rows**0.5 for gap, rows in sides)
    return needs_rows("difference", effect.tolerance, sd=spread or 0.01)


def _evidence(
    ends: tuple[dict[str, Gap], dict[str, Gap]], sides: tuple[Any, Any], now: Outcomes
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in ends[0]:
        if name not in ends[1]:
            continue
        pair = ends[0][name], ends[1][name]
        words = ("said", "happened") if name == "positive" else ("mean_confidence", "accuracy")
        out[words[0]] = describe.pair(*(gap.said for gap in pair))
        out[words[1]] = describe.pair(*(gap.happened for gap in pair))
        out[f"gap_{name}"] = describe.pair(*(gap.value for gap in pair))
    for each in (metrics.ece, metrics.brier, metrics.log_loss):
        out[each.name] = describe.pair(*(float(each.value(side)) for side in sides))
    if now.outside:
        out["scores_outside_0_1"] = now.outside
    return out | judged.caution(now)

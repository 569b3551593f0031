"""What an encoder scores on tasks, and whether that moved since an earlier report of the same tasks.

A task that was scored before is compared item by item; one that is gone, or whose texts are others, is
a fact. Alone a score is a baseline: nothing to compare it with, and everything that a later run needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from undertow.core.embeds import Match, compare_spaces, space_label
from undertow.core.errors import DataError
from undertow.core.finding import Finding, Rows
from undertow.core.verdict import Effect, Verdict
from undertow.stats.bootstrap import Estimate
from undertow.stats.counts import Floats
from undertow.stats.itemised import FEWEST, change, fall, interval

SCORE, ENCODER = "evaluation.score", "evaluation.encoder"
FORM = "evaluation"
VERSION = 1
"""Of the saved form and of the protocol that tasks are scored by: scores of two are not compared."""
METRICS = {
    "ndcg@10": "nDCG@10",
    "accuracy": "accuracy",
    "v_measure": "V-measure",
    "cosine_spearman": "Spearman's correlation",
    "cosine_ap": "average precision",
}
_WORDS = ("task", "sort", "metric", "unit", "digest", "library", "encoder", "space")
_DRAWS = {"classification": "draws of training texts", "clustering": "clusterings"}
EXAMPLES = 5
SHOWN = 200
LOST = 0.005
"""What an item has to lose to be shown: less is not seen in two digits."""
DIGITS = 6


@dataclass(frozen=True, eq=False)
class Result:
    """What one encoder scored on one task, and what each item adds: their mean is the score.

    `sort` is the type of task, `digest` its content, `space` the encoder's fingerprint, `library` who
    put the task. `scores` are all usual ones. `asked` are the items' texts, which are not kept.
    """

    task: str
    sort: str
    metric: str
    unit: str
    digest: str
    library: str
    encoder: str
    space: str
    items: Floats
    experiments: Floats
    scores: Mapping[str, float] = field(default_factory=dict)
    asked: Sequence[str] = ()

    @property
    def score(self) -> Estimate:
        """The score with its 95% interval, NaN where there are too few items for one."""
        least = -1.0 if self.metric == "cosine_spearman" else 0.0
        return interval(self.items, self.experiments, least=least)

    @property
    def rests_on(self) -> str:
        """What the interval rests on, in words."""
        if len(self.items) < FEWEST:
            return f"unknown: {len(self.items):,} {self.unit}, and {FEWEST} are needed"
        told = f"Student's t over {len(self.items):,} {self.unit}"
        if self.metric not in {"ndcg@10", "accuracy"}:
            told = f"jackknife over {len(self.items):,} {self.unit}"
        if len(self.experiments) > 1:
            told += f" and {len(self.experiments)} {_DRAWS.get(self.sort, 'experiments')}"
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return all that a later run needs, as JSON values, numbers to 6 digits."""
        return {
            "form": FORM,
            "version": VERSION,
            **{name: getattr(self, name) for name in _WORDS},
            "items": _rounded(self.items),
            "experiments": _rounded(self.experiments),
            "scores": {name: float(f"{each:.6g}") for name, each in self.scores.items()},
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], source: str) -> Self:
        """Return what `to_dict` wrote; raise DataError where it is damaged or of another version."""
        try:
            form, version = told["form"], told["version"]
            words = {name: str(told[name]) for name in _WORDS}
            items, experiments = (
                np.array(told[name], np.float64) for name in ("items", "experiments")
            )
            scores = {str(name): float(each) for name, each in told["scores"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{source}: a score in it is damaged; make it again") from error
        if (form, version) != (FORM, VERSION):
            raise DataError(
                f"{source}: scored by protocol {version!r}, this undertow's is {VERSION}; make it again"
            )
        shaped = items.ndim == experiments.ndim == 1 and len(items) > 0
        if not shaped or not (np.isfinite(items).all() and np.isfinite(experiments).all()):
            raise DataError(f"{source}: the scores of {words['task']!r} are damaged; make it again")
        return cls(**words, items=items, experiments=experiments, scores=scores)


def _rounded(values: Floats) -> list[float]:
    return [round(float(each), DIGITS) + 0.0 for each in values]


def earlier(findings: Sequence[Mapping[str, Any]], source: str) -> dict[str, Result]:
    """Return the results that a report's findings keep, by task; raise DataError where there are none."""
    made: dict[str, Result] = {}
    for each in findings:
        shape = each.get("shape") if isinstance(each, Mapping) else None
        if not isinstance(shape, Mapping) or each.get("check") != SCORE:
            continue
        if (saved := shape.get("saved")) is not None:
            result = Result.from_dict(saved, source)
            made[result.task] = result
    if not made:
        checks = sorted({str(each.get("check")) for each in findings if isinstance(each, Mapping)})
        held = f"holds findings of {', '.join(checks[:3])}" if checks else "holds no findings"
        raise DataError(f"{source}: is no report of `undertow evaluate` ({held})")
    return made


def findings(
    now: Sequence[Result], before: Mapping[str, Result] | None, tolerance: float
) -> Iterator[Finding]:
    """Yield a finding a task, one for each task that is gone, and one where the encoder is another."""
    if before is None:
        yield from (_baseline(each, "nothing to compare with: kept as a baseline") for each in now)
        return
    names = {each.task for each in now}
    pairs = [(before[each.task], each) for each in now if each.task in before]
    yield from _encoder(pairs)
    yield from (_gone(each) for name, each in before.items() if name not in names)
    for each in now:
        old = before.get(each.task)
        if old is None:
            yield _baseline(each, "a new task, nothing to compare with: kept as a baseline")
        elif not _comparable(old, each):
            was = f"its texts or answers are others than those that scored {old.score.value:.3f}"
            yield _baseline(each, f"{was}: not compared", old)
        else:
            yield _compared(old, each, tolerance)


def _called(result: Result) -> str:
    return METRICS.get(result.metric, result.metric)


def _told(score: Estimate) -> str:
    if math.isnan(score.low):
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def _baseline(now: Result, why: str, before: Result | None = None) -> Finding:
    return Finding(
        SCORE,
        now.task,
        f"{_called(now)} {_told(now.score)}; {why}",
        rows=Rows(0 if before is None else len(before.items), len(now.items)),
        verdict=Verdict.UNKNOWN,
        evidence=_evidence(now, before),
        shape=_shape(now, None),
    )


def _gone(before: Result) -> Finding:
    says = f"the task is gone: {_called(before)} was {_told(before.score)}"
    return Finding(
        SCORE,
        before.task,
        says,
        rows=Rows(len(before.items), 0),
        verdict=Verdict.CHANGED,
        next=(f"put the task {before.task!r} back, or keep this report as the new reference",),
    )


def _compared(before: Result, now: Result, tolerance: float) -> Finding:
    same = compare_spaces(before.space, now.space) is Match.SAME
    effect = fall(*_sides(before, now), tolerance=tolerance, same=same)
    says = f"{_called(now)} {now.score.value:.3f}, before {before.score.value:.3f}"
    if effect.defined and effect.value > 0:
        says += f": fell by {effect.value:.3f} ({effect.low:.3f} to {effect.high:.3f})"
    lost = _examples(before, now)
    return Finding(
        SCORE,
        now.task,
        says,
        effect,
        Rows(len(before.items), len(now.items)),
        needs_rows=_needs(effect, len(now.items)),
        evidence=_evidence(now, before),
        shape=_shape(now, before),
        examples=lost,
        next=("see which texts lost most: the same command with --all",) if lost else (),
    )


def rises(now: Sequence[Result], before: Mapping[str, Result]) -> Iterator[str]:
    """Yield a line for each task whose score rose, sure to 95%: it is no alarm."""
    for each in now:
        old = before.get(each.task)
        if old is None or not _comparable(old, each):
            continue
        made = change(*_sides(old, each))
        if made.low > 0:
            yield (
                f"task {each.task!r}: {_called(each)} rose by {made.value:.3f} ({made.low:.3f} to "
                f"{made.high:.3f}), from {old.score.value:.3f} to {each.score.value:.3f}: no alarm, "
                "and this report is worth keeping as the reference"
            )


def _comparable(before: Result, now: Result) -> bool:
    return (before.digest, before.sort) == (now.digest, now.sort)


def _sides(before: Result, now: Result) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return items and experiments before and now, these rounded as those are kept."""
    rounded = np.round(now.items, DIGITS), np.round(now.experiments, DIGITS)
    return (before.items, before.experiments), rounded


def _evidence(now: Result, before: Result | None) -> dict[str, Any]:
    """Return what the score rests on, and every usual score, before and now where both are known."""
    scores: dict[str, Any] = {name: round(each, 6) for name, each in now.scores.items()}
    if before is not None:
        for name, each in scores.items():
            if name in before.scores:
                scores[name] = {"reference": round(before.scores[name], 6), "current": each}
    score = now.score
    bounds = [None if math.isnan(each) else round(each, 6) for each in score]
    return {
        now.metric: dict(zip(("value", "low", "high"), bounds, strict=True)),
        "interval_rests_on": now.rests_on,
        "type": now.sort,
        now.unit: len(now.items),
        "encoder": _label(now),
        "library": now.library,
        "task_digest": now.digest,
        "scores": scores,
    }


def _shape(now: Result, before: Result | None) -> dict[str, Any]:
    """Return the chart of a score before and now, and what a later run needs."""
    made: dict[str, Any] = {"form": "metric", "saved": now.to_dict()}
    for side, each in (("reference", before), ("current", now)):
        if each is not None and not math.isnan(each.score.low):
            made[side] = each.score.to_dict()
    return made


def _needs(effect: Effect, items: int) -> int | None:
    """Return how many items would tell, as far as the interval shrinks with their root."""
    if not effect.defined:
        return 10 * FEWEST
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    arm = effect.high - effect.value
    gap = max(abs(effect.value - effect.tolerance), effect.tolerance / 2)
    return math.ceil(items * max((arm / gap) ** 2, 1.1))


def _examples(before: Result, now: Result) -> tuple[dict[str, str], ...]:
    """Return the items that lost most: their own score before and now."""
    if now.sort not in {"retrieval", "classification"} or len(now.asked) != len(now.items):
        return ()
    lost = before.items - now.items
    rows = np.argsort(-lost, kind="stable")[:EXAMPLES]
    what = METRICS[now.metric] if now.sort == "retrieval" else "times right"
    return tuple(
        {
            "text": now.asked[row][:SHOWN],
            what: f"{now.items[row]:.2f}, before {before.items[row]:.2f}",
        }
        for row in rows.tolist()
        if lost[row] >= LOST
    )


def _encoder(pairs: Sequence[tuple[Result, Result]]) -> Iterator[Finding]:
    """Yield a fact where the encoder of one name makes other vectors than before."""
    found = _another(pairs)
    if found is None or found[0].encoder != found[1].encoder:
        return
    old, new, foreign = found
    word = "its vectors are of another space" if foreign else "its vectors moved"
    step = "find out what a search in stored vectors loses: undertow compare-encoders OLD NEW"
    yield Finding(
        ENCODER,
        "encoder",
        f"{_labels(old, new)}, {word}",
        rows=Rows(len(old.items), len(new.items)),
        verdict=Verdict.CHANGED if foreign else Verdict.WATCH,
        evidence={"encoder": {"reference": _label(old), "current": _label(new)}},
        next=(f"{step} --anchors FILE --text COLUMN",),
    )


def renamed(now: Sequence[Result], before: Mapping[str, Result]) -> str | None:
    """Return a line where an encoder of another name was given: on purpose, so it is no finding."""
    found = _another([(before[each.task], each) for each in now if each.task in before])
    if found is None or found[0].encoder == found[1].encoder:
        return None
    return _labels(found[0], found[1])


def _another(pairs: Sequence[tuple[Result, Result]]) -> tuple[Result, Result, bool] | None:
    """Return the first task on which the vectors are others, and whether any are of another space.

    What learns its words from the texts (tfidf) is another encoder on other texts: those tasks do not
    count.
    """
    matches = [
        (compare_spaces(old.space, new.space), old, new)
        for old, new in pairs
        if old.digest == new.digest
    ]
    other = [each for each in matches if each[0] in {Match.FOREIGN, Match.MOVED}]
    if not other:
        return None
    return other[0][1], other[0][2], any(match is Match.FOREIGN for match, _, _ in other)


def _labels(old: Result, new: Result) -> str:
    return f"the encoder is another one: {_label(old)} → {_label(new)}"


def _label(result: Result) -> str:
    return space_label(result.space) or result.encoder

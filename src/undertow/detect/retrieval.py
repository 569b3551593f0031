"""What a search finds of a golden set, and what it has lost since an earlier run: paired by query.

The drop of nDCG, MRR and recall is judged; the hit rate is a headline alone, for it stays where most
faults of an index are. What rises is no alarm: it is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from undertow.core.finding import Finding, Rows
from undertow.core.run import Floats, Run
from undertow.core.verdict import Effect, Verdict
from undertow.stats.bootstrap import Estimate
from undertow.stats.paired import FEWEST, change, drop, mean_of

QUALITY, DROP, SLICE = "performance.retrieval", "retrieval.drop", "retrieval.slice"
SUBJECT = "retrieval"
LEAST = 20
"""Queries below which neither a whole nor a slice of it is told."""
NEEDED = 50
NAMES = {"ndcg": "nDCG", "mrr": "MRR", "recall": "recall", "hit": "hit"}
"""How people write each metric; the first leads, the last decides nothing."""
SHOWN, GAINED, SHORT, LONG = 4, 2, 120, 5
_READ = "read the queries that lost most, with what they found before and find now (--all)"


@dataclass(frozen=True, eq=False)
class Asked:
    """A run beside an earlier one, an entry a query of the run now, in its order.

    `before` holds the metrics of the earlier run with today's judgements, NaN for queries that it did
    not ask, and `found` what it found; both are empty without an earlier run. `relevant` are the ids
    that would be right, `chance` the mean of each metric with judgements dealt to other queries;
    `misjoined` says that the judgements themselves are of other queries.
    """

    run: Run
    relevant: Sequence[Sequence[str]]
    chance: Mapping[str, float]
    before: Mapping[str, Floats] = field(default_factory=dict)
    found: Sequence[Sequence[str]] = ()
    causes: tuple[str, ...] = ()
    tolerance: float = 0.02
    misjoined: bool = False

    @property
    def depth(self) -> int:
        """How many documents are looked at."""
        return next(int(name.partition("@")[2]) for name in self.run.metrics)

    def name(self, metric: str) -> str:
        """Return a metric's usual name, as "ndcg@10"."""
        return f"{metric}@{self.depth}"

    def pair(self, metric: str) -> tuple[Floats, Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
        """Return a metric before and now, and which queries have both."""
        now = self.run.metrics[self.name(metric)]
        before = self.before.get(self.name(metric), np.full(len(now), math.nan))
        return before, now, np.isfinite(before) & np.isfinite(now)


def findings(asked: Asked) -> Iterator[Finding]:
    """Yield what is found, with how much less than before, by metric and by slice."""
    yield quality(asked)
    if not asked.before:
        return
    for metric in ("mrr", "recall"):
        before, now, both = asked.pair(metric)
        effect = drop(before[both], now[both], tolerance=asked.tolerance)
        rows = int(both.sum())
        title = f"{NAMES[metric]}@{asked.depth}"
        says = _moved(title, before[both], now[both])
        evidence = _both(before[both], now[both])
        yield Finding(
            DROP,
            title,
            says,
            effect,
            Rows(rows, rows),
            needs_rows=needed(effect, rows),
            evidence=evidence,
            causes=asked.causes,
        )
    yield from _slices(asked)


def quality(asked: Asked) -> Finding:
    """Return the leading finding: every metric with its interval, and the drop of nDCG."""
    run = asked.run
    values = run.metrics[asked.name("ndcg")]
    some = int(np.isfinite(values).sum())
    evidence: dict[str, Any] = {
        asked.name(metric): _told(mean_of(each[np.isfinite(each)]))
        for metric in ("hit", "recall", "mrr", "ndcg")
        for each in [run.metrics[asked.name(metric)]]
    }
    evidence["by_chance"] = {name: round(each, 4) for name, each in asked.chance.items()}
    evidence["queries"] = some
    if run.slices:
        evidence["slices"] = list(_by_slice(asked))
    if not asked.before:
        return _alone(asked, some, evidence)
    before, now, both = asked.pair("ndcg")
    effect = drop(before[both], now[both], tolerance=asked.tolerance)
    evidence |= {"before": {}, "queries_compared": int(both.sum()), **_lost(asked)}
    for metric in ("hit", "recall", "mrr", "ndcg"):
        old, _, has = asked.pair(metric)
        evidence["before"][asked.name(metric)] = _digits(float(old[has].mean()) if has.any() else 0)
    says = _moved(f"nDCG@{asked.depth}", before[both], now[both])
    lost, gained = evidence["queries_lost"], evidence["queries_gained"]
    if lost or gained:
        says += f"; {lost:,} {_queries(lost)} lost every answer, {gained:,} found one again"
    rows = int(both.sum())
    return Finding(
        QUALITY,
        SUBJECT,
        says,
        effect,
        Rows(rows, rows),
        needs_rows=needed(effect, rows),
        evidence=evidence,
        shape=run.to_dict() | {"rows": _drawn(asked)},
        examples=_side_by_side(asked),
        causes=asked.causes,
        next=(_READ,) if effect.defined and effect.value > effect.tolerance else (),
    )


def _alone(asked: Asked, some: int, evidence: Mapping[str, Any]) -> Finding:
    """Return the fact of a run without an earlier one: what is found, unless it is chance."""
    name = asked.name("ndcg")
    chance, low = asked.chance.get(name, 0.0), evidence[name]["low"]
    says, verdict = headline(asked), Verdict.STEADY
    steps: tuple[str, ...] = ("keep this run with --json FILE: the next one's --reference",)
    if some < LEAST:
        verdict = Verdict.UNKNOWN
        says = f"cannot tell from {some:,} {_queries(some)}: {says}"
        steps = (f"judge more queries: {NEEDED} or more tell a drop of a tenth",)
    elif asked.misjoined:
        verdict = Verdict.UNKNOWN
        says = f"cannot tell by judgements of other queries: {says}"
        steps = ()
    elif low <= chance:
        verdict = Verdict.CHANGED
        says = f"the search finds no more than chance: {says}, {chance:.2f} by chance"
        steps = ("see whether ids, index and encoder are those that belong together",)
    return Finding(
        QUALITY,
        SUBJECT,
        says,
        rows=Rows(some, some),
        verdict=verdict,
        needs_rows=NEEDED if some < LEAST else None,
        evidence=evidence,
        shape=asked.run.to_dict() | {"rows": _drawn(asked)},
        next=steps,
    )


def unjudged(run: Run) -> Finding:
    """Return the fact of a run that nobody has judged: it is kept, and the next is held against it."""
    best = [each[0] for each in run.scores if each]
    near = f", the best at a cosine of {float(np.median(best)):.2f} in the median" if best else ""
    says = (
        f"{len(run):,} {_queries(len(run))} without judgements: each found "
        f"{max(map(len, run.found), default=0)} documents{near}"
    )
    steps = ("keep this run with --json FILE: the next one's --reference",)
    return Finding(
        QUALITY,
        SUBJECT,
        says,
        rows=Rows(len(run), len(run)),
        verdict=Verdict.STEADY,
        shape=run.to_dict(),
        next=steps,
    )


def _drawn(asked: Asked) -> list[dict[str, Any]]:
    """Return every metric before and now, on the queries of both runs, as a chart draws them."""
    rows = []
    for metric in ("hit", "recall", "mrr", "ndcg"):
        every = asked.run.metrics[asked.name(metric)]
        old, now = None, every[np.isfinite(every)]
        if asked.before:
            before, after, both = asked.pair(metric)
            if both.any():
                old, now = before[both], after[both]
        reference = None if old is None else _told(mean_of(old))
        name = f"{NAMES[metric]}@{asked.depth}"
        rows.append({"name": name, "reference": reference, "current": _told(mean_of(now))})
    return rows


def headline(asked: Asked) -> str:
    """Return what is found in one line, hit rate first because people know it, nDCG last."""
    told = []
    for metric in ("hit", "recall", "mrr", "ndcg"):
        each = asked.run.metrics[asked.name(metric)]
        made = mean_of(each[np.isfinite(each)])
        told.append(
            f"{NAMES[metric]}@{asked.depth} {made.value:.3f} ({made.low:.3f}-{made.high:.3f})"
        )
    return ", ".join(told)


def rose(asked: Asked) -> str | None:
    """Return a line where nDCG has risen, sure to 95%; a rise is no alarm."""
    if not asked.before:
        return None
    before, now, both = asked.pair("ndcg")
    if int(both.sum()) < FEWEST:
        return None
    made = change(before[both], now[both])
    if made.low <= 0:
        return None
    return (
        f"nDCG@{asked.depth} rose by {made.value:.3f} ({made.low:.3f} to {made.high:.3f}) on the same "
        "queries: no alarm, and the reference is worth making again"
    )


def needed(effect: Effect, rows: int) -> int | None:
    """Return how many queries would tell, as far as the interval shrinks with their root."""
    if not effect.defined:
        return NEEDED
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    arm = (effect.high - effect.low) / 2
    gap = max(abs(effect.value - effect.tolerance), effect.tolerance / 2)
    return math.ceil(rows * max((arm / gap) ** 2, 1.1))


def _slices(asked: Asked) -> Iterator[Finding]:
    """Yield the drop of nDCG for each value of each slice with 20 queries or more."""
    before, now, both = asked.pair("ndcg")
    for column, value, here in _values(asked.run):
        some = here[both[here]]
        rows = len(some)
        if rows < LEAST:
            continue
        effect = drop(before[some], now[some], tolerance=asked.tolerance)
        yield Finding(
            SLICE,
            f"{column}={value}",
            _moved(f"nDCG@{asked.depth}", before[some], now[some]),
            effect,
            Rows(rows, rows),
            column=column,
            value=value,
            needs_rows=needed(effect, rows),
            evidence=_both(before[some], now[some]),
        )


def _by_slice(asked: Asked) -> Iterator[dict[str, Any]]:
    values = asked.run.metrics[asked.name("ndcg")]
    for column, value, here in _values(asked.run):
        some = values[here][np.isfinite(values[here])]
        if len(some) >= LEAST:
            made = mean_of(some)
            yield {
                "slice": f"{column}={value}",
                "queries": len(some),
                asked.name("ndcg"): _digits(made.value),
                "interval": [_digits(made.low), _digits(made.high)],
            }


def small_slices(run: Run) -> str | None:
    """Return a line on the slices that have too few queries to be told apart."""
    judged = np.isfinite(next(iter(run.metrics.values())))
    few = [f"{c}={v}" for c, v, here in _values(run) if int(judged[here].sum()) < LEAST]
    if not few:
        return None
    names = ", ".join(few[:3]) + (f" and {len(few) - 3:,} more" if len(few) > 3 else "")
    return f"slices of fewer than {LEAST} queries are not told apart: {names}"


def _values(run: Run) -> Iterator[tuple[str, str, np.ndarray[Any, np.dtype[np.int64]]]]:
    """Yield each value of each slice with its queries, in one pass: an id has as many as there are."""
    for column, values in run.slices.items():
        rows: dict[str, list[int]] = {}
        for row, value in enumerate(values):
            if value is not None:
                rows.setdefault(value, []).append(row)
        for value in sorted(rows):
            yield column, value, np.array(rows[value], np.int64)


def _moved(title: str, before: Floats, now: Floats) -> str:
    if not len(now):
        return f"{title}: no query was asked in both runs"
    old, new = float(before.mean()), float(now.mean())
    verb = "fell" if new < old else "rose" if new > old else "stayed"
    if verb == "stayed":
        return f"{title} stayed at {new:.3f}"
    return f"{title} {verb} from {old:.3f} to {new:.3f}"


def _both(before: Floats, now: Floats) -> dict[str, Any]:
    if not len(now):
        return {}
    made = change(before, now)
    return {
        "mean": {"reference": _digits(float(before.mean())), "current": _digits(float(now.mean()))},
        "change": [_digits(made.low), _digits(made.high)],
        "queries": len(now),
    }


def _lost(asked: Asked) -> dict[str, int]:
    """Return how many queries lost every relevant document, found one again, got worse and better."""
    old, new, both = asked.pair("hit")
    before, now, _ = asked.pair("ndcg")
    return {
        "queries_lost": int((both & (old > 0) & (new == 0)).sum()),
        "queries_gained": int((both & (old == 0) & (new > 0)).sum()),
        "queries_worse": int((both & (now < before)).sum()),
        "queries_better": int((both & (now > before)).sum()),
    }


def _side_by_side(asked: Asked) -> tuple[dict[str, str], ...]:
    """Return the queries that lost most, and those that gained most, with what was found."""
    before, now, both = asked.pair("ndcg")
    apart = np.where(both, now - before, 0.0)
    order = np.argsort(apart, kind="stable")
    rows = [row for row in order[:SHOWN].tolist() if apart[row] < 0]
    rows += [row for row in order[::-1][:GAINED].tolist() if apart[row] > 0]
    run = asked.run
    return tuple(
        {
            "query": (run.texts[row] or run.queries[row])[:SHORT],
            f"nDCG@{asked.depth}": f"{before[row]:.2f} → {now[row]:.2f}",
            "before": _ids(asked.found[row]),
            "now": _ids(run.found[row]),
            "relevant": _ids(asked.relevant[row]),
        }
        for row in rows
    )


def _ids(names: Sequence[str]) -> str:
    more = f" and {len(names) - LONG:,} more" if len(names) > LONG else ""
    return ", ".join(names[:LONG]) + more if names else "nothing"


def _told(made: Estimate) -> dict[str, float | None]:
    return {name: _digits(each) for name, each in zip(made._fields, made, strict=True)}


def _digits(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _queries(count: int) -> str:
    return "query" if count == 1 else "queries"

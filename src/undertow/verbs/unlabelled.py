"""What two runs of a search tell without judgements, and what an approximate search misses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.index import Stored, VectorIndex
from undertow.core.run import Run
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.core.verdict import Verdict
from undertow.detect import unlabelled as told
from undertow.lenses.languages import language
from undertow.stats import signals as signalled
from undertow.stats.neighbours import Matrix, nearest, one_thread, unit
from undertow.stats.probe import drawn
from undertow.stats.share import share_change
from undertow.stats.stored import facts
from undertow.summaries.tokens import texts as tokenised

Floats = NDArray[np.float64]

TOLERANCES = {"similarity": 0.10, "churn": 0.10, "radius": 0.10, "queries": 0.2, "recall": 0.02}
"""Of a run: shares of queries and of documents; "queries" is Cohen's h (5% -> 10%)."""
PAIRS = 30
"""Queries that two runs must share to be compared query by query, and half of the smaller one."""
CLOSE = 5
"""Documents whose mean cosine says how far a query lies from all."""
RARE = 0.05
"""Share of the earlier queries that lies as far as what is called far."""
OWN = 0.01
"""The same, among the documents themselves."""
SAMPLED = 1_000
SPOKEN = 0.02
"""Share of the texts in a language from which it is usual there."""
UNCLEAR = frozenset({"none", "mixed", "latin, short", "latin, other"})
TIE = 1e-5


def unlabelled(
    now: Run,
    before: Run | None,
    *,
    corpus: Stored | None = None,
    queries: Matrix | None = None,
    held_before: Collection[str] | None = None,
    tolerance: dict[str, float] | None = None,
) -> list[Finding]:
    """Return what two runs of a search tell without judgements.

    Queries of one id and text are compared with themselves; where the runs share too few, as two
    samples. `corpus` is what the index holds now, `queries` (q, d) the vectors of the queries of now,
    and `held_before` the ids that the index held in the run before: then what new documents explain
    is told apart. `tolerance` overrides TOLERANCES by name. Without `before`, only the queries are
    told of: which lie far from the documents, and which are in another language.

    Raises UsageError for a tolerance of no such name.

    >>> found = ((("a", "b"),) * 40, ((0.9, 0.8),) * 40)
    >>> asked = tuple(f"q{n}" for n in range(40)), ("where is it",) * 40
    >>> [each.subject for each in unlabelled(Run(*asked, *found), Run(*asked, *found))][:2]
    ['similarity of the best document', 'documents found']
    """
    limits = dict(TOLERANCES)
    for name, each in (tolerance or {}).items():
        if name not in limits:
            raise UsageError(f"tolerance for {name!r}: no such part{did_you_mean(name, limits)}")
        limits[name] = each
    out: list[Finding] = []
    pairs: list[_Pair] = []
    if before is not None and len(now) and len(before):
        pairs = _pairs(now, before)
        if pairs:
            out += _same(now, before, pairs, corpus, held_before, limits)
        else:
            out.append(_similarity(now, before, None, limits["similarity"]))
    if len(now) and not pairs:  # the same queries are about what they were about
        out += _far(now, before, corpus, queries, limits["queries"])
    if len(now):
        out += _language(now, before, corpus, limits["queries"])
    return out


class _Pair(NamedTuple):
    """Where a query stands in the run of now, and in the one before."""

    now: int
    before: int


def _pairs(now: Run, before: Run) -> list[_Pair]:
    """Return the queries that both runs asked, none where they are too few."""
    known: dict[str, int] = {}
    for row, name in enumerate(before.queries):
        known.setdefault(name, row)
    made, used = [], set[int]()
    for row, name in enumerate(now.queries):
        place = known.get(name)
        if place is None or place in used:
            continue
        one, two = before.texts[place].split(), now.texts[row].split()
        if one and two and one != two:
            continue
        used.add(place)
        made.append(_Pair(row, place))
    return made if len(made) >= max(PAIRS, min(len(now), len(before)) / 2) else []


def _best(run: Run) -> Floats:
    """Return the best cosine of each query."""
    return run.signals["top1"] if "top1" in run.signals else signalled.of_scores(run.scores, 1)


def _means(run: Run) -> Floats:
    return run.signals["mean"] if "mean" in run.signals else signalled.of_scores(run.scores)


def _similarity(now: Run, before: Run, pairs: list[_Pair] | None, tolerance: float) -> Finding:
    """Return the finding on similarity, query by query where they are the same ones."""
    ours = np.arange(len(now)) if pairs is None else np.array([each.now for each in pairs])
    theirs = np.arange(len(before)) if pairs is None else np.array([each.before for each in pairs])
    best = _best(before)[theirs], _best(now)[ours]
    shift = signalled.shift if pairs is None else signalled.paired_shift
    trends = {"mean": (_means(before)[theirs], _means(now)[ours])}
    if "coherence" in now.signals and "coherence" in before.signals:
        both = before.signals["coherence"][theirs], now.signals["coherence"][ours]
        trends["coherence"] = both
    examples = []
    if pairs is not None:
        fell = np.nan_to_num(best[0] - best[1], nan=-1.0)
        for row in np.argsort(-fell, kind="stable")[: told.EXAMPLES].tolist():
            if fell[row] > signalled.TIE:
                why = f"cosine {best[0][row]:.3f}, now {best[1][row]:.3f}"
                examples.append(_example(now, pairs[row].now, why))
    effect = shift(*best, tolerance=tolerance)
    return told.similarity(effect, best, trends, examples, paired=pairs is not None)


def _example(run: Run, row: int, why: str) -> dict[str, str]:
    return {"id": run.queries[row][: told.SHOWN], "text": run.texts[row][: told.SHOWN], "why": why}


def _same(
    now: Run,
    before: Run,
    pairs: list[_Pair],
    corpus: Stored | None,
    held_before: Collection[str] | None,
    limits: dict[str, float],
) -> list[Finding]:
    """Return what the same queries tell: similarity, what is others, and what nobody finds."""
    was = signalled.Listed(
        [before.found[each.before] for each in pairs],
        [before.scores[each.before] for each in pairs],
    )
    is_ = signalled.Listed(
        [now.found[each.now] for each in pairs], [now.scores[each.now] for each in pairs]
    )
    held_now = None if corpus is None else set(corpus.ids)
    earlier = None if held_before is None else set(held_before)
    made = signalled.churn(was, is_, held_before=earlier, held_now=held_now)
    effect = signalled.mean_share(made.rest, tolerance=limits["churn"])
    parts = [round(float(each.mean()), 6) for each in (made.changed, made.by_new, made.by_gone)]
    turnover = told.Turnover(parts[0], parts[1], parts[2], made.known)
    rows = np.argsort(-made.rest, kind="stable")[: told.EXAMPLES].tolist()
    examples = [
        _example(now, pairs[row].now, _lists(was.ids[row], is_.ids[row]))
        for row in rows
        if made.rest[row] > 0
    ]
    depth = max((len(each) for each in is_.ids), default=0)
    return [
        _similarity(now, before, pairs, limits["similarity"]),
        told.churn(effect, turnover, len(pairs), depth, examples),
        _radius(was, is_, corpus, len(pairs), limits["radius"]),
    ]


def _lists(was: Sequence[str], is_: Sequence[str]) -> str:
    old, new = (", ".join(each[:20] for each in some[:3]) for some in (was, is_))
    return f"found {old or 'nothing'}, now {new or 'nothing'}"


def _radius(
    was: signalled.Listed,
    is_: signalled.Listed,
    corpus: Stored | None,
    queries: int,
    tolerance: float,
) -> Finding:
    """Return the finding on documents that some query found before, and none does now."""
    before = Counter(name for each in was.ids for name in each)
    now = Counter(name for each in is_.ids for name in each)
    # A document as near as the last one found now fell out by nothing but order.
    firm = {
        name
        for ids, scores, after in zip(was.ids, was.scores, is_.scores, strict=True)
        for name, close in zip(ids, scores, strict=True)
        if len(after) != len(ids) or abs(close - min(after)) > signalled.TIE
    }
    lost = [name for name in before if name not in now and name in firm]
    lost.sort(key=lambda name: (-before[name], name))
    places = {} if corpus is None else {name: row for row, name in enumerate(corpus.ids)}
    gone = None if corpus is None else sum(name not in places for name in lost)
    most = [max(each.values(), default=0) / queries for each in (before, now)]
    examples = []
    for name in lost[: told.EXAMPLES]:
        text = ""
        if corpus is not None and corpus.texts is not None and name in places:
            text = corpus.texts[places[name]] or ""
        why = f"{before[name]:,} queries found it before"
        examples.append({"id": name[: told.SHOWN], "text": text[: told.SHOWN], "why": why})
    effect = signalled.lost_share(len(lost), len(before), queries, tolerance=tolerance)
    reach = told.Reach(len(before), len(lost), gone, (most[0], most[1]))
    return told.radius(effect, reach, queries, examples)


@one_thread
def _far(
    now: Run,
    before: Run | None,
    corpus: Stored | None,
    queries: Matrix | None,
    tolerance: float,
) -> list[Finding]:
    """Return the finding on queries that lie far from all documents."""
    close = signalled.of_scores(now.scores, CLOSE)
    there = np.isfinite(close)
    if before is not None:
        earlier = signalled.of_scores(before.scores, CLOSE)
        earlier = earlier[np.isfinite(earlier)]
        if not len(earlier) or not there.any():
            return []
        least = float(np.quantile(earlier, RARE, method="lower"))
        below = there & (close < least - signalled.TIE)
        was = int((earlier < least - signalled.TIE).sum())
        made = told.Strange(int(below.sum()), int(there.sum()), was, len(earlier))
        effect = share_change(was, len(earlier), made.now, made.queries, tolerance=tolerance)
        known = f"mean cosine of the first {CLOSE} under {least:.3f}"
        return [told.far(made, effect, _lowest(now, close, below), known)]
    if corpus is None or len(corpus) < PAIRS:
        return []
    if queries is not None:
        close = _closeness(queries, corpus)
        if len(close) != len(now):
            raise DataError(f"{len(close):,} vectors for {len(now):,} queries: give one a query")
        there = np.isfinite(close)
    if not there.any():
        return []
    fine = np.flatnonzero(facts(corpus.vectors).fine)
    some = fine[drawn([corpus.ids[row] for row in fine.tolist()], SAMPLED)]
    rows = unit(corpus.vectors[fine])
    own = nearest(unit(corpus.vectors[some]), rows, CLOSE + 1).cosine[:, 1:].mean(axis=1)
    least = float(np.quantile(own, OWN, method="lower"))
    below = there & (close < least)
    made = told.Strange(int(below.sum()), int(there.sum()))
    known = f"mean cosine of the first {CLOSE} under {least:.3f}, as 1% of documents to others"
    return [told.far(made, None, _lowest(now, close, below), known)]


def _closeness(queries: Matrix, corpus: Stored) -> Floats:
    """Return each query's mean cosine to its nearest documents, NaN for one that is all zeros."""
    if queries.ndim != 2 or queries.shape[1] != corpus.vectors.shape[1]:
        raise DataError(
            f"queries of {queries.shape[-1]:,} numbers, and documents of {corpus.vectors.shape[1]:,}: "
            "they are not of one encoder"
        )
    rows = unit(corpus.vectors[facts(corpus.vectors).fine])
    found = nearest(unit(queries), rows, CLOSE).cosine.mean(axis=1, dtype=np.float64)
    return np.where(queries.any(axis=1), found, np.nan)


def _lowest(run: Run, close: Floats, below: NDArray[np.bool_]) -> list[dict[str, str]]:
    order = np.argsort(np.where(below, close, np.inf), kind="stable")[: told.EXAMPLES].tolist()
    return [_example(run, row, f"mean cosine {close[row]:.3f}") for row in order if below[row]]


def _language(
    now: Run, before: Run | None, corpus: Stored | None, tolerance: float
) -> list[Finding]:
    """Return the finding on queries in a language that neither documents nor queries are usually in."""
    spoken = _spoken(now.texts)
    if before is not None and not any(before.texts):
        before = None  # redacted: it says nothing of languages
    clear = np.array([each not in UNCLEAR for each in spoken], np.bool_)
    if not clear.any():
        return []
    earlier = [] if before is None else _spoken(before.texts)
    usual = Counter(each for each in earlier if each not in UNCLEAR)
    if corpus is not None and corpus.texts is not None:
        some = drawn(corpus.ids, SAMPLED).tolist()
        usual = Counter(_spoken([corpus.texts[row] for row in some]))
        for each in UNCLEAR:
            usual.pop(each, None)
    if usual.total() < PAIRS:
        return []
    kept = {name for name, count in usual.items() if count >= SPOKEN * usual.total()}
    other = np.array([each not in kept and each not in UNCLEAR for each in spoken], np.bool_)
    names = [name for name, _ in usual.most_common() if name in kept]
    counted = Counter(each for each, odd in zip(spoken, other, strict=True) if odd)
    examples = [
        _example(now, row, spoken[row]) for row in np.flatnonzero(other)[: told.EXAMPLES].tolist()
    ]
    evidence = {"languages": dict(counted.most_common()), "usual": names}
    if before is None:
        made = told.Strange(int(other.sum()), len(spoken), evidence=evidence)
        verdict = Verdict.WATCH if made.interval[1] > RARE else Verdict.STEADY
        return [told.language(made, None, verdict, names, examples)]
    was = sum(each not in kept and each not in UNCLEAR for each in earlier)
    made = told.Strange(int(other.sum()), len(spoken), was, len(earlier), evidence)
    effect = share_change(was, len(earlier), made.now, made.queries, tolerance=tolerance)
    return [told.language(made, effect, Verdict.UNKNOWN, names, examples)]


def _spoken(texts: Sequence[str | None]) -> list[str]:
    """Return the language or script of each text, "none" where it has none."""
    made: list[str] = []
    array = pa.array(list(texts), pa.string())
    for some in tokenised(Values(Column("text", Kind.TEXT), array)):
        letters = np.array(
            [sum(each.isalpha() for each in text or "") for text in some.array.to_pylist()],
            np.int64,
        )
        made += [each or "none" for each in language(some, letters).to_pylist()]
    return made


@one_thread
def ann_recall(
    index: VectorIndex,
    stored: Stored,
    queries: Matrix,
    k: int = 10,
    sample: int = 200,
    *,
    space: str = "",
    tolerance: float = TOLERANCES["recall"],
) -> Finding:
    """Return what part of the k nearest documents an index finds, against an exact search of `stored`.

    At most `sample` of the queries (q, d) are asked, spread over all of them. A document of the same
    cosine as the k-th nearest counts as found. Raises DataError where the queries have another length
    than the vectors, or none is a vector; what the index raises passes through.
    """
    fine = facts(stored.vectors).fine
    if queries.ndim != 2 or queries.shape[1] != stored.vectors.shape[1]:
        raise DataError(
            f"queries of {queries.shape[-1]:,} numbers, and documents of "
            f"{stored.vectors.shape[1]:,}: they are not of one encoder"
        )
    able = np.flatnonzero(np.isfinite(queries).all(axis=1) & queries.any(axis=1))
    if not len(able) or not fine.any():
        raise DataError(
            f"{len(able):,} queries and {int(fine.sum()):,} vectors that can be searched: both sides "
            "need some"
        )
    if k < 1 or sample < 1:
        raise UsageError(f"k {k} and sample {sample}: both are 1 or more")
    some = able[np.unique(np.linspace(0, len(able) - 1, min(sample, len(able))).astype(int))]
    rows = np.flatnonzero(fine)
    known = unit(stored.vectors[rows])
    asked = unit(queries[some])
    exact = nearest(asked, known, k).cosine
    deep = exact.shape[1]
    places = {stored.ids[row]: place for place, row in enumerate(rows.tolist())}
    hits = index.search(queries[some], k, space=space)
    found = np.zeros(len(some))
    for row, ids in enumerate(hits.ids.tolist()):
        spots = [places[name] for name in dict.fromkeys(ids[:deep]) if name in places]
        if spots:
            found[row] = ((known[spots] @ asked[row]) >= exact[row, -1] - TIE).sum() / deep
    effect = signalled.mean_share(1 - found, tolerance=tolerance, name="difference")
    worst = np.argsort(found, kind="stable")[: told.EXAMPLES].tolist()
    examples = [
        {"id": str(int(some[row])), "text": "", "why": f"{found[row] * deep:.0f} of {deep} found"}
        for row in worst
        if found[row] < 1
    ]
    return told.recall(effect, float(found.mean()), k, len(some), examples)

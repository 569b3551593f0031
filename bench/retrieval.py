"""A search beside its golden set: false alarms, power and coverage of the paired drop, and of the join.

UNDERTOW_VECTORS=FOLDER python bench/retrieval.py null [PAIRS]     two runs that differ by noise alone
UNDERTOW_VECTORS=FOLDER python bench/retrieval.py power [TRIALS]   drops of twice the tolerance
UNDERTOW_VECTORS=FOLDER python bench/retrieval.py cover [DRAWS]    intervals of real queries, drawn again
UNDERTOW_VECTORS=FOLDER python bench/retrieval.py join [SUBSETS]   judgements of others, planted, and none

The folder holds the MiniLM vectors of cranfield (docs and queries) and of clinc150_oos, rows as in the
data sets. In clinc150 the documents are the training texts in scope, the queries 1,500 test texts, and
what has the same intent is relevant.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from undertow.core.verdict import Verdict, decide
from undertow.detect.judgements import Joined, join_finding
from undertow.sources.golden import read_golden
from undertow.stats.judgements import by_vectors, by_words, stretch
from undertow.stats.neighbours import nearest, one_thread, unit
from undertow.stats.paired import change, drop, mean_of
from undertow.stats.ranking import Judged

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "../shared/vectors"))
METRICS = ("ndcg@10", "mrr@10", "recall@10")
COMPARED = 4
"""Comparisons of a report: three drops and the join."""
EACH = 10
"""Documents a query of clinc150 that count as relevant, of the 100 of its intent."""


class Set:
    """Documents and queries with their vectors, and the judgements."""

    def __init__(self, texts, asks, documents, queries, judged):
        self.texts, self.asks, self.documents, self.queries = texts, asks, documents, queries
        self.judged = judged

    def measures(self, documents, queries, judged=None):
        """Return each metric, a number a query."""
        found = nearest(queries, documents, 10).which
        return (judged or self.judged).gains(found, len(documents)).measures()


@cache
def cranfield():
    names = (DATA / f"cranfield_{each}.parquet" for each in ("docs", "queries", "qrels"))
    held = read_golden(*names)
    rows = (np.load(VECTORS / f"cranfield_{each}.fp32.npy") for each in ("docs", "queries"))
    return Set(held.documents, held.queries, *map(unit, rows), held.judged)


@cache
def clinc():
    rows = pq.read_table(DATA / "clinc150_oos.parquet")
    text = np.array(rows["text"].to_pylist(), object)
    intent = np.unique(rows["intent"].to_pylist(), return_inverse=True)[1]
    split, known = np.array(rows["split"].to_pylist()), ~np.array(rows["is_oos"].to_pylist(), bool)
    train = np.flatnonzero((split == "train") & known)
    test = np.sort(
        np.random.default_rng(0).permutation(np.flatnonzero((split == "test") & known))[:1_500]
    )
    vectors = unit(np.load(VECTORS / "clinc150_oos.fp32.npy"))
    pairs = [
        (query, document)
        for query, row in enumerate(test.tolist())
        for document in np.flatnonzero(intent[train] == intent[row]).tolist()
    ]
    asked, there = np.array(pairs).T
    judged = Judged(asked, there, np.ones(len(asked)))
    return Set(tuple(text[train]), tuple(text[test]), vectors[train], vectors[test], judged)


SETS = {"cranfield": cranfield, "clinc150": clinc}


def noisy(rows, much, random):
    return unit(
        rows + random.normal(size=rows.shape).astype(np.float32) * much / rows.shape[1] ** 0.5
    )


def verdicts(before, now, slices=()):
    """Return the verdict of each metric's drop, and of nDCG in each slice."""
    count = COMPARED + len(slices)
    told = [decide(drop(before[name], now[name]), count) for name in METRICS]
    told += [decide(drop(before["ndcg@10"][each], now["ndcg@10"][each]), count) for each in slices]
    return told


@one_thread
def null(pairs=200):
    """Print how often two runs that differ by noise alone are told as changed."""
    for name, opened in SETS.items():
        made, some = opened(), pairs if name == "cranfield" else max(pairs // 5, 1)
        asked = len(made.asks)
        halves = [np.arange(asked) < asked // 2, np.arange(asked) >= asked // 2]
        for much in (0.1, 0.3, 0.6):
            count, parts, lead = Counter(), Counter(), []
            for seed in range(some):
                random = np.random.default_rng([seed, int(much * 10)])
                one, two = (
                    made.measures(
                        noisy(made.documents, much, random), noisy(made.queries, much, random)
                    )
                    for _ in range(2)
                )
                worst = verdicts(one, two, halves)
                count[max(worst, key=lambda each: each.severity)] += 1
                parts.update(worst[:3])
                lead.append(abs(float(np.mean(one["ndcg@10"] - two["ndcg@10"]))))
            told = {each.value: count[each] for each in Verdict}
            print(
                f"{name} noise {much}: {some} reports {told}; drops "
                f"{ {each.value: parts[each] for each in Verdict} }; mean |change| {np.mean(lead):.4f}"
            )


def shuffled(rows, share, random):
    """Return the rows, a share of them in another's place."""
    some = random.choice(len(rows), int(share * len(rows)), replace=False)
    out = rows.copy()
    out[some] = rows[np.roll(some, 1)]
    return out


@one_thread
def power(trials=40):
    """Print how often a drop of nDCG of twice the tolerance is told: documents in another's place."""
    for name, opened in SETS.items():
        made, some = opened(), trials if name == "cranfield" else max(trials // 2, 1)
        before = made.measures(made.documents, made.queries)
        for share in (0.04, 0.085, 0.13) if name == "cranfield" else (0.02, 0.04, 0.06):
            count, fell = Counter(), []
            for seed in range(some):
                random = np.random.default_rng([seed, 7])
                now = made.measures(shuffled(made.documents, share, random), made.queries)
                fell.append(float(np.mean(before["ndcg@10"] - now["ndcg@10"])))
                count[decide(drop(before["ndcg@10"], now["ndcg@10"]), COMPARED)] += 1
            told = {each.value: count[each] for each in Verdict}
            print(
                f"{name}, {len(made.asks)} queries, {share:.1%} of documents in another's place: "
                f"nDCG@10 fell by {np.mean(fell):.4f} ({min(fell):.3f} to {max(fell):.3f}): {told}"
            )


@one_thread
def cover(draws=1_000):
    """Print how often intervals hold the value of all queries, when some are drawn again."""
    for name, opened in SETS.items():
        made = opened()
        random = np.random.default_rng(5)
        before = made.measures(made.documents, made.queries)
        now = made.measures(shuffled(made.documents, 0.085, random), made.queries)
        for rows in (50, 225, 1_500):
            held = Counter()
            for _ in range(draws):
                drawn = random.integers(len(made.asks), size=rows)
                for metric, values in before.items():
                    truth, each = values.mean(), mean_of(values[drawn])
                    held[metric] += each.low <= truth <= each.high
                    fell = float((values - now[metric]).mean())
                    moved = change(values[drawn], now[metric][drawn])
                    held[f"drop of {metric}"] += moved.low <= -fell <= moved.high
            print(
                name, rows, {each: round(float(count) / draws, 3) for each, count in held.items()}
            )


@one_thread
def join(subsets=100):
    """Print what is told of judgements that belong, and of some that were given to other queries."""
    for name, opened in SETS.items():
        made = opened()
        asked = len(made.asks)
        for rows in (40, 80, 200) if asked < 1_000 else (40, 200, 1_000):
            for share in (0.0, 0.1, 0.2, 0.4, 1.0):
                count, times = Counter(), []
                trials = subsets if rows < 500 else max(subsets // 10, 1)
                for seed in range(trials):
                    random = np.random.default_rng([seed, rows, int(share * 10)])
                    keep = np.zeros(asked, bool)
                    keep[random.choice(asked, rows, replace=False)] = True
                    judged = made.judged.only(keep)
                    there = np.flatnonzero(keep)
                    dealt = np.arange(asked)
                    some = random.choice(there, int(share * rows), replace=False)
                    dealt[some] = np.roll(some, 1)
                    judged = Judged(dealt[judged.query], judged.document, judged.gain)
                    start = time.process_time()
                    looks = [by_vectors(made.queries, made.documents, judged)]
                    if asked < 1_000:
                        looks.append(by_words(made.asks, made.texts, judged))
                    best = min(looks, key=lambda each: each.mean_rank)
                    found = stretch(best)
                    joined = Joined(best, ("words",), 10, 0.0, 0.0, stretch=found)
                    count[join_finding(joined).judged(COMPARED).verdict] += 1
                    count["whole"] += joined.wrong
                    count["stretch"] += found is not None
                    times.append(time.process_time() - start)
                told = {each.value: count[each] for each in Verdict}
                print(
                    f"{name}, {rows} queries, {share:.0%} dealt to others: {told}, wholly "
                    f"{count['whole']}, stretch {count['stretch']} of {trials} "
                    f"({np.mean(times):.2f} CPU s)"
                )


if __name__ == "__main__":
    parts = {"null": null, "power": power, "cover": cover, "join": join}
    what, *numbers = sys.argv[1:] or ["null"]
    began = time.process_time()
    parts[what](*map(int, numbers))
    print(f"{time.process_time() - began:.0f} CPU s")

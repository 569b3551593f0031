"""How often the intervals of `undertow evaluate` hold: scores on parts of real sets, against the whole.

    UNDERTOW_VECTORS=DIR python bench/evaluation.py [clustering]

Each part is a task of its own, and the truth is the mean score over all parts; the second encoder is
half of MiniLM's numbers after a rotation. Prints, a line a type of task: how many parts, how often the
95% interval of the score and of the paired difference held the truth, and how many of as many pairs of
two like halves were called changed or watch at a tolerance of 0.02.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from undertow.core.task import Classification, Clustering, PairClassification, Retrieval, Similarity
from undertow.core.verdict import Verdict, decide
from undertow.sources.golden import open_golden
from undertow.stats.answers import answered
from undertow.stats.graded import graded
from undertow.stats.itemised import fall, interval, spread

DATA = Path(os.environ.get("UNDERTOW_DATA", Path(__file__).parents[2] / "shared" / "data"))
VECTORS = Path(os.environ["UNDERTOW_VECTORS"])
RANDOM = np.random.default_rng(0)
TURN = np.linalg.qr(RANDOM.normal(size=(384, 384)))[0].astype(np.float32)


def encoders(vectors):
    """Return three encoders of row numbers as texts: all numbers, and two like halves of them."""
    turned = vectors @ TURN
    spaces = [vectors, np.ascontiguousarray(turned[:, :192]), np.ascontiguousarray(turned[:, 192:])]
    return [lambda texts, rows=rows: rows[[int(each) for each in texts]] for rows in spaces]


def told(name, tasks, embeds):
    """Score every task by three encoders, and print how often the intervals hold."""
    start = time.process_time()
    made = [[graded(task, answered(task, embed)) for embed in embeds] for task in tasks]
    truth = np.mean([[each.score for each in row] for row in made], axis=0)
    held = paired = 0
    wrong = {Verdict.CHANGED: 0, Verdict.WATCH: 0}
    errors = []
    for row in made:
        least = -1.0 if name == "sts" else 0.0
        found = interval(row[0].items, row[0].experiments, least=least)
        held += found.low <= truth[0] <= found.high
        change = spread(row[1].items - row[0].items, row[1].experiments - row[0].experiments)
        paired += abs(row[1].score - row[0].score - truth[1] + truth[0]) <= change.arm
        errors.append(spread(row[0].items, row[0].experiments).error)
        like = fall((row[1].items, row[1].experiments), (row[2].items, row[2].experiments))
        verdict = decide(like, 1)
        if verdict in wrong:
            wrong[verdict] += 1
    real = np.std([row[0].score for row in made], ddof=1)
    many = len(made)
    print(
        f"{name:20} {many:4} parts of {len(made[0][0].items):4}: score {truth[0]:.3f}, held "
        f"{held / many:.2f}, paired {paired / many:.2f}; error said {np.mean(errors):.4f}, seen "
        f"{real:.4f}; like halves differ by {truth[2] - truth[1]:+.3f}: changed "
        f"{wrong[Verdict.CHANGED]}, watch {wrong[Verdict.WATCH]}; "
        f"{time.process_time() - start:.0f} CPU s",
        flush=True,
    )


def names(rows):
    """Return row numbers as texts."""
    return tuple(str(each) for each in np.asarray(rows).tolist())


def clinc():
    """Return vectors, labels as codes and parts of CLINC150 without the out-of-scope rows."""
    table = pq.read_table(DATA / "clinc150_oos.parquet")
    vectors = np.load(VECTORS / "clinc150_oos.fp32.npy")
    inside = np.flatnonzero(~np.array(table["is_oos"]).astype(bool))
    intents = np.array(table["intent"].to_pylist())[inside]
    split = np.array(table["split"].to_pylist())[inside]
    return vectors[inside], np.unique(intents, return_inverse=True)[1], split


def pairs(kind, many, parts=200):
    """Yield tasks of pairs: half of one intent."""
    _, code, _ = CLINC
    by = [np.flatnonzero(code == each) for each in range(code.max() + 1)]
    for _ in range(parts):
        one = RANDOM.integers(0, len(code), many)
        other = RANDOM.integers(0, len(code), many)
        other[: many // 2] = [RANDOM.choice(by[code[each]]) for each in one[: many // 2]]
        same = (code[one] == code[other]).astype(float)
        score = same if kind is PairClassification else 3 * same + RANDOM.integers(0, 3, many)
        yield kind("pairs", "", names(one), names(other), score)


def intents(many, parts=60):
    """Yield tasks of 20 intents: half of the texts to learn from, some to tell."""
    _, code, split = CLINC
    some = np.flatnonzero(code < 20)
    train, test = some[split[some] == "train"], some[split[some] != "train"]
    for _ in range(parts):
        learned = RANDOM.choice(train, len(train) // 2, replace=False)
        asked = RANDOM.choice(test, many, replace=False)
        known = tuple(map(str, range(20)))
        yield Classification(
            "intents", "", names(learned), names(asked), code[learned], code[asked], known
        )


def queries(folder, many, parts=200):
    """Yield golden sets with queries drawn again."""
    golden = open_golden(folder)
    judged, documents = golden.judged, len(golden.documents)
    by = [np.flatnonzero(judged.query == each) for each in range(len(golden.queries))]
    for _ in range(parts):
        drawn = RANDOM.integers(0, len(by), many)
        rows = np.concatenate([by[each] for each in drawn])
        place = np.repeat(np.arange(many), [len(by[each]) for each in drawn])
        yield Retrieval(
            "queries",
            "",
            names(np.arange(documents)),
            names(documents + drawn),
            place,
            np.asarray(judged.document)[rows],
            np.asarray(judged.gain)[rows],
        )


def titles(many):
    """Yield parts of the Stack Overflow titles without a row in common."""
    table = pq.read_table(DATA / "stackoverflow_titles.parquet")
    code = np.unique(np.array(table["tag"].to_pylist()), return_inverse=True)[1]
    order = RANDOM.permutation(len(code))
    for start in range(0, len(order), many):
        rows = order[start : start + many]
        yield Clustering("titles", "", names(rows), code[rows], tuple(map(str, range(20))))


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    CLINC = clinc()
    if not wanted or "pairs" in wanted:
        for kind in (Similarity, PairClassification):
            for many in (50, 200):
                told(kind.sort, pairs(kind, many), encoders(CLINC[0]))
    if not wanted or "retrieval" in wanted:
        import shutil
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            for part in ("docs", "queries", "qrels"):
                shutil.copy(DATA / f"cranfield_{part}.parquet", folder)
            both = [np.load(VECTORS / f"cranfield_{each}.fp32.npy") for each in ("docs", "queries")]
            for many in (25, 100):
                told("retrieval", queries(folder, many), encoders(np.concatenate(both)))
    if not wanted or "classification" in wanted:
        for many in (50, 200):
            told("classification", intents(many), encoders(CLINC[0]))
    if not wanted or "clustering" in wanted:
        vectors = np.load(VECTORS / "stackoverflow_titles.fp32.npy")
        for many in (500,):
            told("clustering", titles(many), encoders(vectors))

"""Two encoders on the same texts: the table of measures, what is flagged, and what a bridge gives back.

UNDERTOW_VECTORS=FOLDER python bench/encoders.py table              every measure and the MRR, by change
UNDERTOW_VECTORS=FOLDER python bench/encoders.py flags [TRIALS [CHANGE ...]]   of 200 anchors
UNDERTOW_VECTORS=FOLDER python bench/encoders.py bridge [REPEATS]   the gate's estimate beside the truth

The folder holds clinc150_oos.fp32.npy and clinc150_oos.int8.npy, rows as in the data set. The index is
the 15,000 training texts in scope, the queries are 1,500 of the test texts, and a text is relevant where
it has the same intent: which the gate does not know.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from undertow.repair.bridge import attempt
from undertow.stats import rotation, spaces
from undertow.stats.neighbours import nearest, one_thread, unit
from undertow.verbs.encoders import compare_encoders

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "../shared/vectors"))
NAME = "clinc150_oos"
PAIRS = (200, 500, 1_000, 3_000, 10_000)


class Texts:
    """CLINC150: texts, intents, which rows are the index and which are queries."""

    def __init__(self):
        rows = pq.read_table(DATA / f"{NAME}.parquet")
        self.text = rows["text"].to_pylist()
        self.intent = np.unique(rows["intent"].to_numpy(zero_copy_only=False), return_inverse=True)[
            1
        ]
        split = rows["split"].to_numpy(zero_copy_only=False)
        known = ~rows["is_oos"].to_numpy(zero_copy_only=False).astype(bool)
        self.index = np.flatnonzero((split == "train") & known)
        test = np.flatnonzero((split == "test") & known)
        self.queries = np.sort(np.random.default_rng(0).permutation(test)[:1_500])


@cache
def texts():
    return Texts()


@cache
@one_thread
def changes():
    """Return each change: vectors before and after, a row a text."""
    fp32 = unit(np.load(VECTORS / f"{NAME}.fp32.npy"))
    random = np.random.default_rng(1)
    turn = np.linalg.qr(random.normal(size=(fp32.shape[1],) * 2))[0].astype(np.float32)
    rotated = unit(fp32 @ turn)
    noise = random.normal(size=fp32.shape).astype(np.float32) * (0.5 / np.sqrt(fp32.shape[1]))
    return {
        "same + 1e-6 noise": (fp32, unit(fp32 + noise * 2e-6)),
        "pure rotation": (fp32, rotated),
        "rotation + noise": (fp32, unit(rotated + noise)),
        "fp32 -> int8": (fp32, unit(np.load(VECTORS / f"{NAME}.int8.npy"))),
        "LSA-384 -> MiniLM": (lsa(fp32.shape[1]), fp32),
    }


def lsa(dimensions):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    data = texts()
    reader = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    seen = reader.fit_transform([data.text[row] for row in data.index])
    folded = TruncatedSVD(dimensions, random_state=0).fit(seen)
    return unit(folded.transform(reader.transform(data.text)).astype(np.float32))


def found(queries, documents):
    """Return the mean reciprocal rank at 10 and the precision at 10, by intent."""
    data = texts()
    which = nearest(queries, documents, 10).which
    hit = data.intent[data.index][which] == data.intent[data.queries][:, None]
    first = np.where(hit.any(axis=1), 1 / (hit.argmax(axis=1) + 1), 0.0)
    return float(first.mean()), float(hit.mean())


def table():
    data = texts()
    print(
        "change               cos   RSA   CKA  resid  kNN10  hubness    old        re-index   "
        "nothing    MRR by pairs"
    )
    for name, (a, b) in changes().items():
        drawn = np.random.default_rng(0).permutation(data.index)[:3_000]
        keep = drawn[a[drawn].any(axis=1) & b[drawn].any(axis=1)]
        like = spaces.agreement(a[keep], b[keep])
        held = rotation.held_out(b[keep], a[keep])
        ways = [
            found(a[data.queries], a[data.index]),
            found(b[data.queries], b[data.index]),
            found(b[data.queries], a[data.index]),
        ]
        mapped = []
        for pairs in PAIRS:
            some = np.random.default_rng(pairs).permutation(data.index)[:pairs]
            laid = rotation.fit(b[some], a[some])
            mapped.append(found(laid(b[data.queries]), a[data.index])[0])
        hubs = "/".join(f"{each.value:.2f}" for each in like.hubness)
        print(
            f"{name:19s} {like.cosine.value:5.2f} {like.rsa.value:5.3f} {like.cka.value:5.3f} "
            f"{held.residual.value:5.3f}  {like.overlap.value:5.3f}  {hubs:9s} ",
            "  ".join(
                f"{mrr:.3f}/{precision:.3f}"[1:].replace("/0", "/") for mrr, precision in ways
            ),
            "  " + "/".join(f"{each:.3f}"[1:] if each < 1 else "1.0" for each in mapped),
            flush=True,
        )
    print(
        "MRR by pairs:", PAIRS, "; two numbers are MRR@10 / P@10; residual and CKA of 3,000 texts"
    )


def mixed(a, b, random):
    rows = b.copy()
    foreign = random.random(len(rows)) < 0.2
    rows[~foreign] = a[~foreign]
    return rows


def flags(trials, only):
    data, made = texts(), changes()
    turned, foreign = made["pure rotation"][1], made["LSA-384 -> MiniLM"][0]
    fp32 = made["pure rotation"][0]
    cases = {name: (a, b, "") for name, (a, b) in made.items()}
    cases["20% rotated"] = (fp32, turned, "mix")
    cases["20% of LSA"] = (fp32, foreign, "mix")
    compare_encoders(*[fp32[:200]] * 2, anchors=pa.table({"t": data.text[:200]}), text="t")
    for name in only or cases:
        a, b, how = cases[name]
        words, verdicts, spent = Counter(), Counter(), []
        for trial in range(trials):
            random = np.random.default_rng(trial)
            rows = random.choice(data.index, 200, replace=False)
            new = mixed(a[rows], b[rows], random) if how else b[rows]
            anchors = pa.table({"t": [data.text[row] for row in rows]})
            start = time.process_time()
            report = compare_encoders(a[rows], new, anchors=anchors, text="t")
            spent.append(time.process_time() - start)
            words[report["encoder"].evidence["verdict_in_words"]] += 1
            verdicts[report.verdict.value] += 1
        told = ", ".join(f"{count} {word}" for word, count in words.most_common())
        ends = ", ".join(f"{count} {word}" for word, count in verdicts.most_common())
        print(
            f"{name:19s} {ends:24s} {told:60s} CPU s: median {np.median(spent):.2f}, "
            f"most {max(spent):.2f}",
            flush=True,
        )


def bridge(repeats):
    data = texts()
    print(
        "change               pairs  true MRR share  gate's estimate (interval)   gate      fit, CPU s"
    )
    for name, (a, b) in list(changes().items())[1:]:
        whole = found(b[data.queries], b[data.index])[0]
        for pairs in PAIRS:
            for repeat in range(repeats if pairs < 3_000 else 1):
                some = np.random.default_rng(pairs + repeat).permutation(data.index)[:pairs]
                some = some[a[some].any(axis=1) & b[some].any(axis=1)]
                start = time.process_time()
                tried = attempt(b[some], a[some])
                spent = time.process_time() - start
                true = found(tried.map(b[data.queries]), a[data.index])[0] / whole
                low, high = tried.recovery.low, tried.recovery.high
                gate = "refused" if tried.refusal else "through"
                if pairs < tried.needs:
                    gate += ", too few"
                print(
                    f"{name:19s} {pairs:6,d}  {true:.3f}           {tried.recovery.value:.3f} "
                    f"({low:.3f}-{high:.3f})          {gate:18s} {spent:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    what, *more = sys.argv[1:] or ["table"]
    if what == "table":
        table()
    elif what == "flags":
        flags(int(more[0]) if more else 100, more[1:])
    else:
        bridge(int(more[0]) if more else 3)

"""Index faults: is each named as what it is, is a clean rebuild silent, and how often is 5% found.

    UNDERTOW_VECTORS=DIR python bench/faults.py WHAT [HOW MANY] [cranfield|clinc150] [minilm|tfidf]
      names [SEEDS]              fault x data set -> named?, and clean rebuilds
      probe [TRIALS]             5% of vectors wrong, 60 drawn: how often found
      words                      what the words foretell: which ridge
      runs [SEEDS]               two runs without labels: alarms, and which faults they see
      int8 MODEL.onnx [SEEDS]    an index made by 8-bit weights, in other batches

The folder holds clinc150_oos, cranfield_docs and cranfield_queries as .fp32.npy and .int8.npy, rows as
in the data sets. A text is looked up in them, so that an encoder costs nothing. CLINC150 is its 15,000
training texts in scope and its 150 intents; Cranfield its 1,400 abstracts and 30 clusters of them.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from undertow.adapters.tfidf import Tfidf
from undertow.core.encode import encode
from undertow.core.index import Stored
from undertow.core.report import Report, Source
from undertow.core.run import Run
from undertow.stats import stored as storing
from undertow.stats.neighbours import nearest, unit
from undertow.stats.probe import drawn
from undertow.stats.signals import signals
from undertow.verbs.integrity import verify
from undertow.verbs.unlabelled import unlabelled

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "../shared/vectors"))


class Looked:
    """An encoder that looks texts up."""

    def __init__(self, name, texts, vectors):
        self.name, self.known = name, dict(zip(texts, vectors, strict=True))

    def __call__(self, texts):
        return np.stack([self.known[text] for text in texts])

    def identity(self):
        return {"looked up": self.name}


class Set:
    """A corpus: ids, texts, topics, and the vectors of each encoder."""

    def __init__(self, name, ids, texts, topics, fp32, int8, queries):
        self.name, self.ids, self.texts, self.topics = name, ids, texts, topics
        self.documents = dict(zip(ids, texts, strict=True))
        self.queries = queries
        self.int8 = int8
        self.minilm = Looked("minilm", texts, fp32), fp32

    def encoder(self, kind):
        """Return an encoder and the vectors that it makes of all texts."""
        return self.minilm if kind == "minilm" else self.tfidf

    @cached_property
    def tfidf(self):
        made = Tfidf().fitted(self.texts)
        return made, encode(made, self.texts)

    @cached_property
    def lsa(self):
        return lsa(self.texts, self.minilm[1].shape[1])


def lsa(texts, dimensions):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    seen = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2).fit_transform(texts)
    made = TruncatedSVD(dimensions, random_state=0).fit_transform(seen)
    return unit(np.asarray(made, np.float32))


@cache
def clinc():
    rows = pq.read_table(DATA / "clinc150_oos.parquet").to_pandas()
    fp32, int8 = (np.load(VECTORS / f"clinc150_oos.{kind}.npy") for kind in ("fp32", "int8"))
    keep = np.flatnonzero((rows["split"] == "train") & ~rows["is_oos"].astype(bool))
    asked = np.flatnonzero((rows["split"] == "test") & ~rows["is_oos"].astype(bool))
    asked = np.sort(np.random.default_rng(0).permutation(asked)[:1_500])
    ids = [f"c{row}" for row in keep]
    texts, topics = rows["text"].tolist(), rows["intent"].to_numpy()
    queries = [texts[row] for row in asked], fp32[asked], int8[asked]
    kept = [texts[row] for row in keep]
    return Set("clinc150", ids, kept, topics[keep], unit(fp32[keep]), unit(int8[keep]), queries)


@cache
def cranfield():
    from sklearn.cluster import KMeans

    rows = pq.read_table(DATA / "cranfield_docs.parquet").to_pandas()
    asked = pq.read_table(DATA / "cranfield_queries.parquet").to_pandas()["query"].tolist()
    fp32, int8 = (np.load(VECTORS / f"cranfield_docs.{kind}.npy") for kind in ("fp32", "int8"))
    q32, q8 = (np.load(VECTORS / f"cranfield_queries.{kind}.npy") for kind in ("fp32", "int8"))
    full = np.flatnonzero(rows["text"].str.strip() != "")
    ids = [str(each) for each in rows["doc_id"].to_numpy()[full]]
    texts = [rows["text"].iloc[row] for row in full]
    topics = KMeans(30, n_init=1, random_state=0).fit_predict(unit(fp32[full]))
    names = np.array([f"cluster {each}" for each in topics])
    queries = asked, q32, q8
    return Set("cranfield", ids, texts, names, unit(fp32[full]), unit(int8[full]), queries)


def sets(only):
    """Return the data sets that are named, or both."""
    made = {"cranfield": cranfield, "clinc150": clinc}
    return [made[name]() for name in made if name in only or not made.keys() & set(only)]


def kinds(only):
    """Return the encoders that are named, or both."""
    return [name for name in ("minilm", "tfidf") if name in only] or ["minilm", "tfidf"]


def turned(rows, seed=1):
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(rows.shape[1],) * 2))[0].astype(np.float32)
    return unit(rows @ turn)


def faults(data, kind, seed):
    """Yield each fault: its name, what is stored, and the words that name it rightly."""
    random = np.random.default_rng(seed)
    _, rows = data.encoder(kind)
    n = len(rows)

    def held(vectors, keep=None):
        keep = np.arange(n) if keep is None else keep
        ids, texts = [data.ids[row] for row in keep], [data.texts[row] for row in keep]
        return Stored.of(ids, vectors[keep], texts=texts)

    yield "clean", held(rows), {None}
    yield (
        "30% documents missing",
        held(rows, np.flatnonzero(random.random(n) >= 0.3)),
        {"documents missing"},
    )
    names = np.unique(data.topics)
    out = random.permutation(names)[: max(len(names) // 10, 1)]
    gone = np.isin(data.topics, out)
    yield "a tenth of topics missing", held(rows, np.flatnonzero(~gone)), {"topics missing"}
    some = random.permutation(n)[: n // 5]
    other = rows.copy()
    other[some] = turned(rows[some], seed)
    yield "20% of another model (turned)", held(other), {"another space"}
    if kind == "minilm":
        other = rows.copy()
        other[some] = data.lsa[some]
        yield "20% of another model (LSA)", held(other), {"another space"}
    lengths = np.exp(random.normal(0, 0.3, size=(n, 1))).astype(np.float32)
    yield "not normalised", held(rows * lengths * 5), {"not normalised"}
    some = random.permutation(n)[: n // 10]
    mixed = rows.copy()
    mixed[some] = rows[np.roll(some, 1)]
    yield "10% of ids shuffled", held(mixed), {"ids shuffled"}
    cut = rows.copy()
    cut[:, rows.shape[1] // 2 :] = 0
    yield "half the numbers zeroed", held(unit(cut)), {"dimensions zeroed"}
    cut = rows.copy()
    cut[:, rng_half(random, rows.shape[1])] = 0
    yield "half the numbers zeroed (drawn, not scaled)", held(cut), {"dimensions zeroed"}


def rng_half(random, width):
    return random.permutation(width)[: width // 2]


def judged(held, encoder, documents, **options):
    found, notes = verify(held, encoder, documents, **options)
    report = Report.of(Source("documents", len(documents)), Source("index", len(held)), found)
    return report, notes


def lead(report):
    """Return the fault that leads, None where nothing alarms."""
    if report.verdict.value not in {"changed", "watch"}:
        return None if report.verdict.value == "steady" else "unknown"
    return report.findings[0].evidence.get("fault", report.findings[0].check)


def names(seeds=20, *only):
    print(f"{'data':10s} {'encoder':7s} {'fault':44s} named in {seeds} seeds    CPU s   says")
    for data in sets(only):
        for kind in kinds(only):
            right, first, spent, wrong = Counter(), {}, Counter(), {}
            for seed in range(seeds):
                for name, held, good in faults(data, kind, seed):
                    start = time.process_time()
                    encoder = data.encoder(kind)[0]
                    report, notes = judged(held, encoder, data.documents, seed=seed)
                    spent[name] += time.process_time() - start
                    right[name] += lead(report) in good
                    first.setdefault(name, report.findings[0].says if good != {None} else notes[0])
                    if lead(report) not in good:
                        wrong.setdefault(name, []).append((seed, lead(report)))
            for name, says in first.items():
                told = f"{right[name]:3d}               {spent[name] / seeds:5.2f}   {says[:150]}"
                print(
                    f"{data.name:10s} {kind:7s} {name:44s} {told}", wrong.get(name, ""), flush=True
                )
        for name, share in (
            (("all int8", 1.0), ("20% int8", 0.2)) if "minilm" in kinds(only) else ()
        ):
            lows = Counter()
            for seed in range(seeds):
                random = np.random.default_rng(seed)
                rows = data.minilm[1].copy()
                some = random.permutation(len(rows))[: int(share * len(rows))]
                rows[some] = data.int8[some]
                held = Stored.of(data.ids, rows, texts=data.texts)
                for told, allowed in (("told", ["int8"]), ("not told", [])):
                    options = {"allowed": allowed, "seed": seed}
                    report, _ = judged(held, data.minilm[0], data.documents, **options)
                    lows[told, report.verdict.value, lead(report)] += 1
            print(f"{data.name:10s} minilm  {name}: {dict(lows)}", flush=True)


def probe(trials=50, *only):
    """5% of vectors wrong: how often do 60 drawn find it, and with those that look odd."""
    print(
        "data       encoder fault     found: by 60 drawn alone (draws)   and odd ones   named rightly"
    )
    for data in sets(only):
        few = round(0.05 * len(data.ids))
        alone = np.mean([_met(data.ids, few, draw) for draw in range(40 * trials)])
        for kind in kinds(only):
            encoder, rows = data.encoder(kind)
            ways = ["shuffled", "turned"] + ["lsa"] * (kind == "minilm")
            for way in ways:
                both = named = exact = 0
                spun = turned(rows) if way == "turned" else data.lsa
                for trial in range(trials):
                    some = _wrong(len(rows), few, trial)
                    bad = rows.copy()
                    bad[some] = rows[np.roll(some, 1)] if way == "shuffled" else spun[some]
                    held = Stored.of(data.ids, bad, texts=data.texts)
                    found, _ = verify(held, encoder, None, seed=trial)
                    share = next(each for each in found if each.check == "index.probe")
                    met = np.isin(drawn(data.ids, 60, seed=trial), some).sum()
                    exact += round(share.effect.value * 60) == met
                    wrong = [each for each in found if each.check == "index.wrong"]
                    both += bool(wrong)
                    good = "ids shuffled" if way == "shuffled" else "another space"
                    named += bool(wrong) and wrong[0].evidence["fault"] == good
                print(
                    f"{data.name:10s} {kind:7s} {way:9s} {alone:.3f} ({40 * trials:,})   {both}   "
                    f"{named} of {trials}; drawn ones counted exactly {exact}",
                    flush=True,
                )


def _wrong(rows, few, trial):
    return np.random.default_rng([trial, 7]).permutation(rows)[:few]


def _met(ids, few, trial):
    return np.isin(drawn(ids, 60, seed=trial), _wrong(len(ids), few, trial)).any()


def searched(data, rows, ids, texts, asked):
    """Return a run of the queries over what is stored, as a search by plain products has it."""
    there = np.flatnonzero(rows.any(axis=1))
    found = nearest(asked, np.ascontiguousarray(rows[there]), 10)
    names = [tuple(ids[there[spot]] for spot in each) for each in found.which.tolist()]
    scores = [tuple(map(float, each)) for each in found.cosine]
    held = Stored.of(ids, rows, texts=texts)
    made = signals(asked, rows[there][found.which], found.cosine)
    queries = tuple(f"q{n}" for n in range(len(asked)))
    return Run(queries, tuple(data.queries[0]), tuple(names), tuple(scores), {}, made), held


def runs(seeds=20, *only):
    """Two runs of the same queries: which faults they see, and whether a clean rebuild is silent."""
    for data in sets(only):
        asked, rows = unit(data.queries[1]), data.minilm[1]
        before, held = searched(data, rows, data.ids, data.texts, asked)
        seen = {}
        for seed in range(seeds):
            random = np.random.default_rng(seed)
            noisy = unit(rows + random.normal(size=rows.shape).astype(np.float32) * 1e-7)
            turn = random.permutation(len(rows))
            shuffled = [data.ids[row] for row in turn]
            ways = [("rebuilt in another order", noisy[turn], shuffled, asked)]
            if not seed:
                ways.append(
                    ("int8 documents and queries", data.int8, data.ids, unit(data.queries[2]))
                )
            for name, stored, _ in faults(data, "minilm", seed) if seed < FEW else ():
                if name != "clean":
                    ways.append((name, stored.vectors, list(stored.ids), asked))
            for name, vectors, ids, some in ways:
                texts = [data.documents[each] for each in ids]
                now, corpus = searched(data, vectors, ids, texts, some)
                found = unlabelled(now, before, corpus=corpus, held_before=held.ids)
                _count(seen, name, found)
            half = np.sort(random.permutation(len(asked))[: len(asked) // 2])
            rest = np.setdiff1d(np.arange(len(asked)), half)
            one, two = [_only(before, part) for part in (half, rest)]
            _count(seen, "other queries", unlabelled(one, two, corpus=held))
            _count(seen, "one run alone", unlabelled(one, None, corpus=held, queries=asked[half]))
        few = data.ids[: 9 * len(rows) // 10]
        grown = searched(data, rows[: len(few)], few, data.texts[: len(few)], asked)[0]
        found = unlabelled(before, grown, corpus=held, held_before=few)
        _count(seen, "a tenth of documents added", found)
        for name, counts in seen.items():
            told = ", ".join(
                f"{check} {verdict} {count}" for (check, verdict), count in sorted(counts.items())
            )
            print(f"{data.name:10s} {name:44s} {told}", flush=True)


FEW = 5
"""Seeds of a planted fault; clean rebuilds have all of them."""


def _only(run, part):
    """Return some of a run's queries, under names of their own."""
    return Run(
        tuple(f"{row} of {len(part)}" for row in part),
        tuple(run.texts[row] for row in part),
        tuple(run.found[row] for row in part),
        tuple(run.scores[row] for row in part),
        {},
        {name: each[part] for name, each in run.signals.items()},
    )


def _count(seen, name, found):
    report = Report.of(Source("before", 1), Source("now", 1), found)
    counts = seen.setdefault(name, Counter())
    for each in report:
        counts[each.check.removeprefix("retrieval."), each.verdict.value] += 1


def words():
    """Which ridge tells wrong vectors best: the share of wrong ones among the 20 oddest of 5%."""
    for ridge in (0.03, 0.1, 0.3, 1.0, 3.0):
        storing.RIDGE = ridge
        for data in (cranfield(), clinc()):
            rows = data.minilm[1]
            line = []
            for way in ("shuffled", "turned"):
                hits = []
                for seed in range(3):
                    some = np.random.default_rng(seed).permutation(len(rows))[: len(rows) // 20]
                    bad = rows.copy()
                    bad[some] = rows[np.roll(some, 1)] if way == "shuffled" else turned(rows[some])
                    odd = storing.foretold(data.texts, bad)
                    first = np.argsort(np.where(np.isnan(odd), 9, odd))[:20]
                    hits.append(np.isin(first, some).mean())
                line.append(f"{way} {np.mean(hits):.2f}")
            print(f"ridge {ridge:5.2f} {data.name:10s}", *line, flush=True)


def int8(model, seeds=20):
    """An index that this model made, verified by it in other batches: is it silent?"""
    from undertow.adapters.encoders import open_encoder

    encoder = open_encoder(model)
    texts = pq.read_table(DATA / "clinc150_oos.parquet")["text"].to_pylist()
    abstracts = pq.read_table(DATA / "cranfield_docs.parquet")["text"].to_pylist()
    every = [text for text in [*texts, *abstracts] if text and text.strip()]
    counts, lows = Counter(), []
    for seed in range(seeds):
        # Short and long texts in one batch: weights of 8 bits round by what stands beside.
        random = np.random.default_rng(seed)
        picked = [every[row] for row in random.permutation(len(every))[:400]]
        documents = {f"d{n}": text for n, text in enumerate(dict.fromkeys(picked))}
        kept = list(documents.values())
        rows = np.concatenate([encoder(kept[at : at + 32]) for at in range(0, len(kept), 32)])
        held = Stored.of(list(documents), rows, texts=kept)
        report, _ = judged(held, encoder, documents, seed=seed)
        counts[report.verdict.value, lead(report)] += 1
        share = next(each for each in report if each.check == "index.probe")
        lows.append(share.evidence["cosine"][0])
        print(seed, dict(counts), f"least cosine so far {min(lows):.4f}", flush=True)


if __name__ == "__main__":
    which, *rest = sys.argv[1:] or ["names"]
    ways = {"names": names, "probe": probe, "words": words, "runs": runs, "int8": int8}
    ways[which](*(int(each) if each.isdigit() else each for each in rest))

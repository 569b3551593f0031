"""What a golden set finds after a re-index: the forecast beside the truth, over draws of the sample.

UNDERTOW_VECTORS=FOLDER python bench/forecast.py [DRAWS [SET ...]]
UNDERTOW_VECTORS=FOLDER python bench/forecast.py stays [SET ...]       what stays in the first ten

UNDERTOW_SAMPLES="100 300 1000" are the sizes of the sample.

The folder holds NAME.fp32.npy and NAME.int8.npy of clinc150_oos, cranfield_docs, cranfield_queries,
and stackoverflow_titles.fp32.npy. The sets: cranfield, all of it; clinc, 300 test queries on the
15,000 training texts in scope, all of one intent relevant; clinc5, where five of them, drawn, are
judged; titles, 300 Stack Overflow titles on 15,000 others, 20 drawn of those with the same tag judged.
Nothing was fitted on titles.

"tuned" is a space made of the MiniLM vectors x by relevant component analysis (Bar-Hillel et al. 2003)
with intents or tags of the index, or the judgements of every second query of cranfield: x + x W, to
length 1, where W whitens what documents of one class differ by.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from undertow.stats import forecast
from undertow.stats.neighbours import nearest, one_thread, unit
from undertow.stats.outrank import standing
from undertow.stats.ranking import Judged

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "../shared/vectors"))
PAIRS = (
    ("lsa", "minilm"),
    ("minilm", "int8"),
    ("minilm", "turned"),
    ("minilm", "tuned"),
    ("minilm", "lsa"),
    ("tuned", "int8"),
)
SAMPLES = tuple(map(int, os.environ.get("UNDERTOW_SAMPLES", "100 300 1000").split()))


def loaded(name):
    return unit(np.load(VECTORS / f"{name}.npy"))


def lsa(documents, queries):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    reader = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    seen = reader.fit_transform(documents)
    folded = TruncatedSVD(384, random_state=0).fit(seen)
    asked = folded.transform(reader.transform(queries))
    return [unit(each.astype(np.float32)) for each in (folded.transform(seen), asked)]


def whitening(apart):
    scatter = apart.T @ apart / len(apart)
    sizes, axes = np.linalg.eigh(scatter)
    made = (axes / np.sqrt(sizes + 0.1 * sizes.mean())) @ axes.T
    return (made / np.sqrt((made**2).sum() / len(made))).astype(np.float32)


def from_class(rows, classes):
    means = np.stack([rows[classes == each].mean(axis=0) for each in range(classes.max() + 1)])
    return whitening(rows - means[classes])


def spaces(documents, queries, texts, asked, apart, int8):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(384, 384)))[0].astype(np.float32)
    made = {
        "minilm": (documents, queries),
        "lsa": lsa(texts, asked),
        "turned": tuple(unit(each @ turn) for each in (documents, queries)),
        "tuned": tuple(unit(each + each @ apart) for each in (documents, queries)),
    }
    return made | ({} if int8 is None else {"int8": int8})


def cranfield():
    docs, asks, rows = (
        pq.read_table(DATA / f"cranfield_{each}.parquet") for each in ("docs", "queries", "qrels")
    )
    names = {each: row for row, each in enumerate(docs["doc_id"].to_pylist())}
    asked = {each: row for row, each in enumerate(asks["query_id"].to_pylist())}
    relevant = np.zeros((len(asked), len(names)), bool)
    for query, doc in zip(rows["query_id"].to_pylist(), rows["doc_id"].to_pylist(), strict=True):
        relevant[asked[query], names[doc]] = True
    vectors = loaded("cranfield_docs.fp32"), loaded("cranfield_queries.fp32")
    query, doc = np.nonzero(relevant[::2])
    apart = whitening(vectors[1][::2][query] - vectors[0][doc])
    int8 = loaded("cranfield_docs.int8"), loaded("cranfield_queries.int8")
    texts = docs["text"].to_pylist(), asks["query"].to_pylist()
    return spaces(*vectors, *texts, apart, int8), relevant


def clinc(*, five=False):
    rows = pq.read_table(DATA / "clinc150_oos.parquet")
    text = np.array(rows["text"].to_pylist(), object)
    intent = np.unique(rows["intent"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    split = rows["split"].to_numpy(zero_copy_only=False)
    known = ~rows["is_oos"].to_numpy(zero_copy_only=False).astype(bool)
    index, test = (np.flatnonzero((split == each) & known) for each in ("train", "test"))
    random = np.random.default_rng(5)
    test = random.choice(test, 300, replace=False)
    relevant = intent[test][:, None] == intent[index][None]
    if five:
        relevant = drawn(relevant, 5, random)
    fp32, int8 = loaded("clinc150_oos.fp32"), loaded("clinc150_oos.int8")
    classes = np.unique(intent[index], return_inverse=True)[1]
    apart = from_class(fp32[index], classes)
    others = int8[index], int8[test]
    return spaces(
        fp32[index], fp32[test], list(text[index]), list(text[test]), apart, others
    ), relevant


def titles():
    rows = pq.read_table(DATA / "stackoverflow_titles.parquet")
    text = np.array(rows["title"].to_pylist(), object)
    tag = np.unique(rows["tag"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    random = np.random.default_rng(3)
    order = random.permutation(len(text))
    index, test = order[:15_000], order[15_000:15_300]
    fp32 = loaded("stackoverflow_titles.fp32")
    apart = from_class(fp32[index], tag[index])
    relevant = drawn(tag[test][:, None] == tag[index][None], 20, random)
    return spaces(
        fp32[index], fp32[test], list(text[index]), list(text[test]), apart, None
    ), relevant


def drawn(relevant, count, random):
    kept = np.zeros_like(relevant)
    for row, each in enumerate(relevant):
        kept[row, random.choice(np.flatnonzero(each), count, replace=False)] = True
    return kept


SETS = {
    "cranfield": cranfield,
    "clinc5": lambda: clinc(five=True),
    "clinc": clinc,
    "titles": titles,
}


def judgements(relevant):
    query, document = np.nonzero(relevant)
    return Judged(query, document, np.ones(len(query)))


@one_thread
def table(draws, names):
    print(
        "set       change            sample embedded  nDCG@10 now, then | error of nDCG: mean, most | "
        "interval holds nDCG MRR recall | arm   | error of MRR, recall: mean | CPU s",
        flush=True,
    )
    for name in names:
        made, relevant = SETS[name]()
        judged = judgements(relevant)
        for one, other in PAIRS:
            if one not in made or other not in made:
                continue
            (old, asked), (new, new_asked) = made[one], made[other]
            truth = judged.score(nearest(new_asked, new, 10).which, len(new))
            true = np.array([truth.ndcg.mean(), truth.mrr.mean(), truth.recall.mean()])
            for sample in SAMPLES:
                errors, held, arms, start = [], [], [], time.process_time()
                for draw in range(draws):
                    random = np.random.default_rng(draw)
                    some = forecast.choose(judged, len(old), sample=sample, random=random)
                    told = forecast.forecast(
                        old, asked, new[some.which], new_asked, judged, some, random=random
                    )
                    errors.append([each.new for each in told] - true)
                    held.append(
                        [
                            each.golden[0] - 1e-9 <= value <= each.golden[1] + 1e-9
                            for each, value in zip(told, true, strict=True)
                        ]
                    )
                    arms.append((told[0].golden[1] - told[0].golden[0]) / 2)
                errors, held = np.array(errors), np.mean(held, axis=0)
                spent = (time.process_time() - start) / draws
                mean = errors.mean(axis=0)
                print(
                    f"{name:9s} {one:>6s} -> {other:6s} {sample:6,d} {len(some.which):8,d}  "
                    f"{told[0].old:.3f}, {true[0]:.3f} | "
                    f"{mean[0]:+.4f} {np.abs(errors[:, 0]).max():.4f} | "
                    f"{held[0]:.2f} {held[1]:.2f} {held[2]:.2f} | {np.mean(arms):.3f} | "
                    f"{mean[1]:+.3f} {mean[2]:+.3f} | {spent:.2f}",
                    flush=True,
                )


@one_thread
def stays(names):
    print(
        "set       change            sample  judged that stay: true, told, AUROC | first ten that stay"
    )
    for name in names:
        made, relevant = SETS[name]()
        judged = judgements(relevant)
        for one, other in PAIRS:
            if one not in made or other not in made:
                continue
            (old, asked), (new, new_asked) = made[one], made[other]
            first, then = (nearest(*each, 10).which for each in ((asked, old), (new_asked, new)))
            query = np.repeat(np.arange(len(first)), 10)
            document = first.ravel().astype(np.int64)
            for sample in SAMPLES:
                told = []
                for which in (judged, Judged(query, document, np.ones(len(query)))):
                    random = np.random.default_rng(0)
                    some = forecast.choose(which, len(old), sample=sample, random=random)
                    own = np.isin(document, some.which)
                    if which is judged:
                        own &= relevant[query, document]
                    pairs = query[own], document[own]
                    found = standing(old, asked, new[some.which], new_asked, pairs, some)
                    true = (then[pairs[0]] == pairs[1][:, None]).any(axis=1)
                    told.append((found, true))
                (found, true), (all_found, all_true) = told
                print(
                    f"{name:9s} {one:>6s} -> {other:6s} {sample:6,d}  {true.mean():.3f} "
                    f"{found.stays.mean():.3f} {auroc(found.stays, true):.3f} | {all_true.mean():.3f} "
                    f"{all_found.stays.mean():.3f}",
                    flush=True,
                )


def auroc(score, true):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(true, score) if 0 < true.mean() < 1 else 1.0


if __name__ == "__main__":
    what, *more = sys.argv[1:] or ["20"]
    if what == "stays":
        stays(more or SETS)
    else:
        table(int(what), more or SETS)

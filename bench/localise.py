"""Where a space moved: rows ranked by newness, regions by name, classes inside one another.

UNDERTOW_VECTORS=FOLDER python bench/localise.py rows [DRAWS]     CLINC150, one topic held out
UNDERTOW_VECTORS=FOLDER python bench/localise.py other [DRAWS]    the same on Stack Overflow's tags
UNDERTOW_VECTORS=FOLDER python bench/localise.py quiet [DRAWS]    no change: alarms and limits
UNDERTOW_VECTORS=FOLDER python bench/localise.py names            clusters named on Stack Overflow
UNDERTOW_VECTORS=FOLDER python bench/localise.py mixing
UNDERTOW_VECTORS=FOLDER python bench/localise.py senses           also needs apples.npy (see below)

The folder holds NAME.fp32.npy, one row of length 1 for each row of UNDERTOW_DATA's NAME.parquet, and
apples.npy for the lines of tests/laws/apples.txt, each encoded as it is and then with the case of
"apple" swapped.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from undertow.stats.distinct_words import distinct_words
from undertow.stats.mixing import mixing
from undertow.stats.regions import clusters, regions, rows_by_newness
from undertow.stats.senses import senses

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "."))
APPLES = Path(__file__).parents[1] / "tests" / "laws" / "apples.txt"
WINDOW, REFERENCE = 1_000, 4_096
FRESH = 5_000  # seeds that the settings were not chosen on


def load(name: str, *columns: str) -> tuple[np.ndarray, ...]:
    table = pq.read_table(DATA / f"{name}.parquet", columns=list(columns))
    vectors = np.load(VECTORS / f"{name}.fp32.npy")
    return vectors, *(np.array(table[c].to_pylist(), object) for c in columns)


def telling(texts: np.ndarray, labels: np.ndarray) -> dict[str, set[str]]:
    """Words of each label, and those in 30% of its texts and in at most 2% of the others."""
    held = [set(t.lower().replace("?", " ").replace(",", " ").split()) for t in texts]
    total = Counter(w for words in held for w in words)
    out = {}
    for label in set(labels):
        rows = np.flatnonzero(labels == label)
        own = Counter(w for row in rows for w in held[row])
        rest = len(texts) - len(rows)
        common = {w for w, c in own.items() if c >= 0.3 * len(rows) and total[w] - c <= 0.02 * rest}
        out[label] = common | set(label.replace("-", "_").split("_"))
    return out


def hold_out(
    groups: np.ndarray, held: np.ndarray, planted: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = random.permutation(np.flatnonzero(~held & (groups != "oos")))
    new = random.permutation(np.flatnonzero(held))[:planted]
    current = np.concatenate([known[REFERENCE : REFERENCE + WINDOW - planted], new])
    is_new = np.arange(WINDOW) >= WINDOW - planted
    order = random.permutation(WINDOW)
    return known[:REFERENCE], current[order], is_new[order]


def measure(
    vectors: np.ndarray,
    texts: np.ndarray,
    labels: np.ndarray,
    words: dict[str, set[str]],
    drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    at_m, region, cost, names = [], [], [], []
    for old, now, is_new in drawn:
        m = int(is_new.sum())
        began = time.process_time()
        rows = rows_by_newness(vectors[old], vectors[now])
        middle = time.process_time()
        found = regions(
            vectors[old], vectors[now], texts=(texts[old].tolist(), texts[now].tolist())
        )
        cost.append((middle - began, time.process_time() - middle))
        shares = np.argsort(-rows.company, kind="stable")
        at_m.append([is_new[o[:m]].mean() for o in (rows.newest, shares, rows.strangest)])
        top = found[0]
        inside = is_new[top.in_current]
        majority = Counter(labels[now[top.in_current[inside]]]).most_common(1)
        hit = bool(majority) and bool(words[majority[0][0]] & set(top.words))
        exact = inside.mean() if inside.size else 0.0
        region.append((top.p < 0.05 and top.grew, exact, inside.sum() / m, hit))
        names.append((majority[0][0] if majority else "-", top.name))
    at_m, region = np.array(at_m), np.array(region, float)
    error = at_m.std(axis=0, ddof=1) / np.sqrt(len(at_m))
    for name, mean, e in zip(
        ("new here", "kNN label share", "unlike"), at_m.mean(0), error, strict=True
    ):
        print(f"    {name:16} precision at m {mean:.3f} (s.e. {e:.3f})")
    print(
        "    first region: grown with p < .05 in {:.2f}, precision {:.2f}, recall {:.2f}, "
        "its name holds the planted words in {:.2f}".format(*region.mean(axis=0))
    )
    print(
        "    CPU: rows {:.0f} ms, regions with names {:.0f} ms".format(*np.median(cost, 0) * 1000)
    )
    print("   ", "; ".join(f"{a} = {b}" for a, b in names[:6]), flush=True)


def rows(draws: int) -> None:
    vectors, texts, intents, domains = load("clinc150_oos", "text", "intent", "domain")
    known = domains != "oos"
    words = telling(texts[known], intents[known])
    names = sorted(set(domains[known]))
    for title, planted, narrow in (
        ("one new intent, 3%", 30, True),
        ("new domain, 10%", 100, False),
        ("new domain, 5%", 50, False),
    ):
        drawn = []
        for draw in range(draws):
            random = np.random.default_rng(FRESH + draw)
            held = domains == names[draw % len(names)]
            if narrow:
                held = intents == random.choice(sorted(set(intents[held])))
            drawn.append(hold_out(domains, held, planted, random))
        print(f"{title}: {draws} draws over {min(draws, len(names))} domains")
        measure(vectors, texts, intents, words, drawn)


def other(draws: int) -> None:
    vectors, texts, tags = load("stackoverflow_titles", "title", "tag")
    words = telling(texts, tags)
    names = sorted(set(tags))
    for planted in (30, 50, 100):
        drawn = [
            hold_out(tags, tags == names[k % 20], planted, np.random.default_rng(FRESH + k))
            for k in range(draws)
        ]
        print(f"a new tag, {planted / 10:.0f}%: {draws} draws over {min(draws, 20)} tags")
        measure(vectors, texts, tags, words, drawn)


def quiet(draws: int) -> None:
    vectors, domains = load("clinc150_oos", "domain")
    known = np.flatnonzero(domains != "oos")
    alarms, covered = [], []
    for draw in range(draws):
        order = np.random.default_rng(FRESH + draw).permutation(known)
        found = regions(vectors[order[:REFERENCE]], vectors[order[REFERENCE:][:WINDOW]])
        alarms.append(found[0].p < 0.05)
        covered.append(np.mean([r.low <= 0 <= r.high for r in found]))
    print(f"no change, {draws} draws: some region with p < .05 in {np.mean(alarms):.3f}")
    print(f"    limits of a region's difference hold 0 in {np.mean(covered):.3f}")


def names(_: int) -> None:
    vectors, texts, tags = load("stackoverflow_titles", "title", "tag")
    words = telling(texts, tags)
    for count in (20, 50, 150):
        began = time.process_time()
        cell, _ = clusters(vectors, count)
        named = distinct_words(texts.tolist(), cell)
        took = time.process_time() - began
        plain = strict = 0
        kinds = []
        for k, name in enumerate(named):
            tag = Counter(tags[cell == k]).most_common(1)[0][0]
            strict += bool(set(tag.replace("-", "_").split("_")) & set(name))
            plain += bool(words[tag] & set(name))
            kinds.append(f"{tag}: {' '.join(name)}")
        print(
            f"{len(named)} clusters of 20,000 titles: the name holds the majority tag's own word in "
            f"{strict / len(named):.2f}, a word of it in {plain / len(named):.2f}; {took:.2f} CPU s"
        )
        if count == 20:
            print("    " + "\n    ".join(kinds))


def mixed(_: int) -> None:
    random = np.random.default_rng(FRESH)
    lines, headlines, sarcastic = load("sarcasm_headlines", "headline", "is_sarcastic")
    films, sentences, label = load("sst2_sentences", "text", "label")
    first, second = random.permutation(len(lines))[:6_000], random.permutation(len(films))[:4_000]
    kinds = np.concatenate(
        [
            np.where(sarcastic[first].astype(bool), "sarcastic", "plain"),
            np.where(label[second].astype(bool), "positive", "negative"),
        ]
    )
    rows = np.concatenate([lines[first], films[second]])
    texts = np.concatenate([headlines[first], sentences[second]])
    some = kinds != "plain"
    tags_vectors, tags = load("stackoverflow_titles", "tag")
    drawn = random.permutation(len(tags))[:6_000]
    for title, what, names, own in (
        ("headlines and films, all four classes", rows, kinds, True),
        ("without plain headlines, nearest of other classes", rows[some], kinds[some], False),
        ("Stack Overflow", tags_vectors[drawn], tags[drawn], True),
        ("Stack Overflow, nearest of other classes", tags_vectors[drawn], tags[drawn], False),
    ):
        began = time.process_time()
        found = mixing(what, names.tolist(), own=own)
        print(f"{title}: {len(what)} rows, {time.process_time() - began:.1f} CPU s")
        for pair in found[:12]:
            print(
                f"    {pair.label:>13} in {pair.other:13} {pair.share:.3f} "
                f"[{pair.low:.3f}, {pair.high:.3f}], chance {pair.chance:.3f}, p {pair.p:.1g}"
            )
        if names is not kinds and "positive" in names:
            for pair in found:
                if pair.label == "sarcastic":
                    print(f"    in {pair.other}:", texts[some][pair.inside[:3]].tolist())
    wrong = 0
    for draw in range(200):
        dealt = np.random.default_rng(draw).permutation(kinds)[:600]
        wrong += min(pair.p for pair in mixing(rows[:600], dealt.tolist())) < 0.05
    print(f"labels dealt at random to 600 rows: some pair with p < .05 in {wrong / 200:.3f}")


def word_senses(_: int) -> None:
    lines = [line.split("\t") for line in APPLES.read_text(encoding="utf-8").splitlines()]
    given, texts = [line[0] for line in lines], [line[1] for line in lines]
    vectors = np.load(VECTORS / "apples.npy")
    for how, labels in (("sense given", given), ("by the capital", None)):
        found = senses(vectors[: len(texts)], texts, "apple", labels)
        right = np.mean(found.groups == np.array([g == given[0] for g in given]))
        print(
            f"{how}: {found.wrong:.3f} of the nearest are of the wrong sense, chance "
            f"{found.chance:.3f}, p {found.p:.3f}; misplaced {[texts[i] for i in found.misplaced]}; "
            f"two groups p {found.p_groups:.3f}, spread left {found.left:.3f}, right for "
            f"{max(right, 1 - right):.2f} of the rows"
        )
    swapped = (vectors[: len(texts)] * vectors[len(texts) :]).sum(axis=1)
    print(f"cosine of a text and itself with the capital swapped: least {swapped.min():.6f}")


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "rows"
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    jobs = {"rows": rows, "other": other, "quiet": quiet, "names": names}
    (jobs | {"mixing": mixed, "senses": word_senses})[what](draws)

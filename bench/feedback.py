"""Feedback loops: when a simulated loop is told, how often none is, and what the intervals are worth.

python bench/feedback.py loop [RUNS]        a popularity loop on CLINC150 texts: the step that is told
python bench/feedback.py quiet [RUNS]       no loop: servings drawn again from one popularity
python bench/feedback.py cover [TRIALS]     coverage of the intervals, and how often p is below .05, .002
python bench/feedback.py copies [TRIALS]    the same of the share of near copies
python bench/feedback.py minhash            near copies beside datasketch: time and agreement
python bench/feedback.py shingle            near copies by the words of a shingle, planted and natural
python bench/feedback.py own                own output that comes back, planted
python bench/feedback.py cost               CPU seconds of the command's parts

The loop: step 0 serves 1,000 items drawn from a popularity. Of each later step, 95% are drawn in
proportion to (servings of step t - 1) ** LURE, and 5% from all items alike: what was served is clicked,
and what is clicked is served. LURE 1 passes popularity on as it was (with its noise); above 1 the popular
gain. Items are texts of CLINC150, or their 151 intents.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from undertow.core.verdict import Verdict
from undertow.stats.concentration import concentration, gini
from undertow.verbs.feedback import feedback

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
SERVINGS = 1_000
LURE = 1.5
CHANCE = 0.05
ALARM = {Verdict.CHANGED, Verdict.WATCH}


def clinc():
    """Return the texts and the intents of CLINC150."""
    rows = pq.read_table(DATA / "clinc150_oos.parquet")
    intents = rows["intent"].to_numpy(zero_copy_only=False)
    return np.array(rows["text"].to_pylist()), np.unique(intents, return_inverse=True)[1]


def popularity(items, kind, random):
    """Return how often each item is wanted: all alike, mildly uneven, or by Zipf's law."""
    if kind == "flat":
        made = np.ones(items)
    elif kind == "mild":
        made = random.gamma(4.0, size=items)
    else:
        made = 1 / np.arange(1, items + 1)
    return made / made.sum()


def loop(first, steps, random, lure=LURE, servings=SERVINGS):
    """Yield the servings of each step of a popularity loop that starts from `first`."""
    p = first
    for _ in range(steps):
        served = random.choice(len(first), size=servings, p=p)
        yield served
        clicked = np.bincount(served, minlength=len(first)) ** lure
        p = (1 - CHANCE) * clicked / clicked.sum() + CHANCE / len(first)


def catalogues(texts, random):
    """Yield what the items are, by name: how many, and what each row of a serving says."""
    yield "151 intents", 151, None
    for size in (500, 2_000, len(texts)):
        yield f"{size:,} texts", size, texts[np.sort(random.permutation(len(texts))[:size])]


def table(served, shown=None):
    columns = {"item": pa.array(served)}
    if shown is not None:
        columns["text"] = pa.array(shown[served])
    return pa.table(columns)


def run_loop(runs):
    texts, _ = clinc()
    print("alarm at step (1 is the first that the loop shaped), of all runs; reference is step 0")
    for lure in (1.5, 1.25, 2.0, 1.0):
        for kind in ("flat", "mild", "zipf"):
            for name, size, shown in catalogues(texts, np.random.default_rng(0)):
                told, ginis, start = [], [], time.process_time()
                for seed in range(runs):
                    random = np.random.default_rng(seed)
                    steps = list(loop(popularity(size, kind, random), 6, random, lure))
                    ginis.append([gini(np.bincount(each, minlength=size)) for each in steps])
                    found = 0
                    for step in range(1, 6):
                        # Words are looked at in a few runs: they cost most, and change nothing here.
                        with_text = shown is not None and seed < 3
                        one, two = (
                            table(steps[each], shown if with_text else None) for each in (0, step)
                        )
                        catalog = pa.table({"item": np.arange(size)})
                        text = "text" if with_text else None
                        report = feedback(one, two, item="item", text=text, catalog=catalog)
                        if report.verdict in ALARM:
                            found = step
                            break
                    told.append(found)
                counts = np.bincount(told, minlength=6)
                middle = " ".join(f"{each:.2f}" for each in np.mean(ginis, axis=0))
                print(
                    f"lure {lure:4} {kind:4} {name:12s} Gini {middle} | step 1: {counts[1]:3d} "
                    f"2: {counts[2]:3d} 3: {counts[3]:3d} 4-5: {counts[4:].sum():3d} "
                    f"never: {counts[0]:3d}  ({(time.process_time() - start) / runs:.2f} s a run)",
                    flush=True,
                )


def run_quiet(runs):
    texts, _ = clinc()
    for servings in (1_000, 200):
        for kind in ("mild", "zipf", "zipf, items swapped"):
            for name, size, _ in catalogues(texts, np.random.default_rng(0)):
                verdicts = []
                for seed in range(runs):
                    random = np.random.default_rng(10_000 + seed)
                    p = popularity(size, kind.split(",")[0], random)
                    one = random.choice(size, size=servings, p=p)
                    if "swapped" in kind:
                        p = random.permutation(p)
                    two = random.choice(size, size=servings, p=p)
                    catalog = pa.table({"item": np.arange(size)})
                    report = feedback(
                        table(one, None), table(two, None), item="item", catalog=catalog
                    )
                    verdicts.append(str(report.verdict))
                told = {each: verdicts.count(each) for each in sorted(set(verdicts))}
                print(f"{servings:6,} servings {kind:19s} {name:12s} {told}", flush=True)


def truth(p, rows, random, trials=400):
    """Return the mean Gini and the mean of different items of so many servings."""
    made = [random.multinomial(rows, p) for _ in range(trials)]
    return np.mean([gini(each) for each in made]), np.mean([(each > 0).sum() for each in made])


def run_cover(trials):
    print(
        "        n      m  items  reference current |  covered: Gini  reach | p<.05 p<.002: Gini, reach"
    )
    worst = np.ones(2)
    for items in (100, 1_000, 5_000):
        for before, now in (
            ("flat", "flat"),
            ("zipf", "zipf"),
            ("mild", "mild"),
            ("flat", "mild"),
            ("mild", "zipf"),
        ):
            for n, m in (
                (200, 200),
                (1_000, 1_000),
                (5_000, 1_000),
                (10_000, 10_000),
                (500, 10_000),
            ):
                random = np.random.default_rng(items + n + m)
                p = popularity(items, before, random)
                q = p if before == now else popularity(items, now, random)
                rows = min(n, m)
                a, b = truth(p, rows, random), truth(q, rows, random)
                gap = 0.0 if p is q else abs(a[0] - b[0])
                far = 0.0 if p is q else abs(a[1] - b[1]) / min(items, rows)
                hit, low = np.zeros(2), np.zeros((2, 2))
                for _ in range(trials):
                    found = concentration(
                        random.choice(items, n, p=p), random.choice(items, m, p=q), items
                    )
                    for spot, (effect, real) in enumerate(((found.gini, gap), (found.reach, far))):
                        hit[spot] += effect.low - 1e-9 <= real <= effect.high + 1e-9
                        low[spot] += effect.p_no_change <= 0.05, effect.p_no_change <= 0.002
                hit, low = hit / trials, low / trials
                worst = np.minimum(worst, hit)
                null = f"{low[0]} {low[1]}" if p is q else ""
                told = f"{n:9,} {m:6,} {items:6,}  {before:9s} {now:7s}"
                print(f"{told} |  {hit[0]:.3f}  {hit[1]:.3f} | {null}", flush=True)
    print("worst: Gini, reach", worst)


def families(count, random, *, twins=0.2, words=12):
    """Return texts of which a part comes in families of near copies."""
    vocabulary = np.array([f"w{each}" for each in range(5_000)])
    odds = 1 / np.arange(1, 5_001)
    odds /= odds.sum()
    texts = []
    while len(texts) < count:
        plain = random.choice(vocabulary, words, p=odds)
        size = 1 if random.random() > twins else int(random.integers(2, 6))
        texts += [" ".join([*plain, f"x{random.integers(1_000)}"]) for _ in range(size)]
    return np.array(texts[:count])


def run_copies(trials):
    """No change, and a change of the share of families, at several sizes."""
    from undertow.stats import copies
    from undertow.stats.near_copies import shingles

    print("     n      m   items  twins -> twins  truth          covered  p<.05 p<.002")
    for items, once, twice in (
        (500, 0.2, 0.2),
        (5_000, 0.2, 0.2),
        (50_000, 0.3, 0.3),
        (5_000, 0.1, 0.6),
    ):
        random = np.random.default_rng(items)
        pools = [families(items, random, twins=each) for each in (once, twice)]
        pools[1] = pools[0] if once == twice else pools[1]
        for n, m in ((200, 200), (1_000, 1_000), (3_000, 1_000)):
            rows = min(n, m)

            def one(pool, size, rows=rows, random=random):
                made = shingles(list(random.choice(pool, size)))
                return copies.copied(copies.text_graph(made), rows)

            real = [np.mean([one(pool, rows).value for _ in range(100)]) for pool in pools]
            gap = (
                abs(float(copies.angle(real[0]) - copies.angle(real[1]))) if once != twice else 0.0
            )
            hit = low = lower = 0
            for _ in range(trials):
                effect = copies.share_moved(one(pools[0], n), one(pools[1], m))
                hit += effect.low - 1e-9 <= gap <= effect.high + 1e-9
                low += effect.p_no_change <= 0.05
                lower += effect.p_no_change <= 0.002
            print(
                f"{n:6,} {m:6,} {items:7,}    {once} -> {twice}     {real[0]:.3f} {real[1]:.3f}"
                f"     {hit / trials:.3f}   {low / trials:.3f}  {lower / trials:.3f}",
                flush=True,
            )


def long_texts(count, random, words=20):
    vocabulary = np.array([f"word{each}" for each in range(20_000)])
    odds = 1 / np.arange(1, 20_001)
    odds /= odds.sum()
    cells = random.choice(vocabulary, (count, words), p=odds)
    for row in range(0, count // 10, 2):  # one text in twenty has a copy with one word changed
        cells[row + 1] = cells[row]
        cells[row + 1, random.integers(words)] = "changed"
    return [" ".join(each) for each in cells]


def run_minhash():
    from datasketch import MinHash, MinHashLSH

    from undertow.stats.near_copies import near_pairs, shingles

    texts = long_texts(20_000, np.random.default_rng(0))
    start = time.process_time()
    found = near_pairs(shingles(texts))
    ours = {(a, b) for a, b in zip(found.left.tolist(), found.right.tolist(), strict=True)}
    print(f"ours: {time.process_time() - start:.2f} CPU s, {len(ours):,} pairs of Jaccard >= .8")
    start = time.process_time()
    index, made = MinHashLSH(threshold=0.8, num_perm=100), []
    for row, text in enumerate(texts):
        words = text.split()
        each = MinHash(num_perm=100)
        each.update_batch([" ".join(pair).encode() for pair in pairwise(words)])
        index.insert(row, each)
        made.append(each)
    theirs = set()
    for row, each in enumerate(made):
        for other in index.query(each):
            if row < other and each.jaccard(made[other]) >= 0.8:
                theirs.add((row, other))
    print(
        f"datasketch: {time.process_time() - start:.2f} CPU s, {len(theirs):,} pairs of estimated >= .8"
    )
    sets = [set(pairwise(text.split())) for text in texts[:2_000]]
    truth = {
        (a, b)
        for a in range(2_000)
        for b in range(a + 1, 2_000)
        if len(sets[a] & sets[b]) >= 0.8 * len(sets[a] | sets[b]) - 1e-9
    }
    for name, each in (("ours", ours), ("datasketch", theirs)):
        near = {pair for pair in each if max(pair) < 2_000}
        print(
            f"{name}: of {len(truth):,} pairs by brute force {len(truth & near):,} found, "
            f"{len(near - truth):,} more"
        )


def run_shingle():
    from undertow.stats.near_copies import measured, near_pairs, shingles

    print("share of planted copies that are found, and of natural rows that have a near copy")
    for name, column in (
        ("clinc150_oos", "text"),
        ("stackoverflow_titles", "title"),
        ("airline_tweets", "text"),
        ("amazon_pantry_reviews", "text"),
        ("cranfield_docs", "text"),
    ):
        rows = pq.read_table(DATA / f"{name}.parquet")
        random = np.random.default_rng(0)
        texts = [each for each in rows[column].to_pylist() if each]
        texts = [texts[each] for each in random.permutation(len(texts))[:5_000]]
        for words in (1, 2, 3):
            told = []
            for change in ("one word replaced", "one word added", "two swapped"):
                other = []
                for text in texts:
                    cells = text.split()
                    at = int(random.integers(len(cells)))
                    if change == "one word replaced":
                        cells[at] = "qqq"
                    elif change == "one word added":
                        cells.insert(at, "qqq")
                    elif at + 1 < len(cells):
                        cells[at], cells[at + 1] = cells[at + 1], cells[at]
                    other.append(" ".join(cells))
                made = shingles([*texts, *other], words)
                left = np.arange(len(texts))
                told.append(len(measured(made, left, left + len(texts), 0.8).left) / len(texts))
            found = near_pairs(shingles(texts, words))
            near = len(np.unique(np.concatenate([found.left, found.right]))) / len(texts)
            length = np.median([len(text.split()) for text in texts])
            print(
                f"{name:22s} {length:5.0f} words a text, shingles of {words}: replaced {told[0]:.2f} "
                f"added {told[1]:.2f} swapped {told[2]:.2f} | natural {near:.3f}"
            )


def run_own():
    """Rows of which a part copies an earlier own output: exactly, with a word changed, or within more."""
    from undertow.stats.near_copies import shingles
    from undertow.stats.returned import HOW, returned

    random = np.random.default_rng(0)
    texts, _ = clinc()
    titles = np.array(
        [
            each
            for each in pq.read_table(DATA / "sarcasm_headlines.parquet")["headline"].to_pylist()
            if each
        ]
    )
    for name, every in (
        ("CLINC150", texts),
        ("headlines", titles),
        ("20 words", np.array(long_texts(20_000, random))),
    ):
        pool = every[random.permutation(len(every))][:8_000]
        outputs, fresh = pool[:4_000], pool[4_000:8_000]
        log = shingles(list(outputs))
        natural = returned(shingles(list(fresh)), log)
        start = time.process_time()
        told = [f"{name}: by chance {(natural.output >= 0).mean():.4f}"]
        for way in ("exact", "a word changed", "within a longer text"):
            rows = []
            for text in outputs[:2_000]:
                cells = text.split()
                if way == "a word changed":
                    cells[int(random.integers(len(cells)))] = "qqq"
                elif way != "exact":
                    cells = ["as", "we", "said", "before", *cells, "and", "there", "is", "more"]
                rows.append("  ".join(cells).upper())
            found = returned(shingles(rows), log)
            right = found.output == np.arange(2_000)
            how = {each: int((found.how == code).sum()) for code, each in enumerate(HOW) if each}
            hit, exact = (found.output >= 0)[found.told].mean(), right[found.told].mean()
            told.append(f"{way} {hit:.3f} (the right one {exact:.3f}) {how}")
        print("; ".join(told), f"{time.process_time() - start:.2f} CPU s")


def run_cost():
    random = np.random.default_rng(0)
    rows = 20_000
    texts = long_texts(rows, random)
    items = random.zipf(1.3, rows) % 5_000
    vectors = random.normal(size=(rows, 384)).astype(np.float32)
    whole = pa.table(
        {
            "item": items,
            "text": texts,
            "at": np.arange(rows),
            "v": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384),
        }
    )
    outputs = pa.table({"text": long_texts(rows, random), "at": np.arange(rows)})
    ways = {
        "--item": {"item": "item"},
        "--text": {"text": "text"},
        "--item --text": {"item": "item", "text": "text"},
        "--vector": {"vector": "v"},
        "--text --outputs": {"text": "text", "outputs": outputs, "output_text": "text"},
        "all, with times": {
            "item": "item",
            "text": "text",
            "vector": "v",
            "time": "at",
            "outputs": outputs,
            "output_text": "text",
            "output_time": "at",
        },
    }
    feedback(whole, whole, **ways["all, with times"])
    for name, options in ways.items():
        start = time.process_time()
        feedback(whole, whole, **options)
        print(f"{name:18s} {time.process_time() - start:.2f} CPU s for 20,000 rows a side")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    given = [int(each) for each in rest]
    globals()[f"run_{what}"](
        *(given or ([] if what in {"minhash", "shingle", "own", "cost"} else [50]))
    )

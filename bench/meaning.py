"""What `undertow meaning` is worth: planted changes, splits without one, words known to change.

python bench/meaning.py null [SPLITS [PAIR ...]]     false alarms on random splits of real words' uses
python bench/meaning.py reports [REPORTS]            false alarms in reports of five words
python bench/meaning.py planted [TRIALS [PAIR ...]]  bias, coverage and power of a planted share
python bench/meaning.py measures [TRIALS [PAIR ...]] power of other measures beside it
python bench/meaning.py needs [TRIALS]          how many words without a change are decided, by uses
python bench/meaning.py speeches                rank correlation with SemEval-2020's graded change
python bench/meaning.py mask [TRIALS] [ENCODER] the word itself masked, or kept as one token for both

Planted: a pseudo-word stands for word A before, and for a mix of A and B now. The truth is the planted
share times how far B lies, as a part of the usual way to another word (1 where B is as far as most).
Vectors are of one encoder for all trials of a pair, fitted on contexts of A, B and 20 other words.
"""

from __future__ import annotations

import math
import os
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Fits
from undertow.core.encode import encode
from undertow.core.verdict import Verdict, decide
from undertow.sides.used import Reader, read_side
from undertow.stats.meaning import Uses, apart, moved, square, steps
from undertow.stats.neighbours import unit
from undertow.stats.usage import pattern, uses

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
TEXTS = {
    "reviews": ("amazon_pantry_reviews", "text"),
    "titles": ("stackoverflow_titles", "title"),
    "headlines": ("sarcasm_headlines", "headline"),
}
FOOD = ["chips", "snack", "cereal", "soup", "cookies", "coffee", "tea", "chocolate"]
CARE = ["scent", "skin", "soft", "hair", "clean", "laundry", "smells"]
PAIRS = {
    "food>care": ("reviews", FOOD, CARE),
    "coffee>tea": ("reviews", ["coffee"], ["tea"]),
    "excel>others": ("titles", ["excel"], ["sharepoint", "hibernate", "wordpress"]),
    "trump>others": ("headlines", ["trump"], ["clinton", "hillary", "obama"]),
}
WINDOW, OTHERS, OTHER_USES, FITTED = 10, 20, 100, 2_500


@cache
def side(name):
    file, column = TEXTS[name]
    table = pq.read_table(DATA / f"{file}.parquet", columns=[column])
    table = pa.table({"text": pa.array(list(dict.fromkeys(table[column].to_pylist())))})
    return read_side(table, Reader("text", (), WINDOW, case=False, document=None, most=100_000))


def contexts(name, words):
    """Return one context a text, of the first of the words that it has."""
    file = side(name)
    spots = sorted({spot for word in words for spot in file.holders.get(word, [])})
    find = (
        pattern(words[0])
        if len(words) == 1
        else __import__("re").compile(r"(?<!\w)(?:" + "|".join(words) + r")(?!\w)", 2)
    )
    found = [uses(file.sample[spot][2], find, WINDOW)[:1] for spot in spots]
    return [each[0].context for each in found if each and each[0].context]


@cache
def vectors(pair, spec="tfidf"):
    """Return the vectors of A's uses, of B's, and of the other words'."""
    name, a, b = PAIRS[pair]
    file = side(name)
    names = file.drawn(file.candidates(file, 100, without=[*a, *b]), OTHERS)
    groups = [contexts(name, a), contexts(name, b)]
    groups += [contexts(name, [each])[:OTHER_USES] for each in names]
    if spec != "tfidf":
        groups = [each[:2_000] for each in groups]
    flat = [each for group in groups for each in group]
    opened = open_encoder(spec)
    random = np.random.default_rng(0)
    if isinstance(opened, Fits):
        rest = [each for group in groups[2:] for each in group]
        drawn = [groups[0][spot] for spot in random.permutation(len(groups[0]))[:400]]
        drawn += [groups[1][spot] for spot in random.permutation(len(groups[1]))[:100]]
        opened = opened.fitted([*drawn, *rest])
    made = unit(encode(opened, flat))
    ends = np.cumsum([len(group) for group in groups])
    return [made[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]


def single(rows):
    return Uses(rows, np.arange(len(rows)))


def trial(pair, rows, share, seed, spec="tfidf"):
    """Return the two sides and the step of one trial, or None where there are too few uses."""
    a, b, *others = vectors(pair, spec)
    random = np.random.default_rng(seed)
    other = round(share * rows)
    if 2 * rows - other > len(a) or other > len(b):
        return None
    from_a = random.permutation(len(a))[: 2 * rows - other]
    from_b = random.permutation(len(b))[:other]
    one, two = single(a[from_a[:rows]]), single(np.concatenate((a[from_a[rows:]], b[from_b])))
    pooled = single(np.concatenate((one.vectors, two.vectors)))
    return one, two, float(np.nanmedian(steps(pooled, [single(each) for each in others])))


def planted(trials=100, *pairs):
    print(
        f"{'pair':14}{'uses':>5}{'planted':>8}{'truth':>7}{'mean':>7}{'bias':>7}{'covers truth':>13}"
        f"{'covers planted':>15}{'seen':>6}{'watch':>6}{'changed':>8}  trials, CPU s"
    )
    for pair in pairs or PAIRS:
        a, b, *_ = vectors(pair)
        way = math.sqrt(square(single(a), single(b)))
        for rows in (50, 200, 1_000):
            for share in (0.1, 0.2, 0.4):
                found, truths, start = [], [], time.process_time()
                for seed in range(trials if rows < 1_000 else max(trials // 3, 1)):
                    made = trial(pair, rows, share, seed)
                    if made is None:
                        break
                    effect = moved(*made).effect
                    found.append(effect)
                    truths.append(share * way / made[2])
                if not found:
                    continue
                value = np.array([each.value for each in found])
                low, high = (np.array([getattr(e, n) for e in found]) for n in ("low", "high"))
                truth = np.array(truths)
                verdicts = [decide(each, 1) for each in found]
                print(
                    f"{pair:14}{rows:5}{share:8.0%}{truth.mean():7.1%}{value.mean():7.1%}"
                    f"{(value - truth).mean():+7.1%}{((low <= truth) & (truth <= high)).mean():13.1%}"
                    f"{((low <= share) & (share <= high)).mean():15.1%}"
                    f"{np.mean([each.p_no_change <= 0.05 for each in found]):6.0%}"
                    f"{np.mean([each is Verdict.WATCH for each in verdicts]):6.0%}"
                    f"{np.mean([each is Verdict.CHANGED for each in verdicts]):8.0%}"
                    f"  {len(found)}, {time.process_time() - start:.0f}",
                    flush=True,
                )


def null(splits=400, *pairs):
    """Split the uses of each pair's A at random."""
    for pair in pairs or PAIRS:
        for rows in (20, 50, 200, 1_000):
            verdicts, covered, start = [], [], time.process_time()
            for seed in range(splits if rows < 1_000 else splits // 4):
                made = trial(pair, rows, 0.0, 10_000 + seed)
                if made is None:
                    break
                effect = moved(*made).effect
                verdicts.append(decide(effect, 1))
                covered.append(effect.low == 0)
            if verdicts:
                told = ", ".join(
                    f"{v.value} {np.mean([e is v for e in verdicts]):.2%}" for v in Verdict
                )
                print(
                    f"{pair:14}{rows:5} uses: {told}; covers 0: {np.mean(covered):.1%}; "
                    f"{len(verdicts)} splits, {time.process_time() - start:.0f} s",
                    flush=True,
                )


def reports(splits=200):
    """Split the uses of five words at random, 40 a side: one report each time."""
    for name in TEXTS:
        pair = next(each for each, (text, *_) in PAIRS.items() if text == name)
        others = vectors(pair)[2:]
        found, start = [], time.process_time()
        for seed in range(splits):
            random = np.random.default_rng(20_000 + seed)
            effects = []
            for place in range(5):
                rows = others[place][random.permutation(len(others[place]))[:80]]
                step = float(
                    np.nanmedian(steps(single(rows), [single(each) for each in others[5:]]))
                )
                effects.append(moved(single(rows[:40]), single(rows[40:]), step).effect)
            verdicts = [decide(each, len(effects)) for each in effects]
            found.append(max(verdicts, key=lambda v: v.severity))
        told = ", ".join(f"{v.value} {np.mean([e is v for e in found]):.2%}" for v in Verdict)
        print(
            f"{name}: reports of 5 words, 40 uses: {told}; {splits} reports, "
            f"{time.process_time() - start:.0f} s",
            flush=True,
        )


def needs(trials=60):
    """Measure which part of words without a change is decided, by uses, beside what is told."""
    from undertow.core.finding import Rows
    from undertow.detect.meaning import Meaning

    for pair in PAIRS:
        a = vectors(pair)[0]
        made = trial(pair, min(200, len(a) // 2), 0.0, 1)
        told = []
        for seed in range(20):
            made = trial(pair, min(200, len(a) // 2), 0.0, seed)
            count = len(made[0])
            told.append(Meaning()._needs(moved(*made), Rows(count, count)))  # noqa: SLF001
        line = [f"{pair}: told at {count} uses {np.median(told):.0f}"]
        for rows in (100, 150, 200, 300, 400, 600):
            found = [trial(pair, rows, 0.0, 100 + seed) for seed in range(trials)]
            found = [moved(*each).effect for each in found if each is not None]
            if found:
                line.append(
                    f"{rows}: {np.mean([decide(e, 1) is Verdict.STEADY for e in found]):.0%}"
                )
        print("; ".join(line), flush=True)


def measures(trials=40, *pairs):
    """Print the power at 5% of measures by permutation: each statistic on the same vectors."""
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression

    from undertow.stats.variation import total_variation

    for pair, share in ((each, 0.4) for each in pairs or PAIRS):
        for rows in (50, 200):
            hits, sizes = {}, {}
            for seed in range(trials):
                one, two, step = trial(pair, rows, share, seed)
                both = np.concatenate((one.vectors, two.vectors)).astype(np.float64)
                now = np.arange(2 * rows) >= rows
                random = np.random.default_rng(seed)
                sides = np.stack([now, *(random.permutation(now) for _ in range(199))]).astype(
                    float
                )
                there, here = sides @ both / rows, (1 - sides) @ both / rows
                cosine = (there * here).sum(1) / np.linalg.norm(there, axis=1)
                prt = 1 - cosine / np.linalg.norm(here, axis=1)
                apd = 1 - (there * here).sum(1)
                p = {
                    name: (each >= each[0] - 1e-12).mean()
                    for name, each in (("PRT", prt), ("APD", apd))
                }
                p["ours"] = moved(one, two, step).effect.p_no_change
                groups = KMeans(8, n_init=2, random_state=0).fit_predict(both)
                effect = total_variation(
                    np.bincount(groups[:rows], minlength=8), np.bincount(groups[rows:], minlength=8)
                )
                p["clusters"] = effect.p_no_change
                sizes.setdefault("clusters", []).append(effect.value)
                learns = random.permutation(2 * rows) % 2 == 0
                model = LogisticRegression(C=1.0, max_iter=200).fit(both[learns] * 16, now[learns])
                right = model.predict(both[~learns] * 16)
                gap = right[now[~learns]].mean() - right[~now[~learns]].mean()
                noise = math.sqrt(0.5 / max(now[~learns].sum(), 1))
                p["classifier"] = math.erfc(gap / noise / math.sqrt(2)) / 2
                sizes.setdefault("classifier", []).append(max(gap, 0))
                sizes.setdefault("ours", []).append(moved(one, two, step).effect.value)
                for name, each in p.items():
                    hits.setdefault(name, []).append(each <= 0.05)
            told = ", ".join(f"{name} {np.mean(each):.0%}" for name, each in hits.items())
            means = ", ".join(f"{name} {np.mean(each):.0%}" for name, each in sizes.items())
            print(f"{pair} {share:.0%} of {rows} uses: power {told}; mean size {means}", flush=True)


def mask(trials=30, spec="tfidf"):
    """Print the power with the word masked, and kept as one token that stands for A and B alike."""
    name, a, b = PAIRS["excel>others"]
    for rows, share in ((50, 0.4), (200, 0.2)):
        for kept in ("", "gadget"):
            hits = []
            groups = [contexts(name, a), contexts(name, b)]
            if kept:
                file, out = side(name), []
                for words in (a, b):
                    find = __import__("re").compile(r"(?<!\w)(?:" + "|".join(words) + r")(?!\w)", 2)
                    spots = sorted({s for word in words for s in file.holders.get(word, [])})
                    some = [uses(file.sample[s][2], find, WINDOW)[:1] for s in spots]
                    out.append(
                        [
                            f"{u[0].before} {kept} {u[0].after}".strip()
                            for u in some
                            if u and u[0].context
                        ]
                    )
                groups = out
            flat = [*groups[0], *groups[1]]
            opened = open_encoder(spec)
            opened = opened.fitted(flat[:2_500]) if isinstance(opened, Fits) else opened
            made = unit(encode(opened, flat))
            one, two = made[: len(groups[0])], made[len(groups[0]) :]
            for seed in range(trials):
                random = np.random.default_rng(seed)
                other = round(share * rows)
                from_a = random.permutation(len(one))[: 2 * rows - other]
                from_b = random.permutation(len(two))[:other]
                now = np.concatenate((one[from_a[rows:]], two[from_b]))
                hits.append(apart(single(one[from_a[:rows]]), single(now)).p <= 0.05)
            print(
                f"{spec}, {rows} uses, {share:.0%}: {'kept' if kept else 'masked'} {np.mean(hits):.0%}",
                flush=True,
            )


def speeches(least=5):
    """Correlate the effect of SemEval's English targets with their graded change (1810s to 2000s).

    The words are their plain forms, with `least` uses a side in two texts. "own" leaves out what
    other words moved in common.
    """
    from scipy.stats import spearmanr

    table = pq.read_table(DATA / "us_presidential_speeches.parquet").select(["text", "year"])
    rows = pq.read_table(DATA / "semeval2020_lsc_targets.parquet").to_pylist()
    gold = {each["word"][:-3]: each for each in rows if each["language"] == "english"}
    reader = Reader("text", tuple(gold), WINDOW, case=False, document=None, most=1_000)
    for cut in (1900, 1940):
        early = pa.array(table["year"].to_numpy() < cut)
        old, new = (
            read_side(table.filter(each), reader) for each in (early, pa.compute.invert(early))
        )
        words = [w for w in gold if min(len(s.terms[w].uses) for s in (old, new)) >= least]
        words = [w for w in words if min(s.terms[w].documents for s in (old, new)) >= 2]
        names = old.drawn(old.candidates(new, 20, without=gold), 40)
        pairs = [(old.terms[w], new.terms[w]) for w in words]
        pairs += [(old.of_sample(w, 50), new.of_sample(w, 50)) for w in names]
        flat = [use.context for pair in pairs for kept in pair for use in kept.uses]
        made, start, found = unit(encode(open_encoder("tfidf").fitted(flat), flat)), 0, []
        for pair in pairs:
            both = []
            for kept in pair:
                both.append(Uses(made[start : start + len(kept.uses)], kept.codes))
                start += len(kept.uses)
            found.append(both)
        joined = [
            Uses(
                *(
                    np.concatenate(each)
                    for each in zip(*((u.vectors, u.documents) for u in both), strict=True)
                )
            )
            for both in found
        ]
        others = found[len(words) :]
        shift = np.mean([two.vectors.mean(0) - one.vectors.mean(0) for one, two in others], axis=0)
        told, sizes, own = [], [], []
        for word, (one, two), both in zip(words, found, joined, strict=False):
            step = float(np.nanmedian(steps(both, joined[len(words) :])))
            sizes.append(square(one, two) / step**2)
            own.append(square(one, Uses(two.vectors - shift, two.documents)) / step**2)
            mark = "changed" if gold[word]["changed"] else "not"
            told.append(
                f"{word} {len(one)}+{len(two)} uses: {sizes[-1]:+.2f}, own {own[-1]:+.2f} "
                f"(gold {gold[word]['graded_change']:.2f}, {mark})"
            )
        print(f"before and from {cut}, {least} uses a side: {len(words)} words", *told, sep="; ")
        graded = [gold[word]["graded_change"] for word in words]
        for name, each in (("square of the effect", sizes), ("own", own)):
            rho, p = spearmanr(each, graded)
            low, high = (
                math.tanh(math.atanh(rho) + s * 1.96 / math.sqrt(max(len(words) - 3, 1)))
                for s in (-1, 1)
            )
            print(
                f"  {name}: Spearman {rho:+.2f} ({low:+.2f} to {high:+.2f}), p {p:.2f}", flush=True
            )


if __name__ == "__main__":
    what, *given = sys.argv[1:] or ["planted"]
    globals()[what](*(int(each) if each.isdigit() else each for each in given))

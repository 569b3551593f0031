"""Unfamiliar rows: how well each method tells them, at what cost, and how often it is wrong.

python bench/ood.py clinc            methods and reference sizes: CLINC150, in-scope against out-of-scope
python bench/ood.py rates            the realised rate on in-scope test rows, by which rows are held out
python bench/ood.py others           kinds held back from the reference: domains, intents, topics
python bench/ood.py settings         the two constants of `local` and `blend`
python bench/ood.py text             the same verb with TF-IDF, on texts
python bench/ood.py alarms [REPEATS] clean streams: realised rates, and verdicts that should not be
python bench/ood.py cost             CPU seconds of fitting and scoring

Vectors are read from UNDERTOW_VECTORS: clinc150_oos.fp32.npy, stackoverflow_titles.fp32.npy.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from undertow.stats.classify import area
from undertow.stats.neighbours import nearest, unit
from undertow.stats.unfamiliar import METHODS, Classes, Unfamiliar, fit

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "vectors"))
SIZES = (500, 1_500, 5_000, 15_000)
VECTOR_METHODS = METHODS[:4]


class Task(NamedTuple):
    """Known rows with classes, held-out rows, current rows, and which of those are of a new kind."""

    known: np.ndarray
    codes: np.ndarray
    held: np.ndarray
    current: np.ndarray
    new: np.ndarray


def read(name: str, *columns: str) -> tuple[np.ndarray, list[np.ndarray]]:
    table = pq.read_table(DATA / f"{name}.parquet")
    rows = np.load(VECTORS / f"{name}.fp32.npy").astype(np.float32)
    return rows, [np.asarray(table[each].to_pylist()) for each in columns]


def coded(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def clinc_task() -> Task:
    rows, (split, oos, intent) = read("clinc150_oos", "split", "is_oos", "intent")
    known, held = (split == "train") & ~oos, (split == "val") & ~oos
    test = split == "test"
    return Task(rows[known], coded(intent[known]), rows[held], rows[test], oos[test])


def told(scores: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """The AUROC, and the share of new rows accepted where 95% of the others are."""
    auc = area(scores, new)[0]
    return 100 * auc, 100 * float((scores[new] <= np.quantile(scores[~new], 0.95)).mean())


def fitted(task: Task, method: str) -> Unfamiliar:
    return fit(task.known, task.codes, method=method, held=task.held)


def sized(task: Task, rows: int, seed: int) -> Task:
    random = np.random.default_rng(seed)
    some = random.permutation(len(task.known))[:rows]
    held = random.permutation(len(task.held))[: max(rows // 5, 100)]
    return task._replace(known=task.known[some], codes=task.codes[some], held=task.held[held])


def logits(task: Task) -> Task:
    """The same task as a classifier sees it: the logits of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10, max_iter=300).fit(task.known, task.codes)
    known, held, current = (
        np.asarray(model.decision_function(part), np.float32)
        for part in (task.known, task.held, task.current)
    )
    return task._replace(known=known, held=held, current=current)


def clinc() -> None:
    whole = clinc_task()
    print("method       known   AUROC  accepted   realised rate")
    for method in VECTOR_METHODS:
        for rows in SIZES:
            repeats = 1 if rows == SIZES[-1] else 3
            found = []
            for seed in range(repeats):
                task = whole if repeats == 1 else sized(whole, rows, seed)
                made = fitted(task, method)
                scores = made.score(task.current)
                rate = (scores[~task.new] > made.threshold).mean()
                found.append((*told(scores, task.new), 100 * rate))
            print(line(method, rows, np.mean(found, axis=0)), flush=True)
    seen = logits(whole)
    for method in METHODS[4:]:
        made = fitted(seen, method)
        scores = made.score(seen.current)
        rate = (scores[~seen.new] > made.threshold).mean()
        print(line(method, len(seen.known), (*told(scores, seen.new), 100 * rate)))


def line(method: str, rows: int, found: tuple[float, ...] | np.ndarray) -> str:
    auc, accepted, rate = found
    return f"{method:12} {rows:6,} {auc:6.2f} {accepted:8.1f}% {rate:12.2f}%"


def rates() -> None:
    task = clinc_task()
    inside = task.current[~task.new]
    codes = np.concatenate([task.codes, np.full(len(task.held), -1)])
    pooled = np.concatenate([task.known, task.held])
    for rate in (0.01, 0.05, 0.1):
        for method in VECTOR_METHODS:
            by_split = fit(task.known, task.codes, method=method, rate=rate, held=task.held)
            train = fit(task.known, task.codes, method=method, rate=rate)
            both = fit(pooled, codes, method=method, rate=rate)
            shares = [100 * (m.score(inside) > m.threshold).mean() for m in (by_split, train, both)]
            said = "  ".join(
                f"{name} {share:5.2f}%"
                for name, share in zip(
                    ("validation rows held out", "a fifth of train", "a fifth of both"),
                    shares,
                    strict=True,
                )
            )
            print(f"stated {rate:4.0%}  {method:12} {said}", flush=True)


def other_tasks() -> Iterator[tuple[str, Task]]:
    random = np.random.default_rng(0)
    rows, (split, oos, intent, domain) = read("clinc150_oos", "split", "is_oos", "intent", "domain")
    train, held = (split == "train") & ~oos, (split == "val") & ~oos
    test = (split == "test") & ~oos

    def without(name: str, labels: np.ndarray, new: np.ndarray) -> tuple[str, Task]:
        known, rest = train & ~new, held & ~new
        task = Task(rows[known], coded(labels[known]), rows[rest], rows[test], new[test])
        return name, task

    for each in np.unique(domain[train])[::3]:
        yield without("domain", intent, domain == each)
    for _ in range(3):
        yield without(
            "15 intents",
            intent,
            np.isin(intent, random.choice(np.unique(intent[train]), 15, replace=False)),
        )
    titles, (topic,) = read("stackoverflow_titles", "label")
    for _ in range(2):
        new = np.isin(topic, random.choice(np.unique(topic), 4, replace=False))
        part = random.integers(0, 10, len(titles))
        known, rest, now = (part < 6) & ~new, (part == 6) & ~new, part > 6
        yield (
            "4 topics",
            Task(titles[known], coded(topic[known]), titles[rest], titles[now], new[now]),
        )


def others() -> None:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for name, task in other_tasks():
        for method in VECTOR_METHODS:
            scores = fitted(task, method).score(task.current)
            found.setdefault((name, method), []).append(told(scores, task.new))
    for (name, method), all_ in found.items():
        auc, accepted = np.mean(all_, axis=0)
        print(f"{name:12} {method:12} {auc:6.2f} {accepted:6.1f}%  ({len(all_)} tasks)")


def settings() -> None:
    tasks = [("out-of-scope", clinc_task())]
    seen: set[str] = set()
    for name, task in other_tasks():
        if name not in seen:
            seen.add(name)
            tasks.append((name, task))
    for name, task in tasks:
        known, current, held = unit(task.known), unit(task.current), unit(task.held)
        usual = 1 - nearest(known, known, 5, itself=False).cosine.mean(axis=1)
        classes = Classes.of(known, task.codes)
        far = [_parts(rows, known, usual, classes) for rows in (current, held)]
        for spacing in (0.0, 0.2, 0.3, 0.4, 0.5):
            told_ = [told(_mixed(far, spacing, None), task.new)]
            told_ += [
                told(_mixed(far, spacing, weight), task.new) for weight in (0.5, 0.75, 1, 1.5)
            ]
            said = "  ".join(f"{auc:.2f}/{accepted:.1f}" for auc, accepted in told_)
            print(f"{name:12} spacing {spacing}: local, blend at .5 .75 1 1.5: {said}", flush=True)


def _parts(rows, known, usual, classes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = nearest(rows, known, 5)
    return 1 - found.cosine.mean(axis=1), usual[found.which].mean(axis=1), classes(rows)


def _mixed(parts, spacing: float, weight: float | None) -> np.ndarray:
    (far, usual, gap), (held_far, held_usual, held_gap) = parts
    lonely, held_lonely = far - spacing * usual, held_far - spacing * held_usual
    if weight is None:
        return lonely
    return (gap - held_gap.mean()) / held_gap.std() + weight * (
        lonely - held_lonely.mean()
    ) / held_lonely.std()


def text() -> None:
    from undertow.verbs.ood import ood

    path = str(DATA / "clinc150_oos.parquet")
    new = np.asarray(pq.read_table(path, filters=[("split", "=", "test")])["is_oos"])
    for label in (None, "intent"):
        start = time.process_time()
        target = Path("/tmp") / f"bench-ood-{os.getpid()}.parquet"
        report = ood(
            path,
            path,
            text="text",
            label=label,
            scores=target,
            held_out="split = 'val'",
            reference_where="not is_oos and split <> 'test'",
            current_where="split = 'test'",
        )
        spent = time.process_time() - start
        found = pq.read_table(target)
        target.unlink()
        scores, beyond = np.asarray(found["score"]), np.asarray(found["is_ood"])
        auc, accepted = told(scores, new)
        rate = 100 * beyond[~new].mean()
        print(f"tfidf label={label}: {auc:.2f} {accepted:.1f}% rate {rate:.2f}% {spent:.1f} CPU s")
        print("  ", report["text"].says)


def stream(random: np.random.Generator, rows: int, odd: float = 0.0) -> np.ndarray:
    """Vectors of 20 classes in 32 dimensions, a share of them of a class that nobody knows."""
    centres = np.random.default_rng(1).normal(size=(21, 32))
    which = random.integers(0, 20, rows)
    which[random.random(rows) < odd] = 20
    return (centres[which] + random.normal(size=(rows, 32)) * 0.7).astype(np.float32)


def alarms(repeats: int = 200) -> None:
    from undertow.verbs.ood import ood

    def table(rows: np.ndarray) -> pa.Table:
        cells = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
        return pa.table({"v": cells})

    for known, now, odd in (
        (500, 500, 0.0),
        (2_000, 1_000, 0.0),
        (6_000, 1_000, 0.0),
        (6_000, 5_000, 0.0),
        (6_000, 1_000, 0.05),
        (6_000, 1_000, 0.1),
    ):
        shares, verdicts, covered = [], [], 0
        count = repeats if not odd else repeats // 4
        for seed in range(count):
            random = np.random.default_rng(seed)
            reference = stream(random, known)
            report = ood(table(reference), table(stream(random, now, odd)), vector="v")
            found = report["v"]
            shares.append(found.evidence["share"]["current"])
            verdicts.append(found.verdict.value)
            covered += found.effect.low <= abs(true_share(odd)) <= found.effect.high
        loud = {each: verdicts.count(each) / count for each in dict.fromkeys(verdicts)}
        print(
            f"reference {known:,}, current {now:,}, unknown class {odd:.0%}: beyond "
            f"{100 * np.mean(shares):.2f}% (sd {100 * np.std(shares):.2f}), {loud}, interval holds "
            f"the excess in {covered / count:.1%}",
            flush=True,
        )


def true_share(odd: float) -> float:
    """The excess share there is on average; what is not detected of the unknown class is little."""
    return odd * 0.95


def cost() -> None:
    task = clinc_task()
    for method in VECTOR_METHODS:
        start = time.process_time()
        made = fitted(task, method)
        middle = time.process_time()
        made.score(task.current)
        end = time.process_time()
        print(
            f"{method:12} fit {middle - start:.2f} s, {len(task.current):,} rows {end - middle:.2f} s"
        )


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "clinc"
    globals()[what](*map(int, sys.argv[2:]))

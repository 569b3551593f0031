"""The share of rows that moved: is the estimate near, does the interval cover, does it stay quiet.

UNDERTOW_VECTORS=FOLDER python bench/moved.py planted [SEEDS]    real texts with new rows planted
UNDERTOW_VECTORS=FOLDER python bench/moved.py halves [SEEDS]     real texts without a change
python bench/moved.py quiet [REPEATS]                            simulated rows without a change
python bench/moved.py rows [REPEATS]                             how many rows decide "steady"
python bench/moved.py speed

The folder holds row-aligned MiniLM vectors of ../shared/data (clinc150_oos.fp32.npy and so on).
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from undertow.core.verdict import decide
from undertow.stats.moved import REGIONS, Moved, moved, rows_needed
from undertow.stats.neighbours import nearest, unit
from undertow.stats.novel import NEAR
from undertow.stats.regions import clusters

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "."))
REFERENCE, WINDOW = 4096, 1000


def vectors(name: str, encoder: str = "fp32") -> np.ndarray:
    return np.load(VECTORS / f"{name}.{encoder}.npy", mmap_mode="r")


class Clinc:
    """Windows of CLINC150 with rows planted that the reference does not hold."""

    def __init__(self) -> None:
        table = pq.read_table(DATA / "clinc150_oos.parquet").to_pandas()
        self.rows = vectors("clinc150_oos")
        self.domain = table.domain.to_numpy(str)
        self.intent = table.intent.to_numpy(str)
        self.oos = table.is_oos.to_numpy(bool)
        self.domains = sorted(set(self.domain[~self.oos]))
        self.intents = sorted(set(self.intent[~self.oos]))

    def draw(self, kind: str, share: float, seed: int, window: int = WINDOW) -> tuple:
        random = np.random.default_rng([seed, len(kind), round(share * 1000), window])
        planted = {
            "domain": self.domain == self.domains[seed % 10],
            "intent": self.intent == self.intents[seed * 37 % 150],
            "oos": self.oos,
            "known": self.domain == self.domains[seed % 10],
            "none": self.oos,
        }[kind]
        known = ~self.oos if kind == "known" else ~self.oos & ~planted
        pool = random.permutation(np.flatnonzero(known))
        m = round(share * window)
        own = pool[REFERENCE : REFERENCE + window - m]
        left = np.setdiff1d(np.flatnonzero(planted), pool[: REFERENCE + window - m])
        current = np.concatenate((own, random.permutation(left)[:m]))
        truth = share * (1 - planted[known].mean()) if kind == "known" else share
        return self.rows[pool[:REFERENCE]], self.rows[current], truth


def stackoverflow(share: float, seed: int) -> tuple:
    label = pq.read_table(DATA / "stackoverflow_titles.parquet")["label"].to_numpy()
    rows, random = vectors("stackoverflow_titles"), np.random.default_rng([seed, 5])
    new = label == np.unique(label)[seed % 20]
    pool, m = random.permutation(np.flatnonzero(~new)), round(share * WINDOW)
    extra = random.permutation(np.flatnonzero(new))[:m]
    current = np.concatenate((pool[REFERENCE : REFERENCE + WINDOW - m], extra))
    return rows[pool[:REFERENCE]], rows[current], share


def sarcasm(share: float, seed: int) -> tuple:
    rows, other = vectors("sst2_sentences"), vectors("sarcasm_headlines")
    random = np.random.default_rng([seed, 6])
    pool, m = random.permutation(len(rows)), round(share * WINDOW)
    extra = other[np.sort(random.permutation(len(other))[:m])]
    current = np.concatenate((rows[pool[REFERENCE : REFERENCE + WINDOW - m]], extra))
    return rows[pool[:REFERENCE]], current, share


def simulated(random: np.random.Generator, rows: int, d: int = 16, topics: int = 12) -> np.ndarray:
    """Rows of topics of unequal size, a tenth of them one of five canned texts."""
    fixed = np.random.default_rng(3)
    centres, canned = fixed.normal(size=(topics, d)), fixed.normal(size=(5, d))
    weight = 1 / np.arange(1, topics + 1)
    topic = random.choice(topics, rows, p=weight / weight.sum())
    made = centres[topic] + random.normal(0, 0.6, (rows, d))
    same = random.random(rows) < 0.1
    made[same] = canned[random.integers(0, 5, int(same.sum()))]
    return made.astype(np.float32)


def told(name: str, found: list[Moved], truth: list[float]) -> None:
    effects = [each.effect for each in found]
    value, low, high = (
        np.array([getattr(e, k) for e in effects]) for k in ("value", "low", "high")
    )
    real = np.array(truth)
    error = value - real
    verdicts = Counter(str(decide(e, 1)) for e in effects)
    p = np.array([e.p_no_change for e in effects])
    print(
        f"{name:22s} {len(effects):5d} runs, true {real.mean():.3f}: bias {error.mean():+.4f}"
        f" rmse {np.sqrt((error**2).mean()):.4f} within 2 pp {(abs(error) <= 0.02).mean():.3f}"
        f" covered {((low <= real) & (real <= high)).mean():.3f} low above {(low > real).mean():.3f}"
        f" interval {low.mean():.3f}-{high.mean():.3f} p<=.05 {(p <= 0.05).mean():.3f}"
        f" {dict(verdicts)}",
        flush=True,
    )


def planted(seeds: int = 60) -> None:
    clinc = Clinc()
    cases = {"domain 5%": ("domain", 0.05), "domain 10%": ("domain", 0.1)}
    cases |= {"intent 3%": ("intent", 0.03), "out of scope 5%": ("oos", 0.05)}
    cases |= {"known +8 pp": ("known", 0.08)}
    makers = {name: lambda seed, of=of: clinc.draw(*of, seed) for name, of in cases.items()}
    for share in (0.05, 0.1):
        makers[f"stackoverflow {share:.0%}"] = lambda seed, s=share: stackoverflow(s, seed)
        makers[f"sarcasm {share:.0%}"] = lambda seed, s=share: sarcasm(s, seed)
    for name, make in makers.items():
        drawn = (make(seed) for seed in range(seeds))
        found = [(moved(a, b), true) for a, b, true in drawn]
        told(name, [each for each, _ in found], [true for _, true in found])


def halves(seeds: int = 60) -> None:
    clinc = Clinc()
    for window in (100, 300, 1000, 4000):
        drawn = (clinc.draw("none", 0.0, seed, window) for seed in range(seeds))
        found = [moved(a, b) for a, b, _ in drawn]
        told(f"no change, {window}", found, [0.0] * len(found))


def quiet(repeats: int = 500) -> None:
    random = np.random.default_rng(11)
    for n, m in ((1000, 100), (1000, 300), (1000, 1000), (100, 1000), (50, 50)):
        rows = ((simulated(random, n), simulated(random, m)) for _ in range(repeats))
        told(f"simulated {n}, {m}", [moved(a, b) for a, b in rows], [0.0] * repeats)


def rows(repeats: int = 60) -> None:
    random = np.random.default_rng(12)
    for n, m in ((200, 200), (400, 400), (800, 800), (1600, 1600), (2400, 2400), (4096, 600)):
        found = [moved(simulated(random, n), simulated(random, m)).effect for _ in range(repeats)]
        steady = {
            tolerance: np.mean([e.value <= tolerance and e.high < 2 * tolerance for e in found])
            for tolerance in (0.01, 0.02, 0.04, 0.08)
        }
        shown = ", ".join(
            f"{share:.2f} at {tolerance:g} (needs {rows_needed(tolerance)} a side)"
            for tolerance, share in steady.items()
        )
        print(f"{n:5d} against {m:5d}: steady {shown}", flush=True)


def speed() -> None:
    random = np.random.default_rng(13)
    reference = random.normal(size=(REFERENCE, 384)).astype(np.float32)
    current = random.normal(size=(WINDOW, 384)).astype(np.float32)
    both = unit(np.concatenate((reference, current)))
    spent: dict[str, list[float]] = {}
    for _ in range(5):
        clock = [time.process_time()]
        neighbours = nearest(both, both, NEAR, itself=False)
        clock.append(time.process_time())
        cells = clusters(both, REGIONS)[0]
        clock.append(time.process_time())
        moved(reference, current, neighbours=neighbours, cells=cells)
        clock.append(time.process_time())
        for name, each in zip(("neighbours", "regions", "the rest"), np.diff(clock), strict=True):
            spent.setdefault(name, []).append(float(each))
    for name, each in spent.items():
        print(f"{name}: {min(each) * 1000:.0f} ms CPU (least of {len(each)})")


if __name__ == "__main__":
    tasks = {"planted": planted, "halves": halves, "quiet": quiet, "rows": rows}
    if sys.argv[1:2] and sys.argv[1] in tasks:
        tasks[sys.argv[1]](*(int(each) for each in sys.argv[2:3]))
    elif sys.argv[1:2] == ["speed"]:
        speed()
    else:
        sys.exit(__doc__)

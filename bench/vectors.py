"""The battery of two samples of vectors: power, false alarms, cost, and a rival.

    python bench/vectors.py power [--windows 200] [--rows 1000] [--known 4096]
    python bench/vectors.py alarms [--splits 20] [--windows 100]      no change, many a reference
    python bench/vectors.py cost
    python bench/vectors.py expansion [--windows 20]     the true Frechet distance beside ours
    python bench/vectors.py repeats [--windows 200]      no change, the same few texts many times
    python bench/vectors.py rival --python VENV/bin/python [--windows 20] [--rival-windows 3]

Needs clinc150_oos.parquet in UNDERTOW_DATA and its vectors, clinc150_oos.fp32.npy (a row each, of
any encoder), in UNDERTOW_VECTORS. Each split holds one of the ten domains out, draws its reference
from the other nine, and takes its windows from the rest: disjoint until all rest is used, then
anew. The rival is alibi-detect's MMD with its defaults, in a Python of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "../shared/vectors"))
CELLS = {
    "null": "no change",
    "domain10": "new domain 10%",
    "domain5": "new domain 5%",
    "intent3": "one new intent 3%",
    "oos5": "out of scope 5%",
    "known8": "known domain +8 pp",
}
GOALS = {"domain10": 0.95, "intent3": 0.85, "oos5": 0.93, "known8": 0.75}
LEVEL = 0.05


class Clinc:
    """The texts' vectors, and which domain and intent each is of."""

    def __init__(self) -> None:
        import pyarrow.parquet as pq

        table = pq.read_table(DATA / "clinc150_oos.parquet")
        self.vectors = np.load(VECTORS / "clinc150_oos.fp32.npy")
        self.domain = np.array(table["domain"].to_pylist())
        self.intent = np.array(table["intent"].to_pylist())
        outside = np.array(table["is_oos"].to_pylist())
        self.outside, self.inside = np.flatnonzero(outside), np.flatnonzero(~outside)
        self.domains = sorted(set(self.domain[self.inside]))


class Split:
    """A reference of nine domains, and windows of the rest with something planted."""

    def __init__(self, data: Clinc, number: int, known: int) -> None:
        self.data, self.random = data, np.random.default_rng([number, known])
        self.held_out = data.domains[number % len(data.domains)]
        new = data.domain[data.inside] == self.held_out
        self.new = data.inside[new]
        rows = self.random.permutation(data.inside[~new])
        self.reference, self.rest, self.at = rows[:known], rows[known:], 0

    def _next(self, rows: int) -> np.ndarray:
        if self.at + rows > len(self.rest):
            self.rest, self.at = self.random.permutation(self.rest), 0
        self.at += rows
        return self.rest[self.at - rows : self.at]

    def window(self, cell: str, rows: int) -> np.ndarray:
        data, choice = self.data, self.random.choice
        if cell == "null":
            return data.vectors[self._next(rows)]
        if cell == "known8":
            domain = choice([each for each in data.domains if each != self.held_out])
            there = data.domain[self.rest] == domain
            more = round(rows * (float(there.mean()) + 0.08))
            planted = choice(self.rest[there], more, replace=False)
            others = choice(self.rest[~there], rows - more, replace=False)
            return data.vectors[np.concatenate((others, planted))]
        source, share = {
            "domain10": (self.new, 0.10),
            "domain5": (self.new, 0.05),
            "intent3": (self.new[data.intent[self.new] == self._intent()], 0.03),
            "oos5": (data.outside, 0.05),
        }[cell]
        planted = choice(source, round(rows * share), replace=False)
        return data.vectors[np.concatenate((self._next(rows - len(planted)), planted))]

    def _intent(self) -> str:
        return str(self.random.choice(sorted(set(self.data.intent[self.new]))))


def rate(hits: list[bool]) -> str:
    share = float(np.mean(hits))
    return f"{share:.3f} +- {math.sqrt(share * (1 - share) / len(hits)):.3f}"


def power(given: argparse.Namespace) -> None:
    """Print how often each statistic, and all together, flag a window; one split a domain and go."""
    from undertow.stats.battery import STATISTICS, battery, fit

    data = Clinc()
    found: dict[str, dict[str, list[bool]]] = {
        cell: {name: [] for name in ("battery", *STATISTICS)} for cell in CELLS
    }
    spent, splits = [], max(given.windows // given.per_split, 1)
    for number in range(splits):
        split = Split(data, number, given.known)
        known = fit(data.vectors[split.reference], most=given.known)
        for cell in CELLS:
            for _ in range(given.per_split):
                window = split.window(cell, given.rows)
                began = time.process_time()
                got = battery(known, window)
                spent.append(time.process_time() - began)
                found[cell]["battery"].append(got.p <= LEVEL)
                for name, (_, p) in got.parts.items():
                    found[cell][name].append(p <= LEVEL)
    print(
        f"window {given.rows:,}, reference {given.known:,}, {splits} splits, "
        f"{splits * given.per_split} windows a cell, level {LEVEL}; "
        f"CPU {1000 * np.median(spent):.0f} ms a window"
    )
    for cell, name in CELLS.items():
        shown = "  ".join(f"{each} {rate(hits)}" for each, hits in found[cell].items())
        print(f"{name:20} {shown}" + (f"  goal {GOALS[cell]}" if cell in GOALS else ""))


def alarms(given: argparse.Namespace) -> None:
    """Print how often windows without a change are flagged, by reference."""
    from undertow.stats.battery import battery, fit

    data = Clinc()
    rates = []
    for number in range(given.splits):
        split = Split(data, 1000 + number, given.known)
        known = fit(data.vectors[split.reference], most=given.known)
        hits = [
            battery(known, split.window("null", given.rows)).p <= LEVEL
            for _ in range(given.windows)
        ]
        rates.append(float(np.mean(hits)))
        print(f"reference {number}: {rates[-1]:.3f}", flush=True)
    print(
        f"false alarms, window {given.rows:,}, reference {given.known:,}, {given.splits} references "
        f"of {given.windows} windows: {np.mean(rates):.3f}, worst reference {max(rates):.3f}"
    )


def repeats(given: argparse.Namespace) -> None:
    """Print the false alarms where a third of all rows are twenty texts, in Zipf's shares."""
    from undertow.stats.battery import STATISTICS, battery, fit

    data = Clinc()
    flagged: dict[str, list[bool]] = {name: [] for name in ("battery", *STATISTICS)}
    weights = 1 / np.arange(1, 21)
    for number in range(given.windows):
        random = np.random.default_rng([9, number])
        rows = random.permutation(data.inside)[: 1000 + given.rows]
        canned = random.choice(data.inside, 20, replace=False)
        repeated = random.random(len(rows)) < 1 / 3
        rows[repeated] = random.choice(canned, int(repeated.sum()), p=weights / weights.sum())
        got = battery(fit(data.vectors[rows[:1000]]), data.vectors[rows[1000:]])
        flagged["battery"].append(got.p <= LEVEL)
        for name, (_, p) in got.parts.items():
            flagged[name].append(p <= LEVEL)
    print("repeated texts, no change: " + "  ".join(f"{k} {rate(v)}" for k, v in flagged.items()))


def expansion(given: argparse.Namespace) -> None:
    """Print the power of the true Frechet distance beside that of its expansion, same re-splits."""
    from undertow.stats.frechet import expanded, frechet, principal

    data, n, m = Clinc(), given.known, given.rows
    for cell, name in CELLS.items():
        hits: dict[str, list[bool]] = {"true": [], "expansion": []}
        alike, spent = [], {"true": 0.0, "expansion": 0.0}
        for number in range(given.windows):
            split = Split(data, 3000 + number, n)
            both = np.concatenate((data.vectors[split.reference], split.window(cell, m)))
            away = both - both.mean(axis=0)
            random = np.random.default_rng(number)
            lots = random.random((given.resplits, n + m))
            inside = np.arange(n + m) >= n
            inside = np.vstack((inside, lots <= np.partition(lots, m - 1, axis=1)[:, m - 1 : m]))
            covariance = (away.T @ away / len(away)).astype(np.float64)
            variances, axes = principal(covariance, given.components, random)
            scores = (away @ axes).astype(np.float32)
            began = time.process_time()
            members = np.nonzero(inside)[1].reshape(-1, m)
            near = expanded(scores, variances, members, inside.astype(np.float32))
            spent["expansion"] += time.process_time() - began
            began = time.process_time()
            true = np.array([frechet(scores[~side], scores[side]) for side in inside])
            spent["true"] += time.process_time() - began
            for way, values in (("true", true), ("expansion", near)):
                hits[way].append(float((values >= values[0]).mean()) <= LEVEL)
            alike.append(float(np.corrcoef(true, near)[0, 1]))
        shown = "  ".join(
            f"{way} {rate(each)} ({spent[way] / given.windows:.2f} s)" for way, each in hits.items()
        )
        print(f"{name:20} {shown}  correlation over re-splits {np.mean(alike):.4f}", flush=True)


def cost(_: argparse.Namespace) -> None:
    """Print CPU seconds, the least of five."""
    from undertow.stats.battery import battery, fit

    data = Clinc()
    random = np.random.default_rng(0)
    split = Split(data, 0, 4096)
    reference, window = data.vectors[split.reference], split.window("null", 1000)
    known = fit(reference)
    battery(known, window)

    def told(what: str, run: object) -> None:
        times = []
        for _ in range(5):
            began = time.process_time()
            run()  # type: ignore[operator]
            times.append(time.process_time() - began)
        print(f"{what:58} {min(times):.3f} s, middle {sorted(times)[2]:.3f} s", flush=True)

    told("fit, 4,096 x 384", lambda: fit(reference))
    told("a window of 1,000 x 384, no change", lambda: battery(known, window))
    told("the same, at level .0001", lambda: battery(known, window, level=0.0001))
    planted = split.window("domain10", 1000)
    told("a new domain at 10%", lambda: battery(known, planted))
    told(
        "the same, at level .001 (999 re-splits and more)",
        lambda: battery(known, planted, level=0.001),
    )
    order = random.permutation(len(data.vectors))
    many = data.vectors[order[np.arange(40_000) % len(order)]]
    told("20,000 v 20,000 x 384, fit included", lambda: battery(fit(many[:20_000]), many[20_000:]))
    two = data.vectors[order[:4000]]
    told("2,000 v 2,000 x 384, fit included", lambda: battery(fit(two[:2000]), two[2000:]))
    wide = random.standard_normal((5096, 1536), dtype=np.float32)
    far = fit(wide[:4096])
    told("a window of 1,000 x 1,536", lambda: battery(far, wide[4096:]))


WORKER = """
import json, sys, time
import numpy as np
import torch
from alibi_detect.cd import MMDDrift
torch.set_num_threads(1)
for line in sys.stdin:
    sides = np.load(line.strip())
    began = time.process_time()
    found = MMDDrift(sides["reference"], backend="pytorch", p_val=0.05).predict(sides["current"])
    spent = time.process_time() - began
    print(json.dumps({"p": float(found["data"]["p_val"]), "cpu": spent}), flush=True)
"""


def rival(given: argparse.Namespace) -> None:
    """Print alibi-detect's MMD beside the battery on the same windows of 2,000 against 2,000.

    It takes so long that it sees the first few only; ours, the same statistic, sees all of them.
    """
    from undertow.stats.battery import battery, fit
    from undertow.stats.twosample import mmd

    data = Clinc()
    one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    total: dict[str, list[float]] = {"undertow": [], "alibi-detect": []}
    with tempfile.TemporaryDirectory() as folder:
        other = subprocess.Popen(
            [given.python, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **one},
        )
        for cell, name in CELLS.items():
            hits: dict[str, list[bool]] = {"undertow": [], "our MMD": [], "alibi-detect": []}
            same = []
            for number, (reference, window) in enumerate(_pairs(data, cell, given.windows)):
                began = time.process_time()
                p = battery(fit(reference), window).p
                total["undertow"].append(time.process_time() - began)
                hits["undertow"].append(p <= LEVEL)
                ours = mmd(reference, window).p
                hits["our MMD"].append(ours <= LEVEL)
                if number >= given.rival_windows:
                    continue
                path = Path(folder) / "sides.npz"
                np.savez(path, reference=reference, current=window)
                other.stdin.write(f"{path}\n")
                other.stdin.flush()
                line = ""
                while not line.startswith("{"):
                    line = other.stdout.readline()
                    if not line:
                        sys.exit(f"the rival ended; does {given.python} have alibi-detect, torch?")
                answer = json.loads(line)
                total["alibi-detect"].append(answer["cpu"])
                hits["alibi-detect"].append(answer["p"] <= LEVEL)
                same.append(f"{ours:.2f}/{answer['p']:.2f}")
            shown = "  ".join(f"{tool} {rate(each)}" for tool, each in hits.items())
            print(f"{name:20} {shown}  p of our MMD/theirs: {', '.join(same)}", flush=True)
        other.stdin.close()
        other.wait()
    ours, theirs = (float(np.median(total[name])) for name in total)
    print(f"CPU a window: undertow {ours:.2f} s, alibi-detect {theirs:.2f} s, {theirs / ours:.0f}x")


def _pairs(data: Clinc, cell: str, windows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for number in range(windows):
        split = Split(data, 2000 + number, 2000)
        yield data.vectors[split.reference], split.window(cell, 2000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    runs = {f.__name__: f for f in (power, alarms, cost, expansion, repeats, rival)}
    parser.add_argument("what", choices=runs)
    parser.add_argument("--windows", type=int)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--per-split", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--known", type=int, default=4096)
    parser.add_argument("--resplits", type=int, default=99)
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--rival-windows", type=int, default=3)
    parser.add_argument("--python", default=sys.executable)
    chosen = parser.parse_args()
    usual = {"power": 200, "alarms": 100, "expansion": 20, "repeats": 200, "rival": 20}
    chosen.windows = chosen.windows or usual.get(chosen.what, 1)
    runs[chosen.what](chosen)

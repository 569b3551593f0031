"""Are the intervals and verdicts of the output checks what they say? Simulated, with known truth.

    .venv/bin/python bench/outputs.py coverage [reps] [models]   share of 95% intervals that hold
    .venv/bin/python bench/outputs.py alarms [reps] [models]     `changed` where nothing changed
    .venv/bin/python bench/outputs.py power [reps]     `changed` where accuracy fell by 0.04

Three models: two classes with a calibrated probability, ten uneven classes with a confidence, and a
regression with normal or Laplace errors. Everything goes through the checks themselves.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict

import numpy as np
import pyarrow as pa

from undertow.core.check import History
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.core.verdict import Verdict, decide
from undertow.detect.calibration import Calibration
from undertow.detect.performance import CLASS_RECALL, Performance, registered
from undertow.stats import calibration, metrics, recall
from undertow.stats.outcomes import Sums, tables
from undertow.summaries.errors import Errors
from undertow.summaries.outcomes import Outcomes

P, S = Column("p", Kind.CATEGORY, Role.PREDICTION), Column("s", Kind.NUMBER, Role.SCORE)
N = Column("p", Kind.NUMBER, Role.PREDICTION, arrow="double")
Y, YN = Column("y", Kind.CATEGORY, Role.LABEL), Column("y", Kind.NUMBER, Role.LABEL, arrow="double")
SIZES = np.array([30, 20, 15, 10, 8, 6, 4, 3, 2, 2]) / 100
CHOSEN = tuple(name for name, each in registered().items() if each.judged)
CHECKS = Performance(metrics=(*CHOSEN, CLASS_RECALL)), Calibration()


def binary(random, n, change):
    """Two classes, calibrated logits; changed: the signal fades, the score does not know."""
    y = random.random(n) < 0.3
    signal = 2.0 - 1.2 * change
    z = random.normal(np.where(y, signal, -signal) / 2, 1.0)
    s = 1 / (1 + np.exp(-(2.0 * z + np.log(3 / 7))))
    return {"p": (s >= 0.5).astype(int).astype(str), "y": y.astype(int).astype(str), "s": s}


def many(random, n, change):
    """Ten uneven classes, 90% right; changed: class 7 and one more row in twenty go wrong."""
    y = random.choice(10, n, p=SIZES)
    sure = random.beta(9, 1, n)
    wrong = random.random(n) > sure
    wrong |= bool(change) & ((random.random(n) < 0.05) | ((y == 6) & (random.random(n) < 0.4)))
    p = np.where(wrong, (y + 1 + random.integers(0, 9, n)) % 10, y)
    return {"p": p.astype(str), "y": y.astype(str), "s": sure}


def numbers(noise):
    def made(random, n, change):
        y = random.normal(50, 20, n)
        error = getattr(random, noise)(0, 5, n) * (1 + 0.25 * change) + 1.5 * change
        return {"p": y + error, "y": y}

    return made


MODELS = {
    "binary": (binary, (P, Y, S), Outcomes),
    "many": (many, (P, Y, S), Outcomes),
    "normal": (numbers("normal"), (N, YN), Errors),
    "laplace": (numbers("laplace"), (N, YN), Errors),
}


def table(empty, columns, rows):
    return empty.observe(*(Values(c, pa.array(rows[c.name])) for c in columns))


def plan(kind, columns, rows):
    sample = pa.table({name: part[:4096] for name, part in rows.items()})
    return kind.fit(Survey(len(sample), sample, np.ones(len(sample), np.int64)), *columns)


def findings(columns, kind, before, now):
    key = tuple(c.name for c in columns)
    sides = [Profile(Schema(columns), {(key, kind): t}, rows=t.rows) for t in (before, now)]
    for check in CHECKS:
        yield from check(History(*sides))


def truth(name):
    """Every metric of both states, and the change of each in the unit of its effect."""
    make, columns, kind = MODELS[name]
    random = np.random.default_rng(99)
    empty = plan(kind, columns, make(random, 50_000, 0))
    sides = [empty, empty]
    for _ in range(20):
        sides = [
            side + table(empty, columns, make(random, 100_000, c)) for c, side in enumerate(sides)
        ]
    if kind is Errors:
        both, over = tuple(Sums.of(s) for s in sides), metrics.NUMBERS
    else:
        both, over = tables(*sides), metrics.CLASSES
    out = {}
    for each in registered().values():
        if each.over != over:
            continue
        a, b = (float(each.value(side)) for side in both)
        moved = abs(b - a)
        if each.name == "bias":
            moved /= float(metrics.mae.value(both[0]))
        elif each.unit == metrics.RELATIVE:
            moved /= a
        out[f"performance.{each.name}"] = moved
    if kind is Outcomes:
        ends = [calibration.gaps(side) for side in both]
        out["output.calibration"] = max(abs(ends[1][k].value - ends[0][k].value) for k in ends[0])
        out[f"performance.{CLASS_RECALL}"] = 0.0
        out["parts"] = [metrics.parts(side)[:2] for side in both], both[0].classes
    return {k: v for k, v in out.items() if k == "parts" or np.isfinite(v)}


def recall_truth(real, before, now):
    """The largest true change of recall among the places of this comparison that are spoken of."""
    (one, other), classes = real["parts"]
    sides = tables(before, now)
    spots = [classes.index(name) for name in sides[0].classes] + [len(classes)]
    counts = [p.astype(np.int64) for side in sides for p in metrics.parts(side.collapsed())[:2]]
    found = recall.comparable(*counts, tolerance=0.2)
    index, _ = recall.largest_recall_change(found)
    moved = []
    for place in {*range(found.firm), index}:
        members = [spots[m] for m in found.members[place]]
        h = [
            2 * np.arcsin(np.sqrt(p[0][members].sum() / p[1][members].sum())) for p in (one, other)
        ]
        moved.append(abs(h[1] - h[0]))
    return max(moved)


def trials(name, n, change, reps, seed):
    make, columns, kind = MODELS[name]
    for rep in range(reps):
        random = np.random.default_rng([seed, n, rep])
        rows = make(random, n, 0)
        empty = plan(kind, columns, rows)
        now = table(empty, columns, make(random, n, change))
        before = table(empty, columns, rows)
        for found in findings(columns, kind, before, now):
            yield found, before, now


def coverage(reps, models):
    print("share of 95% intervals that hold the true change (goal 94%), and their mean width")
    for name in models:
        real = truth(name)
        for change in (0, 1):
            for n in (100, 300, 1000, 10_000):
                held, width = defaultdict(list), defaultdict(list)
                for found, *sides in trials(name, n, change, reps, 1):
                    e = found.effect
                    if found.check not in real or e is None or not e.defined:
                        continue
                    d = real[found.check] * change
                    if change and found.check.endswith(CLASS_RECALL):
                        d = recall_truth(real, *sides)
                    held[found.check].append(e.low - 1e-9 <= d <= e.high + 1e-9)
                    width[found.check].append(e.high - e.low)
                shown = "  ".join(
                    f"{k.split('.')[1]} {100 * np.mean(v):.1f} ({np.mean(width[k]):.3f})"
                    for k, v in sorted(held.items())
                )
                print(f"{name:8s} change={change} n={n:6d}  {shown}", flush=True)


def alarms(reps, models):
    print(
        "`changed` (and `watch`) in % of comparisons without a change, alone in a report; goal 0.2"
    )
    for name in models:
        for n in (30, 100, 300, 1000, 10_000):
            seen = defaultdict(list)
            for found, *_ in trials(name, n, 0, reps if n < 10_000 else reps // 4, 2):
                if found.effect is not None and found.effect.defined:
                    seen[found.check].append(decide(found.effect, 1))
            shown = "  ".join(
                f"{k.split('.')[1]} {100 * np.mean([x is Verdict.CHANGED for x in v]):.2f}"
                f" ({100 * np.mean([x is Verdict.WATCH for x in v]):.1f})"
                for k, v in sorted(seen.items())
            )
            print(f"{name:8s} n={n:6d}  {shown}", flush=True)


def power(reps, _):
    """Accuracy 90% -> 86%, twice the tolerance, 10,000 v 10,000, alone and as 1 of 50."""
    made = defaultdict(int)
    for rep in range(reps):
        random = np.random.default_rng([3, rep])
        sides = []
        for right in (0.90, 0.86):
            y = random.integers(0, 5, 10_000)
            p = np.where(random.random(10_000) < right, y, (y + 1) % 5)
            sides.append({"p": p.astype(str), "y": y.astype(str)})
        empty = plan(Outcomes, (P, Y), sides[0])
        before, now = (table(empty, (P, Y), side) for side in sides)
        for found in findings((P, Y), Outcomes, before, now):
            for m in (1, 50):
                made[found.check, m] += decide(found.effect, m) is Verdict.CHANGED
    for (check, m), count in sorted(made.items()):
        print(f"{check:30s} 1 of {m:2d}: {100 * count / reps:.1f}% changed")


if __name__ == "__main__":
    start = time.perf_counter()
    what = sys.argv[1] if len(sys.argv) > 1 else "coverage"
    np.seterr(all="ignore")
    globals()[what](int(sys.argv[2]) if len(sys.argv) > 2 else 300, sys.argv[3:] or list(MODELS))
    print(f"{time.perf_counter() - start:.0f} s")

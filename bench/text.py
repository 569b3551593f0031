"""Text: speed, false alarms without a change, and power.

python bench/text.py speed
python bench/text.py alarms [REPEATS]      no change: synthetic texts, and halves of real reviews
python bench/text.py power [REPEATS]
python bench/text.py tokens                if words are taken for independent rows
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.lenses.text import Text
from undertow.loop import Loop
from undertow.stats.variation import total_variation
from undertow.summaries.words import Words

VOCABULARY, TOPICS = 30_000, 25
DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
OWN = ("drift.words", "drift.new_words", "drift.word_share", "drift.artefacts")


class Writer:
    """Texts as people write them: Zipf words, one topic a text, bursts, and some canned answers."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        fixed = np.random.default_rng(7)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        sizes = fixed.integers(3, 9, VOCABULARY)
        self.words = np.array(["".join(fixed.choice(letters, n)) for n in sizes], object)
        self.topics = np.stack([fixed.permutation(VOCABULARY) for _ in range(TOPICS)])
        ranks = np.arange(1, VOCABULARY + 1) ** -1.05
        self.cut = np.cumsum(ranks / ranks.sum())
        self.canned = self._fresh(40, np.random.default_rng(8))

    def _fresh(self, n: int, random: np.random.Generator) -> list[str]:
        sizes = np.clip(random.lognormal(2.4, 0.6, n), 1, 200).astype(int)
        total = int(sizes.sum())
        rank = np.minimum(np.searchsorted(self.cut, random.random(total)), VOCABULARY - 1)
        topic = np.repeat(random.integers(0, TOPICS, n), sizes)
        own = random.random(total) < 0.4
        ids = np.where(own, self.topics[topic, rank], rank)
        again = (random.random(total) < 0.15) & (np.arange(total) > 0)
        ids[again] = ids[np.flatnonzero(again) - 1]
        words = self.words[ids]
        ends = np.cumsum(sizes)
        starts = ends - sizes
        out = []
        for low, high in zip(starts.tolist(), ends.tolist(), strict=True):
            text = " ".join(words[low:high])
            out.append(text[:1].upper() + text[1:] + ".")
        return out

    def write(self, n: int, *, other: float = 0.0, launch: float = 0.0) -> pa.Table:
        texts = self._fresh(n, self.random)
        for spot in np.flatnonzero(self.random.random(n) < 0.1):
            texts[spot] = self.canned[int(self.random.integers(40))]
        for spot in np.flatnonzero(self.random.random(n) < other):
            texts[spot] = " ".join("Zz" + word for word in texts[spot].split(" "))
        for spot in np.flatnonzero(self.random.random(n) < launch):
            texts[spot] += " Aurora phone."
        return pa.table({"text": texts})


def reviews(n: int, random: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    column = pq.read_table(DATA / "amazon_pantry_reviews.parquet", columns=["text"])["text"]
    rows = random.permutation(len(column))[: 2 * n]
    return tuple(pa.table({"text": column.take(pa.array(part))}) for part in (rows[:n], rows[n:]))


def alarms(repeats: int) -> None:
    loop = Loop.of(text="text")
    for name in ("written", "reviews"):
        for n in (30, 100, 300, 1000, 10_000, 100_000):
            if name == "reviews" and 2 * n > 53_000:
                continue
            times = max(int(repeats * min(1.0, 3000 / n)), 10)
            verdicts: Counter[tuple[str, str]] = Counter()
            any_changed = any_watch = 0
            began = time.process_time()
            writer, random = Writer(n), np.random.default_rng(n)
            for _ in range(times):
                sides = (
                    reviews(n, random) if name == "reviews" else (writer.write(n), writer.write(n))
                )
                found = [f for f in loop.check(*sides).findings if f.effect is not None]
                verdicts.update((f.check, f.verdict.value) for f in found)
                any_changed += any(f.verdict.value == "changed" for f in found)
                any_watch += any(f.verdict.value == "watch" for f in found)
            total = sum(verdicts.values())
            changed = sum(c for (_, v), c in verdicts.items() if v == "changed")
            own = {
                check: [verdicts[check, v] for v in ("changed", "watch", "unknown", "steady")]
                for check in OWN
            }
            print(
                f"{name:8} n={n:6} {times:4} reports: changed {changed}/{total} "
                f"comparisons; reports with changed {any_changed}, watch {any_watch}; {own} "
                f"({time.process_time() - began:.0f} s)",
                flush=True,
            )


def power(repeats: int) -> None:
    loop = Loop.of(text="text")

    def run(label: str, n: int, times: int, check: str, **planted: float) -> None:
        writer, verdicts, sizes = Writer(n + 1), Counter(), []
        for _ in range(times):
            report = loop.check(writer.write(n), writer.write(n, **planted))
            for found in report.findings:
                if found.check == check:
                    verdicts[found.verdict.value] += 1
                    sizes.append((found.effect.value, found.effect.low, found.effect.high))
        middle = np.mean(sizes, axis=0).round(3).tolist()
        print(f"{label:34} n={n:6} {check:16} {dict(verdicts)} value/low/high {middle}", flush=True)

    few = max(repeats // 10, 5)
    run("20% of the texts in other words", 1000, repeats, "drift.words", other=0.2)
    run("30% of the texts in other words", 1000, repeats, "drift.words", other=0.3)
    run("40% of the texts in other words", 300, repeats, "drift.words", other=0.4)
    run("12% of the texts in other words", 100_000, few, "drift.words", other=0.12)
    run("9% of the texts in other words", 100_000, few, "drift.words", other=0.09)
    run("a new word in 2% of the texts", 1000, repeats, "drift.new_words", launch=0.02)
    run("a new word in 4% of the texts", 1000, repeats, "drift.new_words", launch=0.04)
    run("a new word in 1.5% of the texts", 10_000, few * 2, "drift.new_words", launch=0.015)


def tokens(repeats: int) -> None:
    """Count how often total variation alarms if every word is a row, and if one a text is."""
    writer, alarms = Writer(5), Counter()
    column = Column("text", Kind.TEXT)
    for _ in range(repeats):
        sides = [Words().observe(Values(column, writer.write(1000)["text"])) for _ in range(2)]
        drawn = sides[0].drawn.aligned(sides[1].drawn)
        alarms["one word a text"] += total_variation(*drawn[1:]).p_no_change < 0.01
        keys = np.union1d(sides[0].words.hashes, sides[1].words.hashes)
        counts = np.zeros((2, len(keys)), np.int64)
        for row, side in zip(counts, sides, strict=True):
            row[np.searchsorted(keys, side.words.hashes)] = side.words.counts
        alarms["every word"] += total_variation(*counts).p_no_change < 0.01
    print(f"p < 0.01 without a change, of {repeats}: {dict(alarms)}")


def speed(_: int) -> None:
    writer, column = Writer(1), Column("text", Kind.TEXT)
    for name, n, kind in (
        ("ASCII", 65_536, lambda t: t),
        ("one accent a text", 65_536, lambda t: t + " café"),
        ("Cyrillic", 65_536, lambda t: t.translate({97 + k: 0x430 + k for k in range(26)})),
    ):
        cells = pa.array([kind(t) for t in writer.write(n)["text"].to_pylist()])
        size = cells.nbytes / n
        for what, run in (("words, pairs, draw", Words().observe), ("lens and its words", Text())):
            times = []
            for _ in range(3):
                values = Values(column, cells)
                began = time.process_time()
                run(values)
                times.append(time.process_time() - began)
            print(f"{name:18} {size:4.0f} bytes a text  {what:20} {n / min(times):9,.0f} texts/s")


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "speed"
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    {"speed": speed, "alarms": alarms, "power": power, "tokens": tokens}[what](repeats)

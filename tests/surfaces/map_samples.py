"""A made-up map: clusters that stay, one that is new, and everything that can be known of a row."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import samples

from undertow.core.finding import Finding, Rows
from undertow.core.report import Report, Source
from undertow.stats import projection

TOPICS = (
    "price too high",
    "delivery late",
    "app crashes",
    "password reset",
    "easy setup",
    "great staff",
    "love the design",
    "invoice wrong",
    "SmartSync pairing",
)
LABELS = ("negative", "neutral", "positive")


def sides(reference: int, current: int) -> tuple[projection.Side, projection.Side]:
    """Return two sides of so many rows: the last topic is in the current one alone."""
    chance = np.random.default_rng(3)
    middles = chance.normal(size=(len(TOPICS), 32)) * 1.1
    middles[-1, :8] += 1.4
    known = np.array([0.24, 0.19, 0.14, 0.12, 0.1, 0.09, 0.07, 0.05, 0.0])
    now = np.append(known[:-1] * 0.81, 0.19)
    made = []
    for rows, shares, start in ((reference, known, 1.75e9), (current, now, 1.7552e9)):
        topic = chance.choice(len(TOPICS), rows, p=shares)
        spread = np.array([0.7, 0.5, 0.8, 0.6, 0.9, 0.5, 0.7, 0.6, 0.7])[topic]
        vectors = middles[topic] + chance.normal(size=(rows, 32)) * spread[:, None]
        wrong = chance.random(rows) < np.where(topic == 8, 0.6, 0.08)
        labels = np.where(topic == 8, 1, topic % 3)
        days = 60 if start == 1.75e9 else 14
        made.append(
            projection.Side(
                vectors.astype(np.float32),
                label=[LABELS[each] for each in labels],
                cluster=[TOPICS[each] for each in topic],
                error=None if start == 1.75e9 else wrong.tolist(),
                time=start + np.sort(chance.random(rows)) * days * 86_400,
                ids=[f"{'rc'[start > 1.75e9]}{each:06d}" for each in range(rows)],
            )
        )
    return made[0], made[1]


@cache
def shape(reference: int = 45_000, current: int = 8_000) -> dict[str, Any]:
    """Return the map of such sides."""
    return projection.shape(*sides(reference, current))


def finding(made: dict[str, Any] | None = None, subject: str = "feedback") -> Finding:
    """Return a finding that carries a map."""
    return Finding(
        "drift.vector",
        subject,
        "19% of rows are unlike the reference: 'SmartSync pairing' is new",
        samples.effect("total_variation", 0.19, 0.012, 0.02),
        Rows(45_000, 8_000),
        column=subject,
        shape=shape() if made is None else made,
        evidence={"frechet": 1.8, "frechet_p": 0.001, "novel": 0.187},
        examples=({"feedback": "pairing fails after the update", "sentiment": "neutral"},),
        next=("undertow review --column feedback",),
    )


def report(made: dict[str, Any] | None = None) -> Report:
    """Return a report of one map beside a few findings of other forms."""
    found = (finding(made), *list(samples.telling())[:4])
    return Report.of(Source("train.parquet", 45_000), Source("live.parquet", 8_000), found)

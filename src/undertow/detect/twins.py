"""Images that look the same: the share of rows whose picture occurs more than once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Kind, Schema
from undertow.core.summary import Need
from undertow.stats.counts import Counts
from undertow.stats.share import share_change
from undertow.summaries.categories import Categories

PRINT = "print"


@dataclass(frozen=True)
class Twins:
    """The share of images that look like another one of the same side, before and after.

    Images look alike where their difference hash of 64 bits is the same: copies, also at another
    size or quality. The larger a set the more it repeats, so the larger side's share is what it
    would be among as many rows as the smaller has. Tolerance: Cohen's h 0.2.
    """

    name: ClassVar[str] = "quality.twins"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for how often each print occurs."""
        for column in schema.of(kind=Kind.IMAGE):
            if f"{column.name}:{PRINT}" in schema:
                yield (f"{column.name}:{PRINT}",), Categories

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding an image column."""
        for column in history.shared(kind=Kind.IMAGE):
            sides = [
                side.get(Categories, f"{column.name}:{PRINT}")
                for side in (history.reference, history.now)
            ]
            counts = [np.asarray(side.tally) for side in sides if side is not None and side.rows]
            if len(counts) == len(sides):
                yield self._compare(history, column, counts[0], counts[1])

    def _compare(self, history: History, column: Column, ours: Counts, theirs: Counts) -> Finding:
        rows = Rows(int(ours.sum()), int(theirs.sum()))
        least = min(rows.reference, rows.current)
        was, is_ = (twin_share(each, least) for each in (ours, theirs))
        tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
        # Equal images come in pairs at least, so a side has the noise of half as many rows.
        halves = rows.reference // 2, rows.current // 2
        hits = round(was * halves[0]), round(is_ * halves[1])
        effect = share_change(hits[0], halves[0], hits[1], halves[1], tolerance=tolerance)
        return Finding(
            self.name,
            column.name,
            f"{percent(was)} → {percent(is_)} of images look like another one",
            effect,
            rows,
            column=column.name,
            evidence={
                "share": {"reference": was, "current": is_},
                "commonest": {"reference": int(ours.max()), "current": int(theirs.max())},
            },
        )


def twin_share(counts: Counts, rows: int) -> float:
    """Return the share of rows with an equal one among `rows` drawn of all, without replacement.

    `counts` are how often each value occurs (hypergeometric; Hurlbert 1971, equation 1).

    >>> twin_share(np.array([2, 1, 1]), 4)
    0.5
    >>> round(twin_share(np.array([2, 1, 1]), 2), 3)
    0.167
    """
    total = int(counts.sum())
    if rows < 2 or total < 2:
        return 0.0
    drawn = min(rows, total) - 1  # beside a row that is in
    # The chance that none of its c - 1 equals is among them.
    steps = np.arange(int(counts.max()))[:-1]
    left = np.maximum(total - 1 - steps - drawn, 0) / (total - 1 - steps)
    alone = np.concatenate([[1.0], np.cumprod(left)])
    return float((counts * (1 - alone[counts - 1])).sum() / total)

"""What each way to search finds of a golden set: a re-index, the old system, nothing done, a bridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from undertow.core.verdict import Effect
from undertow.detect.spaces import Search
from undertow.stats.neighbours import Matrix, nearest
from undertow.stats.ranking import DEPTH, Judged, Scores, loss

METRIC = f"MRR@{DEPTH}"


@dataclass(frozen=True, eq=False)
class Asked:
    """The documents and queries of a golden set by the old encoder and the new, of length 1.

    Shapes are (documents, d) and (queries, d), of two lengths d perhaps.
    """

    judged: Judged
    old: Matrix
    old_asked: Matrix
    new: Matrix
    new_asked: Matrix
    tolerance: float = 0.05

    @property
    def fresh(self) -> Scores:
        """What a full re-index finds."""
        return self._found(self.new_asked, self.new)

    @property
    def before(self) -> Scores:
        """What the old encoder finds by itself."""
        return self._found(self.old_asked, self.old)

    def search(self, fresh: Scores, before: Scores) -> Search:
        """Return what is lost of `fresh` where new queries meet the old index."""
        ways = {"re_index": fresh.means(), "old_system": before.means()}
        if self.old.shape[1] != self.new.shape[1]:
            return Search("golden set", METRIC, len(fresh.mrr), None, ways)
        now = self._found(self.new_asked, self.old)
        effect = loss(now.mrr, fresh.mrr, tolerance=self.tolerance)
        ways = {"nothing_done": now.means(), **ways}
        evidence: dict[str, Any] = {**ways, "lost": losses(now, fresh)}
        return Search("golden set", METRIC, len(fresh.mrr), effect, evidence)

    def through(self, mapped: Matrix, fresh: Scores) -> tuple[Effect, dict[str, Any]]:
        """Return what is lost of `fresh` by queries (q, d) laid into the old space, and all metrics."""
        now = self._found(mapped, self.old)
        effect = loss(now.mrr, fresh.mrr, tolerance=self.tolerance)
        return effect, {"through_bridge": now.means(), "lost": losses(now, fresh)}

    def _found(self, queries: Matrix, documents: Matrix) -> Scores:
        which = nearest(queries, documents, DEPTH).which
        return self.judged.score(which, len(documents))


def losses(now: Scores, fresh: Scores) -> dict[str, list[float]]:
    """Return what is lost of each metric, as a part of `fresh`: the estimate and its interval.

    >>> import numpy as np
    >>> whole, half = Scores(*[np.ones(99)] * 3), Scores(*[np.full(99, 0.5)] * 3)
    >>> losses(half, whole)["mrr@10"]
    [0.5, 0.5, 0.5]
    """
    pairs = zip(now.items(), fresh.items(), strict=True)
    made = {name: loss(ours, theirs) for (name, ours), (_, theirs) in pairs}
    return {
        f"{name}@{DEPTH}": [round(each, 4) for each in (lost.value, lost.low, lost.high)]
        for name, lost in made.items()
    }

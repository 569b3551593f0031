"""A run is what a search gave for a set of queries, and what that was worth: kept, to compare the next.

The name is the field's (TREC): for each query the documents ranked first, with their scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError

Floats = NDArray[np.float64]
FORM = "run"


@dataclass(frozen=True, eq=False)
class Run:
    """What each query found, an entry a query in one order.

    `queries` are ids and `texts` what was asked; `found` the ids of the documents ranked first, best
    first, and `scores` their cosines. `metrics` hold a number a query by the metric's usual name
    ("ndcg@10"), NaN where a query has no judgement; `signals` what can be said without judgements;
    `slices` a value a query of each column that the golden set is told apart by. `about` is JSON: the
    encoder's space, the number of documents, digests.

    >>> run = Run(("q1",), ("cheap flights",), (("d4", "d7"),), ((0.9, 0.5),), {"mrr@10": np.ones(1)})
    >>> Run.from_dict(run.to_dict()).found
    (('d4', 'd7'),)
    """

    queries: tuple[str, ...]
    texts: tuple[str, ...]
    found: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    metrics: Mapping[str, Floats] = field(default_factory=dict)
    signals: Mapping[str, Floats] = field(default_factory=dict)
    slices: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many queries there are."""
        return len(self.queries)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON values, numbers to 6 digits."""
        return {
            "form": FORM,
            "queries": list(self.queries),
            "texts": list(self.texts),
            "found": [list(each) for each in self.found],
            "scores": [_numbers(each) for each in self.scores],
            "metrics": {name: _numbers(each) for name, each in self.metrics.items()},
            "signals": {name: _numbers(each) for name, each in self.signals.items()},
            "slices": {name: list(each) for name, each in self.slices.items()},
            "about": dict(self.about),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return the run that `to_dict` wrote; raise DataError where it is none.

        A run whose texts were redacted has empty ones.
        """
        try:
            queries = tuple(map(str, told["queries"]))
            texts = told["texts"]
            made = cls(
                queries,
                ("",) * len(queries) if texts is None else tuple(map(str, texts)),
                tuple(tuple(map(str, each)) for each in told["found"]),
                tuple(tuple(map(float, each)) for each in told["scores"]),
                {str(name): _floats(each) for name, each in told["metrics"].items()},
                {str(name): _floats(each) for name, each in told["signals"].items()},
                {str(name): tuple(each) for name, each in told["slices"].items()},
                dict(told["about"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("this is no saved run, or a damaged one; make it again") from error
        entries = [made.texts, made.found, made.scores, *made.metrics.values()]
        entries += [*made.signals.values(), *made.slices.values()]
        if any(len(each) != len(made) for each in entries):
            raise DataError("a saved run with an entry too many or too few; make it again")
        return made


def _numbers(values: Sequence[float] | Floats) -> list[float | None]:
    """Return numbers as JSON has them: 6 digits, None for NaN."""
    return [None if math.isnan(each) else float(f"{each:.6g}") for each in map(float, values)]


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if each is None else float(each) for each in values], np.float64)

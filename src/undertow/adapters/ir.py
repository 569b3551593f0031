"""The metrics of retrieval as trec_eval computes them, by ir_measures: the truth our own is tested by.

A run is ranked by its order, so equal scores stay as they were found, and not as trec_eval breaks ties.
"""

from __future__ import annotations

import numpy as np

from undertow.core.errors import DataError
from undertow.stats.counts import Floats
from undertow.stats.ranking import Gains


def measured(gains: Gains) -> dict[str, Floats]:
    """Return a number a query of each metric, by the metric's usual name, as trec_eval has it.

    Gains are whole numbers there. Raises DataError where some are not.

    >>> from undertow.stats.ranking import Judged
    >>> judged = Judged(np.zeros(2, int), np.array([4, 7]), np.array([1.0, 3.0]))
    >>> found = judged.gains(np.array([[9, 4, 3]]), 10)
    >>> {name: round(float(each[0]), 3) for name, each in measured(found).items()}
    {'hit@3': 1.0, 'recall@3': 0.5, 'mrr@3': 0.5, 'ndcg@3': 0.174}
    """
    import ir_measures

    if not whole(gains):
        raise DataError("trec_eval knows whole gains alone; grade 1, 2, 3")
    depth = int(gains.found.shape[1])
    named = {
        ir_measures.Success @ depth: f"hit@{depth}",
        ir_measures.R @ depth: f"recall@{depth}",
        ir_measures.RR @ depth: f"mrr@{depth}",
        ir_measures.nDCG @ depth: f"ndcg@{depth}",
    }
    names = [f"d{place}" for place in range(max(depth, int(gains.relevant.max(initial=0))))]
    judged, run = {}, {}
    for row, (found, best, relevant) in enumerate(
        zip(gains.found.tolist(), gains.best.tolist(), gains.relevant.tolist(), strict=True)
    ):
        # A document is its place in the list; what is relevant and was not found has a name of its own.
        run[str(row)] = {name: float(depth - place) for place, name in enumerate(names[:depth])}
        graded = {names[place]: int(gain) for place, gain in enumerate(found) if gain > 0}
        left = _left(found, best)
        missed = [*left, *[1] * (relevant - len(graded) - len(left))]
        judged[str(row)] = graded | {f"m{place}": int(gain) for place, gain in enumerate(missed)}
    made = {name: np.zeros(len(gains.asked)) for name in named.values()}
    for each in ir_measures.pytrec_eval.iter_calc(list(named), judged, run):
        made[named[each.measure]][int(each.query_id)] = each.value
    return made


def whole(gains: Gains) -> bool:
    """Tell whether every gain is a whole number, as trec_eval needs."""
    return bool((gains.best % 1 == 0).all() and (gains.found % 1 == 0).all())


def _left(found: list[float], best: list[float]) -> list[float]:
    """Return the best gains that were not found."""
    left = [each for each in best if each > 0]
    for gain in found:
        if gain > 0 and gain in left:
            left.remove(gain)
    return left

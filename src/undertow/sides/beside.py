"""A run beside an earlier one: the same queries, scored with the same judgements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from undertow.adapters import ir
from undertow.core.embeds import Match, compare_spaces, space_label
from undertow.core.errors import DataError, UsageError
from undertow.core.run import Floats, Run
from undertow.detect.retrieval import Asked
from undertow.sources.golden import Golden
from undertow.stats.ranking import Gains, Judged

OTHERS = 0.5
"""Share of what an earlier run found whose ids nobody knows, from which it is of other documents."""
Places = np.ndarray[Any, np.dtype[np.int64]]


def judged_by(held: Golden) -> tuple[Judged, tuple[str, ...]]:
    """Return the judgements, and the ids they go by: a document that is gone counts as not found."""
    there = set(held.document_ids)
    gone = dict.fromkeys(
        each for each in held.pairs.document if each is not None and each not in there
    )
    known = (*held.document_ids, *gone)
    return held.pairs.joined(held.query_ids, known), known


def positions(found: Sequence[Sequence[str]], known: Sequence[str], k: int) -> Places:
    """Return what was found as positions (q, k), -1 where there is nothing or nobody knows it."""
    place = {name: row for row, name in enumerate(known)}
    out = np.full((len(found), k), -1, np.int64)
    for row, names in enumerate(found):
        some = names[:k]
        out[row, : len(some)] = [place.get(name, -1) for name in some]
    return out


def measured(gains: Gains) -> dict[str, Floats]:
    """Return each metric by trec_eval, or by our own where gains are no whole numbers."""
    return ir.measured(gains) if ir.whole(gains) else gains.measures()


def relevant(judged: Judged, known: Sequence[str], rows: int) -> list[list[str]]:
    """Return the ids that would be right, a list a query, the best graded first."""
    out: list[list[str]] = [[] for _ in range(rows)]
    for row in np.lexsort((-judged.gain, judged.query)).tolist():
        out[int(judged.query[row])].append(known[int(judged.document[row])])
    return out


def beside(
    asked: Asked, before: Run, judged: Judged, known: tuple[str, ...]
) -> tuple[Asked, list[str]]:
    """Return the run beside an earlier one, which is scored again with today's judgements."""
    run, k = asked.run, asked.depth
    if before.about.get("k") != k:
        raise UsageError(
            f"the reference was made with k {before.about.get('k')}, this run with {k}; use one of them"
        )
    there = {name: row for row, name in enumerate(before.queries)}
    old_hash, new_hash = _asked(before), _asked(run)
    rows, other = np.full(len(run), -1, np.int64), 0
    for row, name in enumerate(run.queries):
        spot = there.get(name, -1)
        if spot >= 0 and old_hash[spot] not in {None, new_hash[row]}:
            other, spot = other + 1, -1
        rows[row] = spot
    both = rows >= 0
    if not both.any():
        raise DataError(
            "the reference asked none of these queries: it is of another golden set; make a new one"
        )
    found = [before.found[spot] if spot >= 0 else () for spot in rows.tolist()]
    places = positions(found, known, k)
    listed = sum(len(each[:k]) for each in found)
    strange = listed - int((places >= 0).sum())
    if strange > OTHERS * listed:
        raise DataError(
            f"{strange:,} of {listed:,} documents that the reference found have ids that nobody knows "
            "here: it is of other documents; make a new one"
        )
    gains = judged.gains(places, len(known))
    metrics: dict[str, Floats] = {}
    for name, values in measured(gains).items():
        each = np.full(len(run), np.nan)
        each[gains.asked] = values
        each[~both] = np.nan
        metrics[name] = each
    notes = list(_unlike(run, before, int(both.sum()), other))
    notes += _judged_again(metrics, before, rows, k)
    causes = tuple(_causes(run, before))
    return replace(asked, before=metrics, found=found, causes=causes), [*notes, *causes]


def _asked(run: Run) -> Sequence[object]:
    """Return the hash of each query's text, None where nobody kept it."""
    told = run.about.get("asked")
    known = isinstance(told, list) and len(told) == len(run)
    return [f"{each}" for each in told] if known and told else [None] * len(run)


def _unlike(run: Run, before: Run, both: int, other: int) -> Iterator[str]:
    """Yield what is not the same golden set."""
    if other:
        yield f"{other:,} queries have another text than in the reference, and are not compared"
    gone, new = len(before) - both - other, len(run) - both - other
    if gone or new:
        yield (
            f"{gone:,} queries of the reference are gone and {new:,} are new: the {both:,} that both "
            "asked are compared"
        )


def _judged_again(
    metrics: Mapping[str, Floats], before: Run, rows: Places, k: int
) -> Iterator[str]:
    """Yield a line where today's judgements make another number of the earlier run."""
    name = f"ndcg@{k}"
    saved = before.metrics.get(name)
    if saved is None:
        return
    old = np.where(rows >= 0, saved[np.maximum(rows, 0)], np.nan)
    again = metrics[name]
    moved = (np.abs(old - again) > 1e-4) | (np.isfinite(old) != np.isfinite(again)) & (rows >= 0)
    if moved.any():
        yield (
            f"the judgements have changed for {int(moved.sum()):,} queries since the reference; it is "
            "scored again with today's"
        )


def _causes(run: Run, before: Run) -> Iterator[str]:
    """Yield what else is not as it was: the encoder, the number of documents."""
    old, new = (each.about.get("encoder") or "" for each in (before, run))
    match = compare_spaces(f"{old}", f"{new}")
    if match in {Match.FOREIGN, Match.MOVED}:
        yield f"the encoder is another one: {space_label(old)}, now {space_label(new)}"
    elif not old or not new:
        names = [each.about.get("name") for each in (before, run)]
        if names[0] != names[1]:
            yield f"the vectors are of {names[0]}, now of {names[1]}"
    counts = [each.about.get("documents") for each in (before, run)]
    if counts[0] != counts[1] and all(isinstance(each, int) for each in counts):
        yield f"{counts[0]:,} documents were searched, now {counts[1]:,}"

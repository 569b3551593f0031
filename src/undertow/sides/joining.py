"""Whether the judgements of a golden set belong to its queries, and by which id they would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from undertow.core.finding import Finding
from undertow.core.run import Run
from undertow.detect.judgements import Better, Joined, join_finding
from undertow.sides.searched import Searched
from undertow.sources.golden import Golden
from undertow.stats.judgements import LEAST, Belonging, by_vectors, by_words, stretch
from undertow.stats.ranking import Judged

SUSPECT = 0.05
"""Share of queries out of place from which other ids are tried: clean sets measured 0 to 3%."""
ROUGHLY = 0.5
"""Share of the judgements that another id has to join, of those joined now."""


@dataclass(frozen=True)
class Look:
    """What was seen of the join: findings, whether it is wrong, or nothing can be told, and a hint."""

    findings: tuple[Finding, ...]
    wrong: bool
    lost: bool
    hint: str


def look(
    held: Golden,
    made: Searched,
    run: Run,
    chance: Mapping[str, float],
    k: int,
    tolerance: float,
) -> Look:
    """Return whether the judgements belong to these queries, seen by words and by vectors.

    The sharper of the two looks decides: an encoder that is blind, or an index that is broken, is not
    the judgements' fault as long as the words agree.
    """
    views = dict(_views(held, made))
    seen = {name: view(held.judged) for name, view in views.items()}
    known = {name: each for name, each in seen.items() if each.known.any()}
    values = run.metrics[f"ndcg@{k}"]
    ndcg = float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
    if not known:
        alike = any(held.documents) and len(set(held.documents)) == 1
        return Look((), wrong=False, lost=True, hint=_ALIKE if alike else _HINT)
    name = min(known, key=lambda each: known[each].mean_rank)
    belonging = known[name]
    better = None
    if belonging.share.low > SUSPECT / 2 and belonging.share.value > SUSPECT:
        better = _better(held, made, belonging, views[name], k)
    joined = Joined(
        belonging,
        tuple(known),
        k,
        ndcg,
        chance.get(f"ndcg@{k}", 0.0),
        better,
        stretch(belonging),
        tolerance,
    )
    lost = better is None and (joined.wrong or not joined.effect.defined)
    return Look((join_finding(joined),), joined.wrong, lost, _HINT)


_ALIKE = "all documents have the same text: see how they were exported"
_HINT = "see whether the judgements' ids are those of these queries and documents"


def _views(held: Golden, made: Searched) -> list[tuple[str, Callable[[Judged], Belonging]]]:
    def words(judged: Judged) -> Belonging:
        return by_words(held.queries, held.documents, judged)

    def vectors(judged: Judged) -> Belonging:
        return by_vectors(made.queries, made.documents, judged)

    listed: list[tuple[str, Callable[[Judged], Belonging]]] = []
    if made.queries.shape[1] == made.documents.shape[1]:
        listed.append((made.name, vectors))
    if any(held.documents) and any(held.queries):
        listed.insert(0, ("their words", words))
    return listed


def _better(
    held: Golden,
    made: Searched,
    now: Belonging,
    view: Callable[[Judged], Belonging],
    k: int,
) -> Better | None:
    """Return the other id by which the judgements belong to the queries, where there is one."""
    best: tuple[float, Better] | None = None
    place = {name: row for row, name in enumerate(held.document_ids)}
    found = np.full((len(made.found), k), -1, np.int64)
    for row, names in enumerate(made.found):
        found[row, : len(names)] = [place.get(each, -1) for each in names]
    for part in ("queries", "documents"):
        own = held.columns["query_id" if part == "queries" else "doc_id"]
        for name, ids in held.other_ids(part):
            sides = (ids, held.document_ids) if part == "queries" else (held.query_ids, ids)
            judged = held.pairs.joined(*sides)
            if len(judged.gain) < max(ROUGHLY * len(held.judged.gain), LEAST):
                continue
            other = view(judged)
            if not other.known.any() or other.share.high >= now.share.low:
                continue
            ndcg = float(judged.gains(found, len(place)).measures()[f"ndcg@{k}"].mean())
            asked_for = f"the {'query' if part == 'queries' else 'document'} id, not {own!r},"
            if best is None or other.share.value < best[0]:
                best = other.share.value, Better(part, name, asked_for, ndcg, other.share.value)
    return None if best is None else best[1]

"""What an index shows beside its golden set: whether it is whole, and what needs no judgements."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from undertow.core.embeds import Match, compare_spaces
from undertow.core.errors import DataError
from undertow.core.finding import Finding
from undertow.core.index import Stored, VectorIndex
from undertow.core.run import Floats, Run
from undertow.options import Progress
from undertow.sides.searched import Searched, found_vectors
from undertow.sources.golden import Golden
from undertow.stats.signals import signals
from undertow.verbs.integrity import verify
from undertow.verbs.unlabelled import ann_recall, unlabelled

AT_ONCE = 2**24
"""Numbers of vectors that are looked at together: 64 MB."""
HELD = 20_000
"""Documents up to which a run keeps the ids that the index held."""


def signalled(made: Searched, golden: Golden, k: int) -> Mapping[str, Floats]:
    """Return the signals of each query, a block of queries at a time."""
    width = made.documents.shape[1] if made.stored is None else made.stored.vectors.shape[1]
    if made.queries.shape[1] != width:  # laid over a bridge
        return {}
    step, parts = max(AT_ONCE // (k * max(width, 1)), 1), []
    for start in range(0, len(made.found), step):
        stop = min(start + step, len(made.found))
        scores = np.full((stop - start, k), np.nan)
        for row, each in enumerate(made.scores[start:stop]):
            scores[row, : len(each)] = each[:k]
        near = found_vectors(made, golden, start, stop, k)
        parts.append(signals(made.queries[start:stop], near, scores))
    return {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}


def beyond(
    held: Golden,
    made: Searched,
    index: VectorIndex | None,
    runs: tuple[Run, Run | None],
    progress: Progress | None,
) -> tuple[list[Finding], list[str]]:
    """Return what is wrong with an index, and what its searches tell without judgements.

    An earlier run of another encoder is left out: its cosines say nothing of these.
    """
    now, before = runs
    if made.stored is None or index is None:
        if held.judged.gain.size:
            return [], []
        corpus = Stored.of(held.document_ids, made.documents, space=made.space)
        return unlabelled(now, before, corpus=corpus, queries=made.queries), []
    found: list[Finding] = []
    notes: list[str] = []
    if made.encoder is not None:
        texts = dict(zip(held.document_ids, held.documents, strict=True))
        found, notes = verify(made.stored, made.encoder, texts, progress=progress)
    if before is not None and _foreign(f"{before.about.get('encoder') or ''}", made.space):
        before = None
    own = made.queries.shape[1] == made.stored.vectors.shape[1] and not any(
        _foreign(each, made.space) for each in made.stored.spaces
    )
    found += unlabelled(
        now,
        before,
        corpus=made.stored if own else None,
        queries=made.queries if own else None,
        held_before=None if before is None else _listed(before),
    )
    if own:
        try:
            found.append(ann_recall(index, made.stored, made.queries, space=made.space))
        except DataError as error:
            notes.append(f"the index was not held against an exact search: {error}")
    return found, notes


def held_ids(stored: Stored | None) -> list[str] | None:
    """Return the ids that an index holds, as a run keeps them: None where they are too many."""
    return None if stored is None or len(stored) > HELD else list(stored.ids)


def _listed(run: Run) -> Collection[str] | None:
    told = run.about.get("held")
    return {f"{each}" for each in told} if isinstance(told, list) else None


def _foreign(one: str, other: str) -> bool:
    return compare_spaces(one, other) is Match.FOREIGN

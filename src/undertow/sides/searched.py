"""A search through a golden set's documents: by an encoder, by vectors that are there, or in an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import Matrix, encode, steadiness
from undertow.core.errors import DataError
from undertow.core.index import Stored, VectorIndex
from undertow.options import Encoder, Progress, ticker
from undertow.sources.golden import Golden
from undertow.stats.neighbours import nearest, unit

SIGNALLED = 2**24
"""Numbers of vectors that are handed over at once."""


@dataclass(frozen=True, eq=False)
class Searched:
    """What each query found, and by what.

    `found` are ids of documents, best first, and `scores` their cosines; empty for a query without a
    text or vector. `queries` (q, d) and `documents` (n, d) are of length 1, a document that is not in
    the index a row of zeros. `stored` is what the index holds, `places` where each document stands in
    it, -1 where it does not.
    """

    found: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    queries: Matrix
    documents: Matrix
    name: str
    space: str = ""
    encoder: Embeds | None = None
    stored: Stored | None = None
    places: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()


def search(
    golden: Golden,
    encoder: Encoder | None,
    index: VectorIndex | None,
    k: int,
    progress: Progress | None,
) -> Searched:
    """Return what each query of a golden set finds.

    Raises DataError where the index refuses the queries' space, or no query or document has a vector.
    """
    model: Embeds | None = None
    space, notes = "", list[str]()
    if golden.vectors is None:
        assert encoder is not None
        opened = open_encoder(encoder)
        model = opened.fitted(golden.documents) if isinstance(opened, Fits) else opened
        notes += filter(None, [steadiness(model, golden.queries).note(model.name)])
        space = str(fingerprint(model))
        total = len(golden.queries) + (len(golden.documents) if index is None else 0)
        tick = ticker(progress, model.name, total)
        queries = unit(encode(model, golden.queries, tick=tick))
        if index is None:
            documents = unit(encode(model, golden.documents, tick=tick))
    else:
        documents, queries = (unit(each) for each in golden.vectors)
    name = "the vectors given" if model is None else model.name
    if not queries.any():
        asks = golden.files["queries"].source
        raise DataError(f"{asks}: not one query has a text or a vector that is not zero")
    if index is not None:
        return _in_index(golden, index, queries, Named(name, space, model, tuple(notes)), k)
    there = np.flatnonzero(documents.any(axis=1))
    if not len(there):
        texts = golden.files["documents"].source
        raise DataError(f"{texts}: not one document has a text or a vector that is not zero")
    made = nearest(queries, documents[there], k)
    ids = np.array(golden.document_ids, object)[there][made.which]
    found, scores = _listed(ids, made.cosine, queries)
    return Searched(found, scores, queries, documents, name, space, model, notes=tuple(notes))


@dataclass(frozen=True, eq=False)
class Named:
    """Who made the queries' vectors."""

    name: str
    space: str
    model: Embeds | None
    notes: tuple[str, ...]


def _in_index(golden: Golden, index: VectorIndex, queries: Matrix, who: Named, k: int) -> Searched:
    hits = index.search(queries, k, space=who.space)
    stored = index.stored()
    place = {name: row for row, name in enumerate(stored.ids)}
    places = np.array([place.get(name, -1) for name in golden.document_ids], np.int64)
    documents = np.zeros((len(places), stored.vectors.shape[1]), np.float32)
    there = places >= 0
    documents[there] = unit(np.nan_to_num(stored.vectors[places[there]]))
    found, scores = _listed(hits.ids, hits.scores, queries)
    return Searched(
        found,
        scores,
        queries,
        documents,
        who.name,
        who.space,
        who.model,
        stored,
        places,
        who.notes,
    )


def _listed(
    ids: NDArray[Any], scores: Matrix, queries: Matrix
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[float, ...], ...]]:
    """Return what was found as ids and scores, without places that are empty."""
    found, told = [], []
    asks = np.asarray(queries.any(axis=1))
    for names, cosines, ask in zip(ids.tolist(), scores.tolist(), asks, strict=True):
        pairs = zip(names, cosines, strict=True)
        kept = [(f"{name}", cosine) for name, cosine in pairs if name is not None and ask]
        found.append(tuple(name for name, _ in kept))
        told.append(tuple(cosine for _, cosine in kept))
    return tuple(found), tuple(told)


def found_vectors(made: Searched, golden: Golden, start: int, stop: int, k: int) -> Matrix:
    """Return the vectors (q, k, d) of what some queries found, of length 1, NaN where nothing was."""
    if made.stored is None:
        names, rows = golden.document_ids, made.documents
    else:
        names, rows = made.stored.ids, made.stored.vectors
    place = {name: row for row, name in enumerate(names)}
    out = np.full((stop - start, k, rows.shape[1]), np.nan, np.float32)
    for row, found in enumerate(made.found[start:stop]):
        spots = [place[name] for name in found[:k]]
        if spots:
            out[row, : len(spots)] = unit(rows[spots])
    return out

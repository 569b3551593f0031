"""What a golden set will find after a re-index, told before it from a sample of the documents."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import pyarrow as pa

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits
from undertow.core.encode import Matrix, encode
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.report import Report, Source
from undertow.core.verdict import check_tolerance
from undertow.detect import forecast as told
from undertow.options import Encoder, Progress, ticker
from undertow.sides.index_encoder import encoder_of
from undertow.sources import open_dataset
from undertow.sources.golden import Golden, golden_files, read_golden, read_unjudged
from undertow.stats import forecast as stats
from undertow.stats.counts import Floats, stream
from undertow.stats.forecast import Sampled
from undertow.stats.neighbours import nearest, unit
from undertow.stats.outrank import Standing, standing
from undertow.stats.ranking import DEPTH, Judged
from undertow.stats.score import Z

SAMPLE = 300
TOLERANCE = 0.02
OFF = 0.06
"""What the part of the first ten that stays was off by, at most, with most documents not embedded."""
LISTED = 50
"""Documents at risk that the evidence names."""
Path_ = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """What else can be said of a forecast.

    `docs`, `queries` and `judgements` are files or frames, `golden` a folder with all three; without
    docs the index says which documents there are. `old` is what made the vectors of the index. `columns`
    say how columns are called, as {"doc_text": "abstract"}. `sample` is how many documents beside the
    judged ones are embedded again, `tolerance` the smallest fall of nDCG@10 that matters.
    """

    docs: Any
    queries: Any
    judgements: Any
    golden: Path_ | None
    old: Encoder | None
    columns: Mapping[str, str] | None
    sample: int
    tolerance: float | None
    progress: Progress | None


def forecast(index: Any = None, *, encoder: Encoder, **options: Unpack[Options]) -> Report:
    """Tell what a search will find once all documents are embedded with another encoder.

    `index` is the folder of an index, or an index; without one, give `docs` and `old`, the encoder they
    are searched with today. The queries, their judged documents and a `sample` of the others are
    embedded with `encoder`. nDCG@10, MRR@10 and recall@10 are told with intervals, and which documents
    are expected to fall out of the first ten. Without judgements only the part of the first ten that
    will be others can be told.

    Raises UsageError or DataError where the data or an option is unusable.

    >>> docs = pa.table({"doc_id": list(range(60)), "text": [f"w{n} w{n + 1}" for n in range(60)]})
    >>> asks = pa.table({"query_id": list(range(60)), "query": [f"w{n} w{n + 1}" for n in range(60)]})
    >>> right = pa.table({"query_id": list(range(60)), "doc_id": list(range(60))})
    >>> report = forecast(docs=docs, queries=asks, judgements=right, old="tfidf", encoder="tfidf")
    >>> report.findings[0].evidence["forecast"]["ndcg@10"]["then"]
    1.0
    """
    sample, tolerance = _checked(options)
    opened = _index(index)
    golden, judged = _golden(opened, options)
    progress = options.get("progress")
    was = _old(opened, golden, options)
    space, kept = _documents(opened, golden, was, progress)
    will = _fitted(encoder, golden)
    asked = _queries(golden, was, space)
    notes = [*golden.notes]
    # A document without a text is told below, with those that have no vector.
    notes += [each.says for each in golden.issues if each.kind != "documents with an empty text"]
    if len(kept) < len(golden.documents):
        notes.append(
            f"{len(golden.documents) - len(kept):,} of {len(golden.documents):,} documents have no "
            "text, or no vector in the index: left out"
        )
    spot = np.full(len(golden.documents), -1, np.int64)
    spot[kept] = np.arange(len(kept))
    if judged is not None:
        here = spot[judged.document] >= 0
        judged = Judged(judged.query[here], spot[judged.document[here]], judged.gain[here])
        if not len(judged.query):
            raise DataError(
                f"{golden.source}: no judged document is in the index; see whether their ids are the same"
            )
    texts = [golden.documents[row] for row in kept.tolist()]
    made = _Asked(golden, kept, texts, space, asked, will, was.name, sample, tolerance, progress)
    found, more = _without(made) if judged is None else _judged(made, judged)
    ids = Source(_name(index, golden), len(texts))
    return Report.of(ids, Source(will.name, len(texts)), found, notes=[*more, *notes])


@dataclass(frozen=True, eq=False)
class _Asked:
    """The documents that count, in the old space, the queries, and what is to be tried."""

    golden: Golden
    kept: np.ndarray[Any, np.dtype[np.int64]]
    texts: Sequence[str]
    old: Matrix
    old_asked: Matrix
    encoder: Embeds
    before: str
    sample: int
    tolerance: float
    progress: Progress | None

    def again(self, sampled: Sampled) -> tuple[Matrix, Matrix]:
        """Return the sample and the queries, embedded by the new encoder."""
        tick = ticker(
            self.progress, self.encoder.name, len(sampled.which) + len(self.golden.queries)
        )
        rows = [self.texts[row] for row in sampled.which.tolist()]
        documents = unit(encode(self.encoder, rows, tick=tick))
        return documents, unit(encode(self.encoder, self.golden.queries, tick=tick))

    def embedded(self, sampled: Sampled, queries: int) -> told.Embedded:
        count = int(sampled.judged.sum())
        return told.Embedded(count, len(sampled.which) - count, sampled.total, queries)


def _judged(made: _Asked, judged: Judged) -> tuple[list[Any], list[str]]:
    """Return what the golden set will find, and a line that says so where nothing else does."""
    random = stream()
    usable = np.asarray(made.old_asked.any(axis=1), np.bool_)
    judged = judged.only(usable)
    queries = len(np.unique(judged.query))
    if queries < told.LEAST:
        return [told.few(queries, told.Embedded(0, 0, len(made.texts), queries))], []
    sampled = stats.choose(judged, len(made.texts), sample=made.sample, random=random)
    new, asked = made.again(sampled)
    foretold = stats.forecast(made.old, made.old_asked, new, asked, judged, sampled, random=random)
    top = nearest(made.old_asked, made.old, DEPTH).which
    keys = np.sort(judged.query * sampled.total + judged.document)
    query, document = _firsts(top, sampled)
    own = np.isin(query * sampled.total + document, keys)
    pairs = query[own], document[own]
    where = standing(made.old, made.old_asked, new, asked, pairs, sampled)
    embedded = made.embedded(sampled, queries)
    finding = told.quality(
        foretold, _falling(made, pairs, where), embedded, tolerance=made.tolerance
    )
    return [finding], [told.headline(foretold, embedded)]


def _without(made: _Asked) -> tuple[list[Any], list[str]]:
    """Return what part of the first ten documents will be others, for want of judgements."""
    random = stream()
    rows = np.flatnonzero(made.old_asked.any(axis=1))
    top = nearest(made.old_asked[rows], made.old, DEPTH).which
    query, document = np.repeat(rows, top.shape[1]), top.ravel().astype(np.int64)
    found = Judged(query, document, np.ones(len(query)))
    sampled = stats.choose(found, len(made.texts), sample=made.sample, random=random)
    new, asked = made.again(sampled)
    there = np.isin(document, sampled.which)
    pairs = query[there], document[there]
    where = standing(made.old, made.old_asked, new, asked, pairs, sampled)
    part = 1 - len(sampled.which) / sampled.total
    share, low, high = _replaced(pairs[0], where, OFF * part)
    embedded = made.embedded(sampled, len(rows))
    found_ = told.churn(share, low, high, _falling(made, pairs, where), embedded)
    note = "no judgements were given: whether the search gets better or worse cannot be told"
    return [found_], [note]


def _replaced(
    query: np.ndarray[Any, np.dtype[np.int64]], where: Standing, off: float
) -> tuple[float, float, float]:
    """Return the part of the first ten that others replace, by query, and a 95% interval."""
    groups, row = np.unique(query, return_inverse=True)
    sizes = np.bincount(row)
    gone: list[Floats] = [
        np.bincount(row, weights=1 - each) / sizes for each in (where.stays, *where.between)
    ]
    means = [float(each.mean()) for each in gone]
    error = float(gone[0].std()) / max(len(groups), 1) ** 0.5
    arm = math.hypot(Z * error, off)
    return means[0], max(min(means) - arm, 0.0), min(max(means) + arm, 1.0)


def _firsts(
    top: np.ndarray[Any, np.dtype[np.int32]], sampled: Sampled
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the pairs of query and document of the first ten whose document was embedded again."""
    query = np.repeat(np.arange(len(top)), top.shape[1])
    document = top.ravel().astype(np.int64)
    there = np.isin(document, sampled.which)
    return query[there], document[there]


def _falling(
    made: _Asked,
    pairs: tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]],
    where: Standing,
) -> list[told.Falling]:
    """Return the documents least likely to stay in the first ten, the best placed today first."""
    rows = np.flatnonzero(where.stays < 0.5)
    order = rows[np.lexsort((where.old[rows], where.stays[rows].round(2)))][:LISTED]
    golden = made.golden
    return [
        told.Falling(
            golden.queries[query],
            golden.query_ids[query],
            golden.document_ids[made.kept[document]],
            made.texts[document],
            int(where.old[row]),
            float(where.new[row]),
            float(where.stays[row]),
        )
        for row, query, document in zip(
            order.tolist(), pairs[0][order].tolist(), pairs[1][order].tolist(), strict=True
        )
    ]


def _checked(options: Options) -> tuple[int, float]:
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    sample = options.get("sample", SAMPLE)
    if not isinstance(sample, int) or sample < 1:
        raise UsageError(f"sample {sample!r}: it is a number of documents, 1 or more")
    given = options.get("tolerance")
    tolerance = TOLERANCE if given is None else given
    if not isinstance(tolerance, int | float):
        raise UsageError(f"tolerance {tolerance!r}: give a number such as {TOLERANCE}")
    return sample, check_tolerance("difference", float(tolerance))


def _index(given: Any) -> Any:
    if not isinstance(given, str | os.PathLike):
        return given
    from undertow.verbs.index import open_index

    return open_index(given)


def _name(index: Any, golden: Golden) -> str:
    if isinstance(index, str | os.PathLike):
        return os.fspath(index)
    return "the index" if index is not None else golden.files["documents"].source


def _golden(opened: Any, options: Options) -> tuple[Golden, Judged | None]:
    """Return documents and queries, and what is judged; None where no judgements are given."""
    docs, queries, judgements = (options.get(name) for name in ("docs", "queries", "judgements"))
    folder = options.get("golden")
    if folder is not None:
        if queries is not None or judgements is not None:
            raise UsageError("both a golden folder and files are given; give one of them")
        parts = golden_files(folder)
        docs, queries, judgements = docs if docs is not None else parts[0], *parts[1:]
    if queries is None:
        raise UsageError("no queries; give queries and judgements, or a golden folder")
    if docs is None:
        docs = _kept_texts(opened)
    columns = options.get("columns")
    if judgements is not None:
        golden = read_golden(docs, queries, judgements, columns=columns)
        return golden, golden.judged
    return read_unjudged(docs, queries, columns=columns), None


def _kept_texts(opened: Any) -> Any:
    if opened is None:
        raise UsageError("no documents; give an index, or docs and old, the encoder of today")
    stored = opened.stored()
    if stored.texts is None or not any(stored.texts):
        raise UsageError(
            "the index keeps no texts to embed again; give the documents with --docs FILE"
        )
    return open_dataset(
        pa.table({"doc_id": list(stored.ids), "text": list(stored.texts)}), name="the index"
    )


def _fitted(given: Encoder, golden: Golden) -> Embeds:
    opened = open_encoder(given)
    return opened.fitted(golden.documents) if isinstance(opened, Fits) else opened


def _old(opened: Any, golden: Golden, options: Options) -> Embeds:
    """Return the encoder of today: the one given, or the one that the index remembers."""
    given = options.get("old")
    if opened is not None and (given is None or given == "tfidf"):
        return encoder_of(opened, given)
    if given is None:
        raise UsageError("say what the documents are searched with today: --from ENCODER")
    return _fitted(given, golden)


def _documents(
    opened: Any, golden: Golden, was: Embeds, progress: Progress | None
) -> tuple[Matrix, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the vectors of today, of length 1, and which documents they are of."""
    texts = golden.documents
    if opened is None:
        made = unit(encode(was, texts, tick=ticker(progress, was.name, len(texts))))
    else:
        stored = opened.stored()
        places = {name: row for row, name in enumerate(stored.ids)}
        rows = [places.get(name, -1) for name in golden.document_ids]
        made = unit(np.where(np.array(rows)[:, None] >= 0, stored.vectors[rows], 0.0))
    fine = np.isfinite(made).all(axis=1) & made.any(axis=1)
    fine &= np.array([bool(each.strip()) for each in texts])
    kept = np.flatnonzero(fine)
    if not len(kept):
        raise DataError(f"{golden.source}: none of the documents is in the index with a vector")
    return np.ascontiguousarray(made[kept]), kept


def _queries(golden: Golden, was: Embeds, space: Matrix) -> Matrix:
    """Return the queries in the old space."""
    asked = unit(encode(was, golden.queries))
    if asked.shape[1] != space.shape[1]:
        raise UsageError(
            f"the index holds vectors of {space.shape[1]:,} numbers and {was.name} makes "
            f"{asked.shape[1]:,}; name the encoder that made the index: --from ENCODER"
        )
    return asked

"""Tell what a search finds of a golden set, whether the set itself is sound, and what was lost since."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import numpy as np
import pyarrow as pa

from undertow.config import write_file
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Finding, Rows
from undertow.core.index import VectorIndex
from undertow.core.report import Report, Source
from undertow.core.run import Floats, Run
from undertow.core.schema import Column, Kind, Role
from undertow.core.verdict import Verdict, check_tolerance
from undertow.detect import retrieval as told
from undertow.detect.judgements import ROWS, row_findings
from undertow.options import Encoder, Progress
from undertow.sides.beside import beside, judged_by, measured, positions, relevant
from undertow.sides.joining import look
from undertow.sides.searched import Searched, search
from undertow.sources import open_dataset
from undertow.sources.golden import (
    Golden,
    golden_files,
    hashed,
    read_golden,
    read_unjudged,
    table_bytes,
)
from undertow.sources.judged import text_hashes
from undertow.sources.saved_run import read_run
from undertow.stats.judgements import by_chance
from undertow.stats.ranking import DEPTH, Judged
from undertow.verbs.beyond import beyond, held_ids, signalled

TOLERANCES = {"difference": 0.02, "moved_share": 0.1}
DEEPEST = 1_000
_NAME_ONE = "name an encoder: tfidf, minilm, module:function"
Path_ = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """What else can be said of a run.

    `columns` say how columns of the golden set are called, as {"doc_text": "abstract"}. `slices` are
    columns of the queries to tell apart. `vector` is the column of documents and queries that holds
    their vectors: then no encoder is needed. `k` is how many documents are looked at. `tolerance` is
    one number for what a metric may lose, or several by effect: {"difference": 0.02, "moved_share":
    0.1}, the latter for judgements of other queries. `write_hashes` is a file to which the judgements
    go with the hash of each document's text, so that a later run can tell which have become stale.
    """

    columns: Mapping[str, str] | None
    slices: Sequence[str]
    vector: str | None
    k: int
    tolerance: float | Mapping[str, float] | None
    write_hashes: Path_ | None
    progress: Progress | None


def retrieval(
    *,
    docs: Any = None,
    queries: Any = None,
    judgements: Any = None,
    golden: Path_ | None = None,
    encoder: Encoder | None = None,
    index: Path_ | VectorIndex | None = None,
    reference: Any = None,
    **options: Unpack[Options],
) -> Report:
    """Tell what a search finds of a golden set, and what it has lost since `reference`.

    The golden set is `docs`, `queries` and `judgements` (files or frames), or a folder `golden` with
    all three. Documents and queries are encoded by `encoder` and searched exactly; with an `index` (its
    folder) its stored vectors are searched instead. The first finding, "retrieval", holds hit rate,
    recall, MRR and nDCG at 10, each with a 95% interval; others say which judgements are stale, gone
    or there twice, and whether the judgements belong to these queries at all. `reference` is the JSON
    of an earlier run, or its report: what nDCG, MRR and recall have lost since, paired by query, is
    judged. What rose is told and is no alarm. Without `judgements` only what needs none is told: how
    alike, how much others, and whether the index holds what it should.

    Raises UsageError or DataError where the data or an option is unusable, or nothing is found.

    >>> import pyarrow as pa
    >>> words = [f"w{n} w{n + 1} w{n + 2}" for n in range(60)]
    >>> docs = pa.table({"doc_id": list(range(60)), "text": words})
    >>> asks = pa.table({"query_id": list(range(60)), "query": [f"w{n + 1}" for n in range(60)]})
    >>> right = pa.table({"query_id": list(range(60)), "doc_id": list(range(60))})
    >>> report = retrieval(docs=docs, queries=asks, judgements=right, encoder="tfidf")
    >>> report.verdict, report["retrieval"].evidence["hit@10"]["value"]
    (<Verdict.STEADY: 'steady'>, 1.0)
    """
    limits, k = _checked(options, encoder=encoder, index=index)
    before = None if reference is None else read_run(reference)
    vector = options.get("vector")
    opened, encoder = _opened(index, encoder) if vector is None else (_only(index), None)
    parts = _parts(docs, queries, judgements, golden, opened)
    if parts[2] is None:
        return _unjudged(parts[:2], encoder, opened, k, (reference, before), options)
    held = read_golden(
        *parts,
        columns=options.get("columns"),
        slices=options.get("slices", ()),
        vector=vector,
    )
    made = search(held, encoder, opened, k, options.get("progress"))
    asked, notes = _asked(held, made, k, before, limits["difference"])
    run = asked.run
    joined = look(held, made, run, asked.chance, k, limits["moved_share"])
    if before is None and joined.lost and not np.nansum(run.metrics[f"hit@{k}"]):
        raise DataError(_blind(held, joined.hint, k))
    more, said = beyond(held, made, opened, (run, before), options.get("progress"))
    causes = (*asked.causes, *(each.says for each in more if _explains(each)))
    found = [*told.findings(replace(asked, misjoined=joined.wrong, causes=causes))]
    # A cause leads, and whoever reads the first finding wants the metrics.
    metrics = {name: each for name, each in found[0].evidence.items() if name in run.metrics}
    leads = [*(joined.findings if joined.wrong else ()), *filter(_explains, more)]
    rest = [
        *(() if joined.wrong else joined.findings),
        *(each for each in more if each not in leads),
    ]
    found += [replace(each, evidence={**metrics, **each.evidence}) for each in leads]
    found += rest
    found += row_findings(held.issues, Rows(len(held.documents), len(held.queries)))
    notes += [each.says for each in found if each.check == ROWS and each.verdict is Verdict.STEADY]
    notes += [*said, *filter(None, [told.rose(asked), told.small_slices(run)])]
    out = options.get("write_hashes")
    if out is not None:
        write_file(out, table_bytes(hashed(held), out))
        notes.append(
            f"wrote the judgements with the hash of each document's text to {os.fspath(out)}"
        )
    return _report(held, made, found, notes, (reference, before))


def _unjudged(
    parts: tuple[Any, ...],
    encoder: Encoder | None,
    index: VectorIndex | None,
    k: int,
    against: tuple[Any, Run | None],
    options: Options,
) -> Report:
    """Return what can be told of a search where nobody has judged what is right."""
    held = read_unjudged(
        *parts,
        columns=options.get("columns"),
        slices=options.get("slices", ()),
        vector=options.get("vector"),
    )
    if options.get("write_hashes") is not None:
        raise UsageError("hashes are written beside judgements, and there are none; give them")
    made = search(held, encoder, index, k, options.get("progress"))
    run = _run(held, made, held.judged, {}, k)
    more, notes = beyond(held, made, index, (run, against[1]), options.get("progress"))
    found = [told.unjudged(run), *more]
    found += row_findings(held.issues, Rows(len(held.documents), len(held.queries)))
    return _report(held, made, found, [found[0].says, *made.notes, *notes], against)


def _asked(
    held: Golden, made: Searched, k: int, before: Run | None, tolerance: float
) -> tuple[told.Asked, list[str]]:
    """Return the run, beside the earlier one where there is one, and what a reader should know."""
    judged, known = judged_by(held)
    places = positions(made.found, known, k)
    run = _run(held, made, judged, measured(judged.gains(places, len(known))), k)
    asked = told.Asked(
        run,
        relevant(judged, known, len(run)),
        by_chance(judged, places, len(known)),
        tolerance=tolerance,
    )
    # Good news stands where it is read without asking.
    notes = [told.headline(asked), *held.notes, *made.notes]
    if before is None:
        return asked, notes
    asked, more = beside(asked, before, judged, known)
    return asked, [*notes, *more]


def _explains(finding: Finding) -> bool:
    """Tell whether a finding on the index says why less is found: a fact of what it holds."""
    return finding.effect is None and finding.verdict is Verdict.CHANGED


def _checked(
    options: Options, *, encoder: Encoder | None, index: Path_ | VectorIndex | None
) -> tuple[dict[str, float], int]:
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    vector = options.get("vector")
    if vector is None and encoder is None and index is None:
        raise UsageError(f"nothing makes vectors of the queries; {_NAME_ONE}")
    if vector is not None and encoder is not None:
        raise UsageError("both a column of vectors and an encoder are given; give one of them")
    k = options.get("k", DEPTH)
    if not isinstance(k, int) or not 1 <= k <= DEEPEST:
        raise UsageError(f"k {k!r}: it is a whole number from 1 to {DEEPEST:,}")
    return _tolerances(options.get("tolerance")), k


def _tolerances(given: float | Mapping[str, float] | None) -> dict[str, float]:
    if given is None:
        return TOLERANCES
    listed = dict(given) if isinstance(given, Mapping) else {"difference": given}
    listed = {("difference" if name == "*" else name): each for name, each in listed.items()}
    for name, each in listed.items():
        if name not in TOLERANCES:
            raise UsageError(
                f"tolerance for {name!r}: no such effect{did_you_mean(name, TOLERANCES)}"
            )
        if not isinstance(each, int | float):
            raise UsageError(f"tolerance {each!r} for {name}: give a number such as 0.02")
        check_tolerance(name, each)
    return TOLERANCES | listed


def _only(index: Path_ | VectorIndex | None) -> VectorIndex | None:
    """Return the index alone, asked with vectors that are there."""
    if isinstance(index, str | os.PathLike):
        from undertow.verbs.index import open_index

        return open_index(index)
    return index


def _opened(
    given: Path_ | VectorIndex | None, encoder: Encoder | None
) -> tuple[VectorIndex | None, Encoder | None]:
    """Return the index, and the encoder to ask it with: the one given, or the one it remembers."""
    if given is None:
        return None, encoder
    from undertow.index.folder import Index
    from undertow.sides.index_encoder import encoder_of
    from undertow.verbs.index import open_index

    opened = open_index(given) if isinstance(given, str | os.PathLike) else given
    if isinstance(opened, Index):
        return opened, encoder_of(opened, encoder)
    if encoder is None:
        raise UsageError(f"nothing makes vectors of the queries; {_NAME_ONE}")
    return opened, encoder


def _parts(
    docs: Any, queries: Any, judgements: Any, golden: Path_ | None, index: VectorIndex | None
) -> tuple[Any, Any, Any]:
    """Return documents, queries and judgements: as given, of a folder, or of the index."""
    if golden is not None:
        if any(each is not None for each in (docs, queries, judgements)):
            raise UsageError("both a golden folder and files are given; give one of them")
        return golden_files(golden)
    if queries is None:
        raise UsageError("no queries; give docs, queries and judgements, or golden")
    if docs is not None:
        return docs, queries, judgements
    if index is None:
        raise UsageError("no docs; give the documents that are searched, or an index")
    stored = index.stored()
    if stored.texts is None:
        raise UsageError("the index keeps no texts; give the documents, with their ids, as docs")
    table = pa.table({"doc_id": list(stored.ids), "text": list(stored.texts)})
    folder = getattr(index, "folder", None)
    name = "the index" if folder is None else os.fspath(folder)
    return open_dataset(table, name=name), queries, judgements


def _run(
    held: Golden, made: Searched, judged: Judged, metrics: Mapping[str, Floats], k: int
) -> Run:
    """Return the run; a query without a judgement, or without a text, counts for no metric."""
    asked = np.unique(judged.query)
    silent = np.array([not each for each in made.found])
    every = {}
    for name, values in metrics.items():
        each = np.full(len(held.query_ids), np.nan)
        each[asked] = values
        each[silent & ~made.queries.any(axis=1)] = np.nan
        every[name] = each
    about = {
        "encoder": made.space,
        "name": made.name,
        "documents": len(held.documents) if made.stored is None else len(made.stored),
        "k": k,
        "asked": text_hashes(held.queries),
        "judgements": len(judged.gain),
        "held": held_ids(made.stored),
    }
    told_by = signalled(made, held, k)
    return Run(
        held.query_ids, held.queries, made.found, made.scores, every, told_by, held.slices, about
    )


def _blind(held: Golden, hint: str, k: int) -> str:
    queries = len(np.unique(held.judged.query))
    return (
        f"{held.source}: nothing is found: none of {queries:,} queries has a relevant document among "
        f"its first {k}; {hint}"
    )


def _report(
    held: Golden,
    made: Searched,
    found: Sequence[Finding],
    notes: Sequence[str],
    against: tuple[Any, Run | None],
) -> Report:
    reference, before = against
    asks = held.files["queries"]
    current = Source(asks.source, len(held.queries), asks.digest())
    first = Source(held.files["documents"].source, len(held.documents))
    if before is not None:
        name = (
            os.fspath(reference) if isinstance(reference, str | os.PathLike) else "an earlier run"
        )
        first = Source(name, len(before))
    columns = [
        Column(held.columns[what], Kind.TEXT, Role.FEATURE, why="found", space=made.space)
        for what in ("query_text",)
        if what in held.columns
    ]
    return Report.of(first, current, found, columns=columns, notes=dict.fromkeys(notes))

"""The chunks that a pipeline makes of documents: their length, number and overlap, and what got lost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Verdict
from undertow.detect.words import shortened
from undertow.stats import describe
from undertow.stats.chunks import Chunks
from undertow.stats.share import share_change
from undertow.stats.told import needed, two_shares

LENGTH, PER_DOCUMENT, OVERLAP, HEADERS, DOCUMENTS, LOST = (
    f"chunks.{name}"
    for name in ("length", "per_document", "overlap", "headers", "documents", "lost_text")
)
NUMBERS = {
    LENGTH: ("words per chunk", "words a chunk"),
    PER_DOCUMENT: ("chunks per document", "chunks a document"),
    OVERLAP: ("words shared with the chunk before", "words of overlap"),
}
"""What is derived as a number, by the check that judges it, and how it is told."""
SAME = 0.5
"""Share of the reference's documents that the current side needs to be made of the same ones."""
PART = 0.05
"""Part of a document's words whose loss counts."""
LEAST_WORDS = 20
EXAMPLES = 5


def number(found: Finding, check: str, before: Chunks, now: Chunks) -> Finding:
    """Return the finding of the check of numbers in words of its own: the medians and means."""
    what = NUMBERS[check][1]
    sides = [values(check, each) for each in (before, now)]
    middle = [float(np.median(each)) if len(each) else math.nan for each in sides]
    mean = [float(each.mean()) if len(each) else math.nan for each in sides]
    return replace(
        found,
        check=check,
        says=f"{middle[0]:.4g} → {middle[1]:.4g} {what} (median; mean {mean[0]:.4g} → {mean[1]:.4g})",
        evidence={**found.evidence, "median": describe.pair(*middle), "mean": describe.pair(*mean)},
        examples=(),
        next=("compare the settings of the splitter on both sides: length, overlap, separators",),
    )


def values(check: str, some: Chunks) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the numbers of a side that a check judges, one a chunk or a document."""
    if check == LENGTH:
        return some.words
    return some.per_document if check == PER_DOCUMENT else some.shared[some.shared >= 0]


def headers(before: Chunks, now: Chunks, column: str, tolerance: float) -> Finding:
    """Return the finding on chunks that begin or end with a line that returns in the document."""
    sides = before, now
    hits, rows = [int(each.header.sum()) for each in sides], [len(each.rows) for each in sides]
    effect = share_change(hits[0], rows[0], hits[1], rows[1], tolerance=tolerance)
    shares = [hit / max(many, 1) for hit, many in zip(hits, rows, strict=True)]
    top = now.lines.most_common(EXAMPLES)
    told = f", such as {shortened(top[0][0])!r}" if top and shares[1] > shares[0] else ""
    bare = (
        f"{percent(shares[0])} → {percent(shares[1])} of chunks begin or end with a line that returns "
        "in the document"
    )
    return Finding(
        HEADERS,
        f"{column}:repeated lines",
        f"{bare}{told}",
        effect,
        Rows(rows[0], rows[1]),
        column=f"{column}:repeated lines",
        needs_rows=needed(effect, sum(hits) / max(sum(rows), 1)),
        evidence={"share": describe.pair(*shares)},
        shape=two_shares("with a header", "without", (hits[0], hits[1]), (rows[0], rows[1])),
        examples=tuple({"line": shortened(line), "chunks": f"{many:,}"} for line, many in top)
        if shares[1] > shares[0]
        else (),
        next=("strip page headers and footers before the documents are cut",) if told else (),
        bare=bare,
    )


def documents(
    before: Chunks, now: Chunks, column: str, tolerance: float
) -> Iterator[Finding | str]:
    """Yield what became of the documents: gone, shortened; a note where the sides are of others."""
    ours, theirs = dict.fromkeys(before.names), dict.fromkeys(now.names)
    both = [name for name in ours if name in theirs]
    gone = [name for name in ours if name not in theirs]
    new = [name for name in theirs if name not in ours]
    if len(both) < SAME * len(ours):
        yield (
            f"{len(both):,} of {len(ours):,} documents of the reference are on both sides: documents "
            "gone and text lost are not judged"
        )
        return
    yield Finding(
        DOCUMENTS,
        f"{column}:documents",
        f"{len(gone):,} of {len(ours):,} documents are gone, {len(new):,} are new",
        rows=Rows(len(ours), len(theirs)),
        verdict=_fact(len(gone), len(ours), tolerance),
        evidence={"gone": len(gone), "new": len(new), "shared": len(both)},
        examples=tuple({"document": name} for name in gone[:EXAMPLES]),
        next=("ask the parser what it did with these documents: an error that was passed over?",)
        if gone
        else (),
    )
    places = [dict(zip(each.names, range(len(each.names)), strict=True)) for each in (before, now)]
    words = [
        each.words_of_documents[[place[name] for name in both]]
        for each, place in zip((before, now), places, strict=True)
    ]
    lost = np.asarray((words[0] - words[1] > PART * words[0]) & (words[0] >= LEAST_WORDS))
    share = 1 - words[1][lost].sum() / max(int(words[0][lost].sum()), 1)
    worst = np.flatnonzero(lost)
    worst = worst[np.argsort((words[1] / np.maximum(words[0], 1))[worst], kind="stable")[:EXAMPLES]]
    told = f": {percent(float(share))} of the words of these" if lost.any() else ""
    yield Finding(
        LOST,
        f"{column}:lost text",
        f"{int(lost.sum()):,} of {len(both):,} documents lost more than {percent(PART)} of their words"
        f"{told}",
        rows=Rows(len(both), len(both)),
        verdict=_fact(int(lost.sum()), len(both), tolerance),
        evidence={
            "documents": int(lost.sum()),
            "words": describe.pair(float(words[0].sum()), float(words[1].sum())),
        },
        examples=tuple(
            {"document": both[n], "words": f"{words[0][n]:,} → {words[1][n]:,}"}
            for n in worst.tolist()
        ),
        next=("read these documents in both versions: tables, columns, or the end may be missing",)
        if lost.any()
        else (),
    )


def _fact(hits: int, rows: int, tolerance: float) -> Verdict:
    """Return the verdict on documents of one corpus: all were counted, so nothing is estimated."""
    if not hits:
        return Verdict.STEADY
    return Verdict.CHANGED if hits > tolerance * rows else Verdict.WATCH

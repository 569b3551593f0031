"""Is an index what it should be: each document there once, with the vector that its text has.

Here is what is counted over all stored vectors, ids and texts: facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Verdict
from undertow.stats.gone import Gone

EXAMPLES, SHOWN, LISTED, NAMED = 5, 120, 1_000, 5
LEADS = (
    *("dimension", "broken", "dimensions", "spaces", "wrong", "length", "copies", "missing"),
    *("orphans", "texts", "empty", "moved", "probe"),
)
"""The checks in the order of what to mend first: the rest may follow from it."""

Example = dict[str, str]


def finding(
    check: str,
    fault: str,
    says: str,
    *,
    rows: Rows,
    verdict: Verdict = Verdict.CHANGED,
    subject: str = "",
    **more: Any,
) -> Finding:
    """Return a finding on an index; `fault` is its name for programs, and its subject by default."""
    evidence = {"fault": fault, **more.pop("evidence", {})}
    place = more.pop("place", 0)
    return Finding(
        f"index.{check}",
        subject or fault,
        says,
        rows=rows,
        verdict=verdict,
        evidence=evidence,
        precedence=10 * LEADS.index(check) + place,
        **more,
    )


def of(count: int, total: int, what: str) -> str:
    """Return how many of how many, and the share.

    >>> of(3, 60, "documents"), of(1, 1, "document")
    ('3 of 60 documents (5%)', '1 of 1 document (100%)')
    """
    return f"{count:,} of {total:,} {what} ({percent(count / total)})"


def shown(id_: str, text: str | None, why: str) -> Example:
    """Return one affected row as an example."""
    return {"id": id_[:SHOWN], "text": (text or "")[:SHOWN], "why": why}


def dimension(stored: int, encoder: int, name: str, rows: Rows) -> Finding:
    """Return the finding where index and encoder differ in how many numbers a vector has."""
    return finding(
        "dimension",
        "other dimension",
        f"the index holds vectors of {stored:,} numbers, and {name} makes {encoder:,}: "
        "no query of it can be answered",
        rows=rows,
        next=("search with the encoder that built the index, or build the index again",),
    )


def missing(
    ids: Sequence[str], texts: Mapping[str, str], total: int, gone: Gone, rows: Rows
) -> Finding:
    """Return the finding on documents that have no vector; `gone` says how they lie among all."""
    told = of(len(ids), total, "documents")
    names = [f"{each.name!r}" for each in gone.groups[:NAMED]]
    listed = ", ".join(names) + (", ..." if len(gone.groups) > len(names) else "")
    fault, first = "documents missing", [shown(each, texts[each], "no vector") for each in ids]
    if gone.groups and gone.many is not None:
        fault = "topics missing"
        says = (
            f"{told} have no vector: {len(gone.groups):,} of {gone.many:,} topics are not indexed"
        )
        says += f" ({listed})"
    elif gone.groups:
        fault = "topics missing"
        says = f"{told} have no vector, and whole topics are missing, among them {listed}"
    elif gone.spread:
        says = f"{told} have no vector, spread over all topics"
    else:
        says = f"{told} have no vector"
    return finding(
        "missing",
        fault,
        says,
        rows=rows,
        subject="documents without a vector",
        evidence={
            "documents": len(ids),
            "share": round(len(ids) / total, 6),
            "together": gone.together,
            "topics": [
                {"name": each.name, "missing": each.missing, "documents": each.documents}
                for each in gone.groups
            ],
            "ids": list(ids[:LISTED]),
        },
        examples=tuple(first[:EXAMPLES]),
        next=(f"encode these {len(ids):,} documents and add them to the index",),
    )


def orphans(ids: Sequence[str], texts: Mapping[str, str | None], rows: Rows) -> Finding:
    """Return the finding on vectors whose id is no document's."""
    examples = [shown(each, texts.get(each), "no such document") for each in ids[:EXAMPLES]]
    return finding(
        "orphans",
        "vectors without a document",
        f"{of(len(ids), rows.current, 'vectors')} belong to no document: a search still finds them",
        rows=rows,
        evidence={"vectors": len(ids), "ids": list(ids[:LISTED])},
        examples=tuple(examples),
        next=("take these vectors out of the index, or add the documents",),
    )


def unjoined(documents: Sequence[str], ids: Sequence[str], rows: Rows) -> Finding:
    """Return the finding where no id of the documents is one of the index."""
    one, two = (", ".join(repr(each[:40]) for each in some[:3]) for some in (documents, ids))
    return finding(
        "missing",
        "other ids",
        f"not one of {len(documents):,} documents has its id in the index ({one}; the index has "
        f"{two}): another numbering, or another index",
        rows=rows,
        subject="documents without a vector",
        next=("give the documents by the ids that the index was built with",),
    )


def length(
    lengths: NDArray[np.float64],
    off: NDArray[np.bool_],
    expected: float,
    others: float,
    examples: Sequence[Example],
    rows: Rows,
) -> Finding:
    """Return the finding on vectors that are not of the one length that the encoder gives.

    `lengths` are those of all vectors that are not empty, `off` marks the wrong ones; `others` is
    the share of the first 10 that a search by plain products ranks otherwise than one by cosine.
    """
    count, wrong = int(off.sum()), lengths[off]
    told = of(count, len(off), "stored vectors")
    span = f"{wrong.min():.3g} to {wrong.max():.3g}"
    alike = float(np.ptp(wrong)) <= 0.02 * float(wrong.max())
    evidence = {
        "vectors": count,
        "expected_length": round(expected, 6),
        "lengths": [float(f"{each:.6g}") for each in np.quantile(wrong, [0, 0.05, 0.5, 0.95, 1])],
        "first_10_that_differ": round(others, 4),
    }
    if alike and count == len(off):
        return finding(
            "length",
            "other length",
            f"all {count:,} stored vectors have a length of {np.median(wrong):.3g}, and the encoder "
            f"gives {expected:.3g}: the order stays, scores and thresholds do not",
            rows=rows,
            verdict=Verdict.WATCH,
            subject="lengths of vectors",
            evidence=evidence,
            next=("scale the stored vectors to the length that the encoder gives",),
        )
    return finding(
        "length",
        "not normalised",
        f"not normalised: {told} have lengths of {span}, and the encoder gives {expected:.3g}; "
        f"where plain products rank, {percent(others)} of the first 10 are others",
        rows=rows,
        subject="lengths of vectors",
        evidence=evidence,
        examples=tuple(examples[:EXAMPLES]),
        next=("scale the stored vectors to one length, or rank by cosine",),
    )


def dimensions(lost: NDArray[np.int64], total: int, count: int, rows: Rows) -> Finding:
    """Return the finding on numbers that are 0 in stored vectors, and are not 0 as encoded."""
    first, last = int(lost[0]) + 1, int(lost[-1]) + 1
    where = f", numbers {first:,} to {last:,}" if last - first + 1 == len(lost) else ""
    whose = "every stored vector" if count == rows.current else of(count, rows.current, "vectors")
    return finding(
        "dimensions",
        "dimensions zeroed",
        f"{len(lost):,} of {total:,} numbers{where} are 0 in {whose}, and the encoder fills them",
        rows=rows,
        subject="dimensions",
        evidence={
            "dimensions": len(lost),
            "vectors": count,
            "places": [int(each) for each in lost[:LISTED]],
        },
        next=("encode the documents of these vectors again: what is lost cannot be restored",),
    )


def unusable(check: str, count: int, examples: Sequence[Example], rows: Rows) -> Finding:
    """Return the finding on vectors that nothing can find: all zeros ("empty"), or not numbers."""
    what = "are all zeros" if check == "empty" else "hold NaN or infinity"
    fault = "empty vectors" if check == "empty" else "broken vectors"
    return finding(
        check,
        fault,
        f"{of(count, rows.current, 'stored vectors')} {what}: no search finds them",
        rows=rows,
        evidence={"vectors": count},
        examples=tuple(examples[:EXAMPLES]),
        next=(f"encode these {count:,} documents again",),
    )


def copies(
    groups: int, ids: int, tried: int, found: int, examples: Sequence[Example], rows: Rows
) -> Finding:
    """Return the finding on one vector under several ids whose texts have vectors of their own."""
    more = (
        "" if tried == found else f" ({tried:,} groups of copies were looked at, all of {found:,})"
    )
    return finding(
        "copies",
        "one vector for many",
        f"{of(ids, rows.current, 'stored vectors')} are copies of {groups:,}, under ids whose texts "
        f"differ and have vectors of their own{more}",
        rows=rows,
        subject="copied vectors",
        evidence={"vectors": ids, "groups": groups},
        examples=tuple(examples[:EXAMPLES]),
        next=(f"encode these {ids:,} documents again: a batch may have been written twice",),
    )


def spaces(counts: Mapping[str, int], verdict: Verdict, encoder: str | None, rows: Rows) -> Finding:
    """Return the finding on what the index says of its vectors: more than one space, or another.

    `counts` are vectors by the label of their space; `encoder` is the label of the encoder's, given
    where the only space is not the encoder's own.
    """
    told = " and ".join(f"{count:,} of {name or 'unknown'}" for name, count in counts.items())
    steady = verdict is Verdict.STEADY
    if encoder is not None:
        says = f"the index says that its vectors are of {next(iter(counts))}, and this is {encoder}"
        fault = "other encoder"
    else:
        says = f"{len(counts):,} spaces in one index: {told}"
        fault = "several spaces"
    return finding(
        "spaces",
        fault,
        f"{says}, as allowed" if steady else says,
        rows=rows,
        verdict=verdict,
        subject="spaces",
        evidence={"vectors_by_space": dict(counts)},
        next=()
        if steady
        else ("encode the documents of the other space again, all by one encoder",),
    )


@dataclass(frozen=True)
class Texts:
    """Documents whose text is not the one that was indexed, of so many that could be compared.

    `swapped` hold the text of another document; of those `tried`, `updated` have the vector of the
    new text all the same.
    """

    documents: int
    changed: Sequence[str]
    swapped: int
    tried: int
    updated: int


def texts(made: Texts, examples: Sequence[Example], rows: Rows) -> Finding:
    """Return the finding on documents whose text has changed since it was indexed."""
    count = len(made.changed)
    told = of(count, made.documents, "documents")
    more: dict[str, Any] = {"rows": rows, "subject": "texts since indexed"}
    more["evidence"] = {"documents": count, "ids": list(made.changed[:LISTED])}
    more["examples"] = tuple(examples[:EXAMPLES])
    if made.swapped > count / 2:
        says = f"ids are shuffled: {told} are indexed with the text of another document"
        step = "build the index again from the documents: text and vector stand under a wrong id"
        return finding("wrong", "ids shuffled", says, next=(step,), **more)
    if made.tried and made.updated == made.tried:
        says = f"{told} have the vector of their text of now, beside an older text"
        step = "store the new texts beside the vectors"
        return finding("texts", "old texts", says, verdict=Verdict.WATCH, next=(step,), **more)
    says = f"{told} have changed since they were indexed: their vectors are of the older text"
    return finding("texts", "text changed", says, next=(f"encode these {count:,} again",), **more)

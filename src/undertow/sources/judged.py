"""The rows of a golden set: ids as texts, judgements joined to them, and what is wrong with each row.

Nothing is left out in silence: what does not join, is there twice, is empty or has become stale is an
issue with a count, a sentence and a few examples.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from undertow.core.hashing import hash_strings
from undertow.core.issue import Issue
from undertow.core.values import is_text, to_text
from undertow.stats.ranking import Judged

_WHOLE = re.compile(r"-?\d+\.0+")
_SHOWN = 3

Texts = Sequence[str | None]


class Pairs(NamedTuple):
    """The judgements as they were read, a row each: the ids of query and document, and the gain."""

    query: list[str | None]
    document: list[str | None]
    gain: list[float]

    def joined(self, queries: Texts, documents: Texts) -> Judged:
        """Return the judgements of a gain above 0 whose ids are known; of equal pairs the first counts.

        >>> Pairs(["1", "9"], ["a", "a"], [1.0, 1.0]).joined(["1"], ["b", "a"]).document.tolist()
        [1]
        """
        asked, there = places(queries), places(documents)
        made: dict[tuple[int, int], float] = {}
        for query, document, gain in zip(*self, strict=True):
            if query in asked and document in there:
                made.setdefault((asked[query], there[document]), gain)
        rows = np.array(list(made), np.int64).reshape(-1, 2)
        gains = np.array(list(made.values()), np.float64)
        kept = gains > 0
        return Judged(rows[kept, 0], rows[kept, 1], gains[kept])


def ids(column: pa.Array) -> list[str | None]:
    """Return ids as texts: 1, 1.0 and "1.0" are one id, blanks at the ends are none of it.

    >>> ids(pa.array([1.0, None])), ids(pa.array(["2.0", "3.0"])), ids(pa.array([" x ", ""]))
    (['1', None], ['2', '3'], ['x', None])
    """
    if pa.types.is_floating(column.type):
        numbers = column.to_pylist()
        return [
            None
            if each is None or math.isnan(each)
            else f"{each:.0f}"
            if each % 1 == 0
            else f"{each}"
            for each in numbers
        ]
    words = [each.strip() or None if each is not None else None for each in words_of(column)]
    if any(words) and all(_WHOLE.fullmatch(each) for each in words if each is not None):
        return [each if each is None else each.partition(".")[0] for each in words]
    return words


def words_of(column: pa.Array) -> list[str | None]:
    """Return any column as texts."""
    return list(to_text(column).to_pylist())


def spelling(kind: pa.DataType) -> str:
    """Return how a column spells its ids, for people."""
    return "text" if is_text(kind) or pa.types.is_dictionary(kind) else "numbers"


def places(names: Texts) -> dict[str | None, int]:
    """Return where each id stands first; a missing one stands nowhere."""
    made: dict[str | None, int] = {}
    for row, name in enumerate(names):
        if name is not None:
            made.setdefault(name, row)
    return made


class Once(NamedTuple):
    """Rows with each id once: which rows are kept, their ids, and how many were missing or repeated."""

    rows: list[int]
    names: tuple[str, ...]
    missing: int
    repeated: list[str]


def once(names: Texts) -> Once:
    """Return the first row of each id; a row without one stays, under the name of its row.

    >>> once(["a", None, "a"])
    Once(rows=[0, 1], names=('a', '(row 2)'), missing=1, repeated=['a'])
    """
    kept: dict[str, int] = {}
    repeated: list[str] = []
    for row, name in enumerate(names):
        if name is None:
            kept[f"(row {row + 1})"] = row
        elif name in kept:
            repeated.append(name)
        else:
            kept[name] = row
    return Once(list(kept.values()), tuple(kept), sum(each is None for each in names), repeated)


def side_issues(what: str, kept: Once, texts: Sequence[str] | None) -> Iterator[Issue]:
    """Yield what is wrong with the documents, or the queries: ids and texts."""
    total = len(kept.rows) + len(kept.repeated)
    if kept.missing:
        says = f"{kept.missing:,} of {total:,} {what} have no id, so no judgement can name them"
        yield Issue(f"{what} without an id", kept.missing, total, says)
    if kept.repeated:
        count = len(kept.repeated)
        says = f"{count:,} of {total:,} {what} repeat an id; the first of each is used"
        yield Issue(f"{what} there twice", count, total, says, shown(kept.repeated))
    if texts is None:
        return
    empty = [name for name, text in zip(kept.names, texts, strict=True) if not text.strip()]
    if empty:
        least = "count for nothing" if what == "queries" else "are never found"
        says = f"{len(empty):,} of {len(texts):,} {what} have an empty text, and {least}"
        yield Issue(f"{what} with an empty text", len(empty), len(texts), says, shown(empty))


def pair_issues(pairs: Pairs, queries: Sequence[str], documents: Sequence[str]) -> Iterator[Issue]:
    """Yield what is wrong with the judgements: what they name, how often, and how they are graded."""
    asked, there, total = set(queries), set(documents), len(pairs.query)
    nameless = sum(q is None or d is None for q, d in zip(pairs.query, pairs.document, strict=True))
    if nameless:
        says = f"{nameless:,} of {total:,} judgements lack the id of their query or document"
        yield Issue("judgements without an id", nameless, total, says)
    lost = [name for name in pairs.query if name is not None and name not in asked]
    if lost:
        some = len(set(lost))
        says = (
            f"{len(lost):,} of {total:,} judgements are of queries that are not there "
            f"({some:,} different), such as {lost[0]!r}"
        )
        yield Issue("judgements without their query", len(lost), total, says, shown(lost))
    gone = [name for name in pairs.document if name is not None and name not in there]
    if gone:
        some = len(set(gone))
        says = (
            f"{len(gone):,} of {total:,} judgements name documents that are gone "
            f"({some:,} different), such as {gone[0]!r}"
        )
        yield Issue("judgements of documents that are gone", len(gone), total, says, shown(gone))
    unread = sum(math.isnan(gain) for gain in pairs.gain)
    if unread:
        says = f"{unread:,} of {total:,} judgements have a relevance that is no number"
        yield Issue("judgements without a relevance", unread, total, says)
    yield from _repeats(pairs)


def _repeats(pairs: Pairs) -> Iterator[Issue]:
    known: dict[tuple[str, str], float] = {}
    repeats: list[str] = []
    differ = 0
    for query, document, gain in zip(*pairs, strict=True):
        if query is None or document is None:
            continue
        if (query, document) in known:
            repeats.append(f"{query} {document}")
            differ += known[query, document] != gain
        known.setdefault((query, document), gain)
    if repeats:
        other = f", {differ:,} with another relevance" if differ else ""
        total = len(pairs.query)
        says = f"{len(repeats):,} of {total:,} judgements are there twice{other}; the first is used"
        yield Issue("judgements there twice", len(repeats), total, says, shown(repeats))


def unjudged(judged: Judged, queries: Sequence[str]) -> Iterator[Issue]:
    """Yield the queries that no judgement of a gain above 0 is of."""
    asked = set(judged.query.tolist())
    none = [name for row, name in enumerate(queries) if row not in asked]
    if none:
        says = (
            f"{len(none):,} of {len(queries):,} queries have no judgement, and count for no metric"
        )
        yield Issue("queries without a judgement", len(none), len(queries), says, shown(none))


def text_hashes(texts: Texts) -> list[str | None]:
    """Return a hash of each text, 16 hex digits, the same on every machine; None for a missing one.

    >>> text_hashes(["a red door", None])
    ['75fe7dabaa1ac726', None]
    """
    whole = pa.array(
        [None if each is None else each.encode("utf-8", "surrogatepass") for each in texts],
        pa.binary(),
    )
    found = hash_strings(whole).tolist()
    return [None if text is None else f"{key:016x}" for text, key in zip(texts, found, strict=True)]


def stale(
    pairs: Pairs,
    documents: Mapping[str, str],
    hashes: Texts | None,
    judged_on: Sequence[Any] | None,
    changed_on: Mapping[str, Any] | None,
) -> Iterator[Issue]:
    """Yield the judgements whose document has changed since: by the hash of its text, by the dates."""
    total = len(pairs.query)
    if hashes is not None:
        now = dict(zip(documents, text_hashes(list(documents.values())), strict=True))
        rows = [
            (name, kept.strip().lower().removeprefix("0x"))
            for name, kept in zip(pairs.document, hashes, strict=True)
            if name in now and kept is not None and kept.strip()
        ]
        old = [name for name, kept in rows if name is not None and kept != now[name]]
        if old:
            says = (
                f"{len(old):,} of {len(rows):,} judgements were made of another text: "
                "their documents have changed since"
            )
            yield Issue("judgements of a changed text", len(old), len(rows), says, shown(old))
        if len(rows) < total:
            says = f"{total - len(rows):,} of {total:,} judgements have no hash of their document"
            yield Issue("judgements without a hash", total - len(rows), total, says)
    if judged_on is not None and changed_on is not None:
        days = [(name, _day(each)) for name, each in zip(pairs.document, judged_on, strict=True)]
        known = [
            (name, day, _day(changed_on.get(name)))
            for name, day in days
            if name is not None and day
        ]
        both = [(name, day, other) for name, day, other in known if other is not None]
        late = [name for name, day, other in both if day is not None and day < other]
        if late:
            says = (
                f"{len(late):,} of {len(both):,} judgements are older than their documents, "
                "by the dates"
            )
            yield Issue("judgements older than the text", len(late), len(both), says, shown(late))


def _day(value: Any) -> dt.date | None:
    """Return the day of a date, a time or a text that spells one; None for anything else."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value.strip()).date()
        except ValueError:
            return None
    return None


def shown(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first few different names."""
    return tuple(dict.fromkeys(names))[:_SHOWN]

"""Chunks of documents, in numbers: how long, how many a document, what neighbours share, what repeats.

A pipeline that cuts documents fails in silence: another length, an overlap that is gone, a header in
every chunk, a document that lost its second half.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undertow.stats.counts import Counts
from undertow.stats.usage import UNSPACED

_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
LEAST_SHARED = 12
"""Characters that two neighbours need to share: fewer may be chance."""
LINE = (4, 120)
"""Characters of a line that can be a header."""
REPEATED = 3
"""Chunks of one document at whose edge a line stands to be a header; an overlap makes two."""


@dataclass(frozen=True, eq=False)
class Chunks:
    """The chunks of some documents, each document's together and in its order.

    `rows` (n,) says which row each chunk was, `document` (n,) which document it is of, by place in
    `names`; `words` (n,) counts its words, `shared` (n,) those that it repeats from the end of the
    chunk before, -1 for a document's first; `header` (n,) marks chunks that begin or end with a line
    that returns in the document.
    """

    names: tuple[str, ...]
    rows: Counts
    document: Counts
    words: Counts
    shared: Counts
    header: np.ndarray[tuple[int], np.dtype[np.bool_]]
    lines: Counter[str]

    @property
    def per_document(self) -> Counts:
        """How many chunks each document has."""
        return np.bincount(self.document, minlength=len(self.names)).astype(np.int64)

    @property
    def words_of_documents(self) -> Counts:
        """How many words each document has, those that neighbours share counted once."""
        own = self.words - np.maximum(self.shared, 0)
        return np.bincount(self.document, own, minlength=len(self.names)).astype(np.int64)


def chunks(
    texts: Sequence[str | None],
    documents: Sequence[str | None],
    order: Sequence[str | None] | None = None,
) -> Chunks:
    """Return the chunks of rows that have a document; those without are left out.

    `order` says where a chunk stands in its document, as a number where all are; without it the rows
    stand in their order. In scripts without spaces every character counts as a word.

    >>> made = chunks(["one two three four", "three four five", "six"], ["a", "a", "b"])
    >>> made.words.tolist(), made.shared.tolist(), made.words_of_documents.tolist()
    ([4, 3, 1], [-1, 0, -1], [7, 1])
    >>> chunks(["we share these words", "share these words of ours"], ["a", "a"]).shared.tolist()
    [-1, 3]
    """
    names = {name: place for place, name in enumerate(dict.fromkeys(filter(_told, documents)))}
    rows = np.array([n for n, name in enumerate(documents) if _told(name)], np.int64)
    of = np.array([names[name] for name in documents if name is not None and _told(name)], np.int64)
    places = np.arange(len(rows)) if order is None else _ranks([order[n] for n in rows.tolist()])
    by = np.lexsort((np.arange(len(rows)), places, of))
    rows, of = rows[by], of[by]
    plain = [" ".join((texts[row] or "").split()) for row in rows.tolist()]
    shared = np.full(len(rows), -1, np.int64)
    for at in np.flatnonzero(of[1:] == of[:-1]).tolist():
        shared[at + 1] = _words(plain[at + 1][: overlap(plain[at], plain[at + 1])])
    header, lines = _headers([texts[row] or "" for row in rows.tolist()], of)
    words = np.array([_words(each) for each in plain], np.int64)
    return Chunks(tuple(map(str, names)), rows, of, words, shared, header, lines)


def overlap(before: str, after: str) -> int:
    """Return how many characters the end of one text and the beginning of the next share.

    >>> overlap("cut at the transformer", "the transformer reads"), overlap("no", "on")
    (15, 0)
    """
    probe = after[:LEAST_SHARED]
    if len(probe) < LEAST_SHARED:
        return 0
    at = before.find(probe, max(len(before) - len(after), 0))
    while at >= 0:
        if after.startswith(before[at:]):
            return len(before) - at
        at = before.find(probe, at + 1)
    return 0


def _words(text: str) -> int:
    """Return how many words a text has; in scripts without spaces every character is one."""
    return len(text.split()) if text.isascii() else sum(1 for _ in _WORD.finditer(text))


def _told(name: str | None) -> bool:
    return name is not None and bool(name.strip())


def _ranks(order: Sequence[str | None]) -> Counts:
    """Return the place of each value among all: by number where all are numbers, else as text."""
    try:
        found = np.array([float(each if each is not None else "nan") for each in order])
    except ValueError:
        found = np.unique(np.array([each or "" for each in order]), return_inverse=True)[1]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _headers(
    texts: Sequence[str], of: Counts
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], Counter[str]]:
    """Return which chunks have a line at an edge that returns in the document, and those lines."""
    edges: list[tuple[str, ...]] = []
    counts: Counter[tuple[int, str]] = Counter()
    for text, document in zip(texts, of.tolist(), strict=True):
        lines = [line.strip() for line in (*text.split("\n", 3)[:3], *text.rsplit("\n", 3)[-3:])]
        lines = [line for line in lines if line] if "\n" in text else []
        low, high = LINE
        found = {line for line in (*lines[:1], *lines[-1:]) if low <= len(line) <= high}
        edges.append(tuple(sorted(found)))
        counts.update((document, line) for line in found)
    repeated = [
        [line for line in found if counts[document, line] >= REPEATED]
        for found, document in zip(edges, of.tolist(), strict=True)
    ]
    told = Counter(line for found in repeated for line in found)
    return np.array([bool(found) for found in repeated], np.bool_), told

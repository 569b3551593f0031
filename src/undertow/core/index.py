"""What an index of vectors is: what it holds, what a search gives, and the few things it can do.

An index holds documents: an id, a vector as it was stored, the text it was made of where that is kept,
and the space the vector lives in. Vectors of two spaces in one index raise no exception; that is why
the space is kept a row, and not an index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from undertow.core.encode import Matrix
from undertow.core.errors import DataError


class Hits(NamedTuple):
    """What a search gives each query: the ids of the nearest documents and their cosines, best first.

    `ids` (q, k) holds None, and `scores` (q, k) NaN, where there are fewer than k documents.
    """

    ids: NDArray[np.object_]
    scores: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Stored:
    """What an index holds, a row a document; vectors (n, d) are float32, just as they were stored.

    A document without a vector has a row of NaN. `texts` are what the vectors were made of, None where
    that is not kept. `spaces` are the different spaces (fingerprints of encoders, "" where nobody
    knows) and `space` (n,) says which is whose.

    >>> held = Stored.of(["a", "b"], np.eye(2, dtype=np.float32), space="minilm")
    >>> len(held), held.counts
    (2, {'minilm': 2})
    """

    ids: tuple[str, ...]
    vectors: Matrix
    texts: tuple[str | None, ...] | None
    spaces: tuple[str, ...]
    space: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        vectors: NDArray[np.floating],
        *,
        texts: Sequence[str | None] | None = None,
        space: str | Sequence[str] = "",
    ) -> Self:
        """Return what is stored; raise DataError where the lengths differ or an id is there twice."""
        rows = np.asarray(vectors, np.float32)
        if rows.ndim != 2 or len(rows) != len(ids):
            raise DataError(
                f"{len(ids):,} ids and an array of shape {rows.shape}: give a row an id"
            )
        if texts is not None and len(texts) != len(ids):
            raise DataError(f"{len(ids):,} ids and {len(texts):,} texts: give one an id")
        if len(set(ids)) < len(ids):
            raise DataError(f"{len(ids) - len(set(ids)):,} of {len(ids):,} ids are there twice")
        each = [space] * len(ids) if isinstance(space, str) else list(space)
        if len(each) != len(ids):
            raise DataError(f"{len(ids):,} ids and {len(each):,} spaces: give one an id")
        known = {name: code for code, name in enumerate(dict.fromkeys(each))}
        codes = np.array([known[name] for name in each], np.int32)
        kept = None if texts is None else tuple(texts)
        return cls(tuple(ids), rows, kept, tuple(known), codes)

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self.ids)

    @property
    def counts(self) -> dict[str, int]:
        """How many vectors there are of each space, the commonest first."""
        counted = np.bincount(self.space, minlength=len(self.spaces)).tolist()
        return dict(sorted(zip(self.spaces, counted, strict=True), key=lambda pair: -pair[1]))


@runtime_checkable
class VectorIndex(Protocol):
    """An index with versions: each is immutable, and a pointer says which one answers."""

    def add(
        self,
        ids: Sequence[str],
        vectors: NDArray[np.floating],
        *,
        texts: Sequence[str | None] | None = None,
        space: str = "",
    ) -> str:
        """Write the next version, with these documents added or replaced, and return its name."""
        ...

    def search(self, queries: NDArray[np.floating], k: int = 10, *, space: str = "") -> Hits:
        """Return the k nearest documents of each query (q, d) in the version that answers.

        Raises DataError for queries of a foreign `space` that no bridge leads from.
        """
        ...

    def tag(self, name: str, version: str | None = None) -> None:
        """Give a version (the one that answers) a name."""
        ...

    def switch(self, version: str) -> str:
        """Let another version, or tag, answer, and return which one did before."""
        ...

    def rollback(self) -> str:
        """Let the version answer that did before the last switch, and return its name."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """Return what there is: versions, tags, documents, dimension, spaces, bytes."""
        ...

    def stored(self, version: str | None = None) -> Stored:
        """Return what a version (the one that answers) holds."""
        ...


@runtime_checkable
class Lays(Protocol):
    """What lays vectors of one space into another: a bridge that went through its gate."""

    @property
    def source(self) -> str:
        """The space of the vectors that it takes."""
        ...

    @property
    def target(self) -> str:
        """The space of the vectors that it returns."""
        ...

    def apply(self, rows: NDArray[np.floating], /, *, space: str = "") -> Matrix:
        """Return vectors (n, d) of `source` in `target` (n, e), of length 1."""
        ...


@runtime_checkable
class Approximates(Protocol):
    """A library that finds near rows among very many, where to look at all of them is too slow."""

    name: str

    def build(self, rows: Matrix, write: Callable[[bytes], Any]) -> None:
        """Write the structure of rows (n, d) of length 1, by handing over its bytes in order."""
        ...

    def open(self, path: Path) -> Callable[[Matrix, int], NDArray[np.int64]]:
        """Return a function: queries (q, d), k -> places (q, k), -1 where there are fewer.

        Raises DataError where the file is damaged.
        """
        ...

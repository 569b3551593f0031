"""A task is what an encoder is tested on: texts with answers that are known, of one of five types.

The types are those of MTEB (Muennighoff et al. 2023, Massive Text Embedding Benchmark): retrieval,
classification, clustering, semantic textual similarity (STS) and pair classification.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from undertow.core.encode import Matrix

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Matrix]
"""Texts -> vectors (n, d), in their order."""


@dataclass(frozen=True, eq=False)
class _Named:
    """What every task has: its name, where it was read, and what a reader should know of it."""

    name: str
    source: str
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @cached_property
    def digest(self) -> str:
        """A hash of the type, the texts and the answers (16 hex digits), not of the files' form."""
        made = hashlib.blake2b(digest_size=8)
        for part in self._content():
            made.update(f"{len(part)}:".encode())
            made.update(part)
        return made.hexdigest()

    def _content(self) -> Iterable[bytes]:
        yield type(self).__name__.encode()
        for name, value in vars(self).items():
            if name in {"name", "source", "notes"}:
                continue
            yield name.encode()
            if isinstance(value, np.ndarray):
                yield value.tobytes()
            else:
                yield from (str(each).encode("utf-8", "surrogatepass") for each in value)


@dataclass(frozen=True, eq=False)
class Retrieval(_Named):
    """Documents, queries, and judgements: position of a query, of a document, and a gain above 0."""

    documents: tuple[str, ...]
    queries: tuple[str, ...]
    query: Ints
    document: Ints
    gain: Floats

    sort: ClassVar[str] = "retrieval"
    metric: ClassVar[str] = "ndcg@10"
    items: ClassVar[str] = "queries"

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of the task."""
        return self.documents + self.queries

    @property
    def asked(self) -> tuple[str, ...]:
        """The texts that are scored one by one: the queries with a judgement, in their order."""
        return tuple(self.queries[place] for place in np.unique(self.query).tolist())


@dataclass(frozen=True, eq=False)
class Classification(_Named):
    """Texts with a label to learn from, and others to tell the label of; labels are codes."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    train_label: Ints
    test_label: Ints
    labels: tuple[str, ...]

    sort: ClassVar[str] = "classification"
    metric: ClassVar[str] = "accuracy"
    items: ClassVar[str] = "texts"

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of the task."""
        return self.train + self.test

    @property
    def asked(self) -> tuple[str, ...]:
        """The texts that are scored one by one."""
        return self.test


@dataclass(frozen=True, eq=False)
class Clustering(_Named):
    """Texts, and the group that each belongs to, as codes."""

    texts: tuple[str, ...]
    label: Ints
    labels: tuple[str, ...]

    sort: ClassVar[str] = "clustering"
    metric: ClassVar[str] = "v_measure"
    items: ClassVar[str] = "texts"

    @property
    def asked(self) -> tuple[str, ...]:
        """The texts that are scored one by one."""
        return self.texts


@dataclass(frozen=True, eq=False)
class Similarity(_Named):
    """Pairs of texts, and how near in meaning people found them (STS)."""

    one: tuple[str, ...]
    other: tuple[str, ...]
    score: Floats

    sort: ClassVar[str] = "sts"
    metric: ClassVar[str] = "cosine_spearman"
    items: ClassVar[str] = "pairs"

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of the task."""
        return self.one + self.other

    @property
    def asked(self) -> tuple[str, ...]:
        """The pairs that are scored one by one, as text."""
        return tuple(f"{one} | {other}" for one, other in zip(self.one, self.other, strict=True))


@dataclass(frozen=True, eq=False)
class PairClassification(Similarity):
    """Pairs of texts that say the same (1) or do not (0)."""

    sort: ClassVar[str] = "pair_classification"
    metric: ClassVar[str] = "cosine_ap"


Task: TypeAlias = Retrieval | Classification | Clustering | Similarity
SORTS: dict[str, type[Task]] = {
    each.sort: each
    for each in (Retrieval, Classification, Clustering, Similarity, PairClassification)
}
"""The types of task by name; pair classification is a similarity whose scores are 0 and 1."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What an encoder answered on a task, and what the library that asked it makes of that.

    `given` is: positions of documents, best first (queries, k); the label told of each test text in
    each experiment (e, n); the cluster of each text drawn in each experiment (e, m), and then `drawn`
    (e, m) are the positions of those texts; the cosine of each pair (n,). `scores` are the library's
    own, by their usual names; none where it makes none.
    """

    given: NDArray[Any]
    drawn: Ints | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


class Evaluates(Protocol):
    """Whatever can put a task to an encoder: a library of benchmarks, or a few lines."""

    @property
    def name(self) -> str:
        """Which library in which version: "mteb 2.26.24"."""
        ...

    def __call__(self, task: Task, embed: Embed, /) -> Answers:
        """Return what the encoder answered; it is asked for vectors only through `embed`."""
        ...

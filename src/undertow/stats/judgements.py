"""Whether judgements belong to their queries: what was judged is nearer to its own query than to others.

Judgements joined on the wrong id raise no exception, and every metric falls. A golden set says so by
itself: the documents judged for a query are more like it than the documents judged for another one are,
even to an encoder that finds little. Where they are not, the rank of the own documents among those of
the other queries is drawn from all ranks alike. The share of such queries is estimated from the ranks
beyond the first three tenths (Storey 2002, A direct approach to false discovery rates); queries that are
hard to tell apart count for a part of one each, so by itself the share is a reason to look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.bootstrap import Estimate
from undertow.stats.counts import Counts, Floats, stream
from undertow.stats.neighbours import Matrix, one_thread
from undertow.stats.ranking import Judged
from undertow.stats.score import limits

EFFECT = "moved_share"
TOLD = "{} of queries have the judgements of another"
FAR = 0.3
"""Rank among the other queries' documents from which the own ones tell nothing. On cranfield and
clinc150, 0 to 3% of queries were beyond; on titles judged by a tag alone, 6 to 16%."""
ASKED = 2_000
"""Queries looked at, at most, spread evenly over the file."""
_WORD = r"(?u)\b\w+\b"
EACH = 30
"""Documents of a query that are looked at, at most."""
LEAST = 8
"""Queries below which there are too few others to be unlike."""
SHUFFLES = 199
SHIFTS = (-1, 1, -2, 2, -3, 3)


@dataclass(frozen=True, eq=False)
class Belonging:
    """How queries rank their own judged documents among those of the others.

    `queries` (a,) are positions in the file, rising; `ranks` (a,) the share of other queries whose
    documents are more like the query than its own (0 is best, 0.5 is chance, NaN where no other has
    documents of its own); `likeness` (a, a) the similarity of query i to the documents judged for j.
    """

    queries: Counts
    ranks: Floats
    likeness: Floats

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which queries have a rank."""
        return np.asarray(np.isfinite(self.ranks))

    @property
    def far(self) -> npt.NDArray[np.bool_]:
        """Which queries have documents that are no more like them than those of others."""
        return np.asarray(self.ranks > FAR)

    @property
    def mean_rank(self) -> float:
        """The mean rank, 0.5 by chance; NaN where nothing has one."""
        return float(self.ranks[self.known].mean()) if self.known.any() else math.nan

    @property
    def share(self) -> Estimate:
        """The share of queries whose judgements are those of another, with its 95% interval."""
        some = int(self.known.sum())
        if not some:
            return Estimate(math.nan, math.nan, math.nan)
        beyond = int(self.far.sum())
        low, high = limits(beyond, some)
        value, least, most = (
            min(float(each) / (1 - FAR), 1.0) for each in (beyond / some, low, high)
        )
        return Estimate(value, least, most)

    def effect(self, tolerance: float = 0.1) -> Effect:
        """Return the share as an effect; p is that of so many, were half the tolerance the truth.

        Undefined below 8 queries. Raises UsageError for a tolerance out of range.
        """
        check_tolerance(EFFECT, tolerance)
        some, share = int(self.known.sum()), self.share
        if some < LEAST:
            return Effect(EFFECT, math.nan, math.nan, math.nan, tolerance, 1.0)
        from scipy.stats import binom

        usual = tolerance / 2 * (1 - FAR)
        evidence = float(binom.sf(int(self.far.sum()) - 1, some, usual))
        return Effect(EFFECT, share.value, share.low, share.high, tolerance, evidence, told=TOLD)


@one_thread
def by_vectors(queries: Matrix, documents: Matrix, judged: Judged) -> Belonging:
    """Return how queries (q, d) rank their own documents (n, d), all of length 1, by cosine.

    >>> eye = np.eye(9, dtype=np.float32)
    >>> own = Judged(np.arange(9), np.arange(9), np.ones(9))
    >>> by_vectors(eye, eye, own).mean_rank
    0.0
    """
    asked, held = _drawn(judged)
    centres = np.stack(
        [documents[each].mean(axis=0, dtype=np.float64) for each in held]
        or [np.zeros(documents.shape[1])]
    )
    likeness = queries[asked].astype(np.float64) @ centres.T if len(asked) else np.zeros((0, 0))
    return _ranked(asked, held, likeness)


@one_thread
def by_words(queries: Sequence[str], documents: Sequence[str], judged: Judged) -> Belonging:
    """Return how queries rank their own documents by the words they share, weighted by rarity.

    No encoder has a part in it, so a broken one is told from judgements that do not belong.

    >>> texts = [f"word{n} {'same' * (n % 2)}" for n in range(9)]
    >>> own = Judged(np.arange(9), np.arange(9), np.ones(9))
    >>> by_words(texts, texts, own).mean_rank
    0.0
    """
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

    asked, held = _drawn(judged)
    there = np.unique(np.concatenate([np.zeros(0, np.int64), *held]))
    blank = Belonging(asked, np.full(len(asked), math.nan), np.zeros((len(asked), len(asked))))
    if not len(there):
        return blank
    reader = TfidfVectorizer(sublinear_tf=True, token_pattern=_WORD)
    try:
        words = reader.fit_transform([documents[each] for each in there.tolist()])
    except ValueError:  # not one word
        return blank
    place = np.repeat(np.arange(len(held)), [len(each) for each in held])
    column = np.searchsorted(there, np.concatenate(held))
    weight = np.concatenate([np.full(len(each), 1 / len(each)) for each in held])
    spread = sparse.csr_matrix((weight, (place, column)), shape=(len(held), len(there)))
    asks = reader.transform([queries[each] for each in asked.tolist()])
    return _ranked(asked, held, np.asarray((asks @ (spread @ words).T).toarray(), np.float64))


class Stretch(NamedTuple):
    """A run of queries in the order of the file whose judgements are not theirs.

    `first` and `last` are positions in the file; `shift` is how many rows below each the query stands
    whose judgements would fit (above, if it is negative), 0 where none of the next few do; `p` is the
    chance that so many fit, were they those of any other query.
    """

    first: int
    last: int
    shift: int
    p: float = 1.0


def stretch(found: Belonging) -> Stretch | None:
    """Return the run of queries in which most of the misplaced ones stand, or None.

    The run is the one of largest likelihood ratio of 1 in 2 against 1 in 20. It counts where four of
    five misplaced queries are inside, it is less than nine tenths of the file, and not one of 199
    shuffles of the file has a run as clear.

    >>> likeness = np.eye(40)
    >>> likeness[20:] = np.roll(np.eye(40), -1, axis=0)[20:] * 0.5
    >>> ranks = np.where(np.arange(40) < 20, 0.0, 0.9)
    >>> stretch(Belonging(np.arange(40), ranks, likeness))
    Stretch(first=20, last=39, shift=-1, p=...)
    """
    kept = np.flatnonzero(found.known)
    far = found.far[kept]
    if far.sum() < LEAST:
        return None
    gain = np.where(far, math.log(0.5 / 0.05), math.log(0.5 / 0.95))
    total, clear = _clearest(gain[None])
    stop = int(clear[0].argmax())
    start = int(total[0, : stop + 1].argmin())
    inside = far[start : stop + 1]
    if inside.sum() < 0.8 * far.sum() or len(inside) > 0.9 * len(far):
        return None
    dealt = stream().permuted(np.repeat(gain[None], SHUFFLES, axis=0), axis=1)
    if float(_clearest(dealt)[1].max()) >= float(clear.max()):
        return None
    rows = kept[start : stop + 1]
    shift, p = _shift(found, rows)
    return Stretch(int(found.queries[rows[0]]), int(found.queries[rows[-1]]), shift, p)


def _clearest(gain: Floats) -> tuple[Floats, Floats]:
    """Return the sums so far (r, 1 + n) of each row, and how clear the best run up to each place is."""
    total = np.concatenate([np.zeros((len(gain), 1)), np.cumsum(gain, axis=1)], axis=1)
    return total, total[:, 1:] - np.minimum.accumulate(total[:, :-1], axis=1)


def _shift(found: Belonging, rows: Counts) -> tuple[int, float]:
    """Return how many rows away the documents of another query fit these, and how sure that is."""
    from scipy.stats import binom

    count = found.likeness.shape[1]
    best, shift, p = 0.7, 0, 1.0
    for step in SHIFTS:
        there = rows[(rows + step >= 0) & (rows + step < count)]
        if len(there) < LEAST:
            continue
        theirs = found.likeness[there, there + step]
        better = (found.likeness[there] > theirs[:, None]).mean(axis=1)
        fits = better <= FAR / 2
        if fits.mean() > best:
            best, shift = float(fits.mean()), step
            tail = float(binom.sf(int(fits.sum()) - 1, len(there), FAR / 2))
            p = min(len(SHIFTS) * tail, 1.0)
    return shift, p


def by_chance(judged: Judged, found: npt.NDArray[np.integer], documents: int) -> dict[str, float]:
    """Return the mean of each metric with the judgements dealt to other queries, five times.

    >>> judged = Judged(np.arange(9), np.arange(9), np.ones(9))
    >>> by_chance(judged, np.arange(9)[:, None], 9)["hit@1"] < 0.5
    True
    """
    asked = np.unique(judged.query)
    random = stream()
    sums: dict[str, list[float]] = {}
    for _ in range(5):
        dealt = np.zeros(int(asked.max(initial=0)) + 1, np.int64)
        dealt[asked] = random.permutation(asked)
        other = Judged(dealt[judged.query], judged.document, judged.gain)
        for name, each in other.gains(found, documents).measures().items():
            sums.setdefault(name, []).append(float(each.mean()))
    return {name: float(np.mean(each)) for name, each in sums.items()}


def _drawn(judged: Judged) -> tuple[Counts, list[Counts]]:
    """Return some queries with judgements, in order, and the documents of each."""
    order = np.argsort(judged.query, kind="stable")
    asked, start = np.unique(judged.query[order], return_index=True)
    held = np.split(judged.document[order], start[1:]) if len(asked) else []
    step = np.unique(np.linspace(0, len(asked) - 1, min(len(asked), ASKED)).astype(np.int64))
    return asked[step], [np.unique(held[row])[:EACH] for row in step.tolist()]


def _ranked(asked: Counts, held: Sequence[Counts], likeness: Floats) -> Belonging:
    """Return each query's rank of its own documents; those who share a document are no others."""
    from scipy import sparse

    count = len(asked)
    if not count:
        return Belonging(asked, np.zeros(0), likeness)
    rows = np.repeat(np.arange(count), [len(each) for each in held])
    columns = np.unique(np.concatenate(held), return_inverse=True)[1]
    holds = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)))
    other = (holds @ holds.T).toarray() == 0
    centred = likeness - likeness.mean(axis=0)  # some documents are like every query
    own = centred.diagonal()[:, None]
    above = ((centred > own + 1e-9) & other).sum(axis=1)
    level = ((np.abs(centred - own) <= 1e-9) & other).sum(axis=1)
    others = other.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ranks = np.where(others >= LEAST - 1, (above + level / 2) / others, math.nan)
    if (level == others).all():  # texts that are all alike speak neither for a join nor against it
        ranks = np.full(count, math.nan)
    return Belonging(asked, ranks, centred)

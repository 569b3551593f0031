"""Which classes sit inside one another: whose rows are the nearest of whose, against chance.

Chance is what the same graph of neighbours would give if the labels were dealt out anew: its mean
and variance are known exactly, so that no permutation is drawn. Schilling (1986), Multivariate
two-sample tests based on nearest neighbors; the moments as in Cliff and Ord (1981), Spatial
processes, chapter 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.stats.counts import stream
from undertow.stats.neighbours import Matrix, nearest
from undertow.stats.score import limits, normal_tail

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEAR = 15
DEEPEST = 10
"""Example rows of a pair."""


@dataclass(frozen=True, eq=False)
class Mixing:
    """How much of one class's neighbourhood belongs to another: `other`'s share among `label`'s.

    `share` is the mean over the rows of `label` of the share of their nearest rows that are of
    `other`, `low` and `high` its 95% limits; `chance` is what it would be if place said nothing of
    the label, and `p` that of a share so far from it, two-sided, corrected for all pairs. `inside`
    are positions of the rows of `label` that lie deepest in `other`, the deepest first.
    """

    label: str
    other: str
    share: float
    low: float
    high: float
    chance: float
    p: float
    rows: int
    other_rows: int
    inside: Ints

    @property
    def lift(self) -> float:
        """How many times the share is what chance gives."""
        return self.share / self.chance if self.chance else math.nan


@dataclass(frozen=True, eq=False)
class Mixed:
    """One pair of classes before and after; `low` and `high` limit the difference of the shares.

    `p` is that of such a difference without a change, corrected for all pairs.
    """

    before: Mixing
    after: Mixing
    low: float
    high: float
    p: float

    @property
    def difference(self) -> float:
        """How much more of the neighbourhood belongs to the other class after."""
        return self.after.share - self.before.share


def mixing(
    vectors: Matrix, labels: Sequence[object], *, near: int = NEAR, own: bool = True
) -> tuple[Mixing, ...]:
    """Return every ordered pair of classes, those surest to mix beyond chance first.

    `vectors` (n, d) are of length 1, `labels` has the class of each row. With `own` False a row's
    neighbours are the nearest rows of other classes: where would the class lie if it had no place
    of its own? Chance is then another class's share of the rows that are not of this one. The
    limits take the rows as independent draws, each with its edges in both directions. Raises
    DataError where there are not as many labels as rows.

    >>> rows = np.array([[9, 0], [9, 1], [9, 2], [9, 3], [0, 9], [1, 9], [2, 9]], np.float32)
    >>> rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    >>> first = mixing(rows, ["joy", "joy", "joy", "irony", "sad", "sad", "sad"], near=2)[0]
    >>> first.label, first.other, first.share, first.chance, first.inside.tolist()
    ('irony', 'joy', 1.0, 0.5, [3])
    """
    names, code = _coded(vectors, labels)
    rows = np.bincount(code, minlength=len(names))
    everything = nearest(vectors, vectors, near, itself=False).which if own else None
    moments = _moments(everything, len(code)) if everything is not None else None
    pairs = max(len(names) * (len(names) - 1), 1)
    found = []
    for a in range(len(names)):
        mine = np.flatnonzero(code == a)
        if everything is not None:
            which = everything[mine].astype(np.int64)
        else:
            others = np.flatnonzero(code != a)
            which = others[nearest(vectors[mine], vectors[others], near).which]
        if not which.size:
            continue
        out, share, error = _shares(which, mine, code, len(names))
        among = len(code) - 1 if own else len(code) - len(mine)
        arrived = np.bincount(which.ravel(), minlength=len(code))[code != a]
        for b in range(len(names)):
            if a == b:
                continue
            if moments is not None:
                spread = _spread(moments, len(code), len(mine), int(rows[b]))
            else:
                spread = _drawn(arrived, int(rows[b]))
            chance = rows[b] / among
            away = abs(share[b] - chance) * which.size
            p = normal_tail(away / spread) if spread > 0 else 1.0
            low, high = _limits(float(share[b]), float(error[b]), len(mine))
            deep = np.argsort(-out[:, b], kind="stable")[:DEEPEST]
            found.append(
                Mixing(
                    names[a],
                    names[b],
                    float(share[b]),
                    low,
                    high,
                    float(chance),
                    min(1.0, p * pairs),
                    len(mine),
                    int(rows[b]),
                    mine[deep[out[deep, b] > 0]],
                )
            )
    return tuple(sorted(found, key=lambda pair: (-pair.low / pair.chance, pair.label, pair.other)))


def mixing_change(
    before: tuple[Matrix, Sequence[object]],
    after: tuple[Matrix, Sequence[object]],
    *,
    near: int = NEAR,
    own: bool = True,
) -> tuple[Mixed, ...]:
    """Return every ordered pair of classes in two samples, the strongest evidence of change first.

    Each side is vectors (n, d) of length 1 and a label for each. Both are cut to the same number of
    rows of each class, drawn with a fixed seed, so that neither a larger sample nor a commoner
    class reads as a move; classes of one side only are left out. Raises like `mixing`.

    >>> rows = np.eye(4, dtype=np.float32).repeat(5, axis=0)
    >>> apart, mixed = [0] * 10 + [1] * 10, [0, 1] * 10
    >>> first = mixing_change((rows, apart), (rows, mixed), near=4)[0]
    >>> first.before.share, round(first.after.share, 2), first.low > 0
    (0.0, 0.6, True)
    """
    for side in (before, after):
        _coded(*side)
    sides = [np.array([str(label) for label in side[1]], np.object_) for side in (before, after)]
    kept = _equal(sides[0], sides[1])
    found = [
        {
            (pair.label, pair.other): pair
            for pair in mixing(side[0][rows], names[rows].tolist(), near=near, own=own)
        }
        for side, names, rows in zip((before, after), sides, kept, strict=True)
    ]
    changes = []
    for key, old in found[0].items():
        now = found[1][key]
        first = replace(old, inside=kept[0][old.inside])
        second = replace(now, inside=kept[1][now.inside])
        moved = now.share - old.share
        below = math.hypot(now.share - now.low, old.high - old.share)
        above = math.hypot(now.high - now.share, old.share - old.low)
        arm = below if moved > 0 else above
        p = normal_tail(1.96 * moved / arm) if arm > 0 else 1.0
        changes.append(
            Mixed(first, second, moved - below, moved + above, min(1.0, p * len(found[0])))
        )
    return tuple(sorted(changes, key=lambda c: (c.p, -abs(c.difference), c.before.label)))


def _coded(vectors: Matrix, labels: Sequence[object]) -> tuple[list[str], Ints]:
    """Return the classes in order of their names, and the place of each row's class."""
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise DataError(f"{len(labels)} labels for vectors of shape {vectors.shape}: give one each")
    names, code = np.unique(
        np.array([str(label) for label in labels], np.object_), return_inverse=True
    )
    return [str(name) for name in names], code.astype(np.int64)


def _equal(first: npt.NDArray[np.object_], second: npt.NDArray[np.object_]) -> tuple[Ints, Ints]:
    """Return positions on both sides that hold as many rows of each class."""
    random = stream()
    kept: tuple[list[Ints], list[Ints]] = ([np.empty(0, np.int64)], [np.empty(0, np.int64)])
    for name in sorted(set(first) & set(second)):
        spots = [np.flatnonzero(side == name) for side in (first, second)]
        most = min(len(spots[0]), len(spots[1]))
        for chosen, rows in zip(kept, spots, strict=True):
            chosen.append(np.sort(random.permutation(rows)[:most]))
    return np.concatenate(kept[0]), np.concatenate(kept[1])


def _shares(which: Ints, mine: Ints, code: Ints, many: int) -> tuple[Floats, Floats, Floats]:
    """Return each row's shares of neighbours by class, their mean, and its standard error.

    The error is that of a sum of influences, a row's own and what it is to the rows that have it
    for a neighbour: without it, another row like the rest of their neighbours would stand there.
    """
    n, k = which.shape
    out = np.zeros((n, many))
    np.add.at(out, (np.repeat(np.arange(n), k), code[which].ravel()), 1 / k)
    share = out.mean(axis=0)
    influence = np.zeros((len(code), many))
    influence[mine] = out - share
    arrived = np.bincount(which.ravel(), minlength=len(code)) / k
    influence[np.arange(len(code)), code] += arrived
    from scipy.sparse import csr_matrix

    edges = csr_matrix(
        (np.full(n * k, 1 / k), which.ravel(), np.arange(0, n * k + 1, k)), (n, len(code))
    )
    influence -= edges.T @ out
    error = np.sqrt((influence * influence).sum(axis=0)) / n
    return out, share, error


def _limits(share: float, error: float, rows: int) -> tuple[float, float]:
    """Return 95% score limits of a share, for as many independent rows as its error tells of."""
    worth = share * (1 - share) / error**2 if error > 0 else float(rows)
    worth = max(worth, 1.0) if 0 < share < 1 else float(rows)
    low, high = limits(share * worth, worth)
    return float(low), float(high)


def _moments(which: npt.NDArray[np.int32], rows: int) -> tuple[int, int, int, int]:
    """Return edges, and ordered pairs of edges: from one row, to one row, without a row in common."""
    edges = which.size
    degree = which.shape[1]
    arrived = np.bincount(which.ravel(), minlength=rows).astype(np.int64)
    start = np.repeat(np.arange(rows, dtype=np.int64), degree)
    end = which.ravel().astype(np.int64)
    mutual = int(np.isin(start * rows + end, end * rows + start).sum())
    leaving = rows * degree * (degree - 1)
    arriving = int((arrived * (arrived - 1)).sum())
    chains = 2 * (int(arrived.sum()) * degree - mutual)
    apart = edges * edges - edges - mutual - leaving - arriving - chains
    return edges, leaving, arriving, apart


def _spread(moments: tuple[int, int, int, int], n: int, a: int, b: int) -> float:
    """Return the standard deviation of the edges from class a to b, were the labels dealt anew."""
    edges, leaving, arriving, apart = moments
    two = n * (n - 1)
    three = two * max(n - 2, 1)
    four = three * max(n - 3, 1)
    mean = edges * (a * b / two)
    square = mean + leaving * (a * b * (b - 1) / three) + arriving * (a * (a - 1) * b / three)
    square += apart * (a * (a - 1) * b * (b - 1) / four)
    return math.sqrt(max(square - mean * mean, 0.0))


def _drawn(arrived: Ints, b: int) -> float:
    """Return the same, were only the labels of the other classes dealt anew."""
    n = len(arrived)
    return math.sqrt(b * (1 - b / n) * float(arrived.var(ddof=1))) if n > 1 else 0.0

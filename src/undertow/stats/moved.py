"""The share of rows that moved or are novel, for vectors: the total variation of two clouds of rows.

Total variation is the share of rows that would have to move for one side to look like the other. No
finite sample resolves it fully in many dimensions, so it is sought in three places: rows whose place
is new, rows whose place was abandoned, and regions of the space that gained or lost share. The lower
limit is a gap between shares of rows beyond a cut that was fixed beforehand, or of pooled regions:
no such gap exceeds the total variation. The estimate and the upper limit suppose a mixture: the
current rows are the reference's and a share of others, whose scores are high. How high, and what
part of them looks familiar, is learned with the share; a tight new topic and a diffuse one differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Floats
from undertow.stats.exact import log_tail
from undertow.stats.neighbours import Matrix, Neighbours, nearest, unit
from undertow.stats.novel import NEAR, places
from undertow.stats.regions import clusters
from undertow.stats.rows import MOST
from undertow.stats.score import SEEN, arms, unseen
from undertow.stats.variation import BEST, total_variation

EFFECT = "moved_share"
REGIONS = 20
"""Pooled regions whose shares are compared: few, for each adds noise to their total variation."""
NEW_CUTS = (0.02, 0.05, 0.1)
"""Shares of all rows, the newest, among which the current rows are counted."""
GONE_CUTS = (0.05,)
NEW_LOOKS, OTHER_LOOKS = 2, 4
"""Half of the evidence is spent on new rows, a quarter each on abandoned places and regions."""

THOUSANDTHS = (1, 2, 5, 10, 20, 35, 50, 75, 100, 140, 200, 270, 350, 450, 600, 800)
EDGES = np.array(THOUSANDTHS) / 1000
"""Edges of the cells of conformal p: the share of the other side's rows with a higher score."""
HELD = 4
"""Rows that the first cell must hold of the side that gives the ranks."""
REACH = np.array([0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.45])
FALL = np.array([6.0, 12.0])
"""Shapes of the p of the rows that moved, Beta(reach, fall): from nearly all of them beyond nine
tenths of the known rows, to three quarters of them."""
DECIDE, DECIDED, GROWTH = 850.0, 0.02, 1.5
"""n * m / (n + m) rows decide 90% at that tolerance; how they grow below it (bench/moved.py)."""
SHARES = np.concatenate(
    (np.linspace(0, 0.1, 101), np.linspace(0.102, 0.3, 100), np.linspace(0.305, 1, 140))
)


@dataclass(frozen=True, eq=False)
class Moved:
    """How much of the current rows is elsewhere, and which rows look it.

    `new` is the estimated share of current rows in new places, `gone` that of reference rows in
    abandoned ones, `regrouped` the total variation over pooled regions; `effect` is what they say
    together. `scores` (m,) rank the current rows, the newest highest.
    """

    effect: Effect
    new: float
    gone: float
    regrouped: float
    scores: Floats


class _Share(NamedTuple):
    value: float
    high: float


class _Beyond(NamedTuple):
    p: float
    low: float


def moved(
    reference: Matrix,
    current: Matrix,
    *,
    tolerance: float = 0.02,
    neighbours: Neighbours | None = None,
    cells: NDArray[np.int64] | None = None,
) -> Moved:
    """Return the share of rows that moved or are novel, between rows (n, d) and rows (m, d).

    `neighbours`, where the caller has them, are the 32 nearest or more of every row among all rows,
    of length 1, reference first, none its own neighbour; `cells` the pooled region of every row,
    found without knowing its side. Rows are taken to be independent.

    The lower limit needs no assumption on what moved. The upper limit supposes that it has a place
    of its own: that about three quarters or more of the rows that are new (or gone) score beyond
    nine tenths of the known rows. A change that thins or thickens many known regions, each by less
    than its noise, shows in no statistic of so few rows, and may be larger. Zero rows on a side
    give an undefined effect. Raises DataError where the shapes differ, UsageError for a tolerance
    out of range.

    Shares of a mixture after Storey (2002), A direct approach to false discovery rates, and Patra
    and Sen (2016), Estimation of a two-component mixture model; ranks after Vovk, Gammerman and
    Shafer (2005), Algorithmic learning in a random world, section 2.2.

    >>> random = np.random.default_rng(0)
    >>> rows = random.normal(size=(1500, 8)).astype(np.float32)
    >>> rows[1400:] = 0.3 * rows[1400:] + 4 * np.eye(8, dtype=np.float32)[0]
    >>> found = moved(rows[:1000], rows[1000:])
    >>> bool(found.effect.low < 0.2 < found.effect.high), bool(abs(found.new - 0.2) < 0.03)
    (True, True)
    """
    check_tolerance(EFFECT, tolerance)
    rows, other_rows = len(reference), len(current)
    if reference.ndim != 2 or reference.shape[1:] != current.shape[1:]:
        raise DataError(f"vectors of shape {reference.shape} and {current.shape}: give (n, d)")
    for given in (neighbours.which if neighbours is not None else None, cells):
        if given is not None and len(given) != rows + other_rows:
            raise DataError(f"{len(given)} rows of pooled neighbours or cells: {rows + other_rows}")
    if not rows or not other_rows:
        nothing = Effect(EFFECT, math.nan, math.nan, math.nan, tolerance, 1.0)
        return Moved(nothing, math.nan, math.nan, math.nan, np.zeros(other_rows))
    both = unit(np.concatenate((reference, current)))
    neighbours = nearest(both, both, NEAR, itself=False) if neighbours is None else neighbours
    cells = clusters(both, REGIONS)[0] if cells is None else cells
    found = places(neighbours, both, rows)
    here = found.new[:rows], found.new[rows:]
    left = found.gone[rows:], found.gone[:rows]
    new, newer = _share(*here, found.new_echo), _beyond(*here, NEW_CUTS, found.new_echo)
    gone, older = _share(*left, found.gone_echo), _beyond(*left, GONE_CUTS, found.gone_echo)
    regions = _regions(cells, rows, tolerance)
    p = min(NEW_LOOKS * newer.p, OTHER_LOOKS * older.p, OTHER_LOOKS * regions.p_no_change, 1.0)
    low = max(newer.low, older.low, regions.low) if p <= SEEN else 0.0
    value = max(new.value, gone.value)
    high = max(new.high, gone.high, unseen(min(rows, other_rows)))
    if regions.p_no_change <= SEEN:
        high = max(high, regions.high)
        value = regions.value if regions.low > value else value
    effect = Effect(EFFECT, value, low, min(high, 1.0), tolerance, p)
    return Moved(effect, new.value, gone.value, regions.value, found.new[rows:])


def rows_needed(tolerance: float = 0.02, *, other_rows: int | None = None) -> int:
    """Return the rows a side that decide 90% of comparisons without a change.

    Without `other_rows` both sides are to have that many; with it the other side stays as it is and
    the answer is for this side alone, MOST where no number is enough. Raises UsageError for a
    tolerance out of range.

    >>> rows_needed(), rows_needed(other_rows=4096)
    (1700, 1073)
    """
    check_tolerance(EFFECT, tolerance)
    both = DECIDE * float((DECIDED / tolerance) ** GROWTH)
    if other_rows is None:
        return math.ceil(2 * both)
    return math.ceil(1 / (1 / both - 1 / other_rows)) if other_rows > both else MOST


def _regions(cells: NDArray[np.int64], rows: int, tolerance: float) -> Effect:
    """Return the total variation over the pooled regions."""
    size = int(cells.max()) + 1
    ours = np.bincount(cells[:rows], minlength=size)
    theirs = np.bincount(cells[rows:], minlength=size)
    return total_variation(ours, theirs, tolerance=tolerance)


def _share(known: Floats, others: Floats, echo: float) -> _Share:
    """Return what share of `others` does not score as `known` rows do: median and upper limit.

    The posterior of a mixture with flat priors. The likelihood is raised to a power below 1 for the
    noise of the known rows, which are a sample too, and for `echo`.
    """
    from scipy.special import betainc

    edges = np.concatenate(([0.0], EDGES[EDGES * (len(known) + 1) >= HELD], [1.0]))
    seen = _conformal(known, others, edges)
    shapes = np.stack(np.meshgrid(REACH, FALL), axis=-1).reshape(-1, 2)
    moved_p = np.diff(betainc(shapes[:, :1], shapes[:, 1:], edges), axis=1)
    share = SHARES[:, None, None]
    logs = np.log(np.maximum((1 - share) * np.diff(edges) + share * moved_p, 1e-300))
    weight = len(known) / (len(known) + len(others)) / echo
    likely = (logs @ seen) * weight
    posterior = np.exp(likely - likely.max()).sum(axis=1) * np.gradient(SHARES)
    below = np.cumsum(posterior) - posterior / 2
    value, high = np.interp([0.5, 0.975], below / posterior.sum(), SHARES)
    return _Share(float(value), float(high))


def _conformal(known: Floats, others: Floats, edges: Floats) -> Floats:
    """Return how many of `others` have a conformal p in each cell, ties and gaps spread evenly."""
    ranked = np.sort(known)
    above = len(known) - np.searchsorted(ranked, others, "right")
    reached = len(known) - np.searchsorted(ranked, others, "left") + 1
    start, end = above / (len(known) + 1), reached / (len(known) + 1)
    inside = np.clip((edges[:, None] - start) / (end - start), 0.0, 1.0)
    return np.asarray(np.diff(inside.sum(axis=1)), np.float64)


def _beyond(known: Floats, others: Floats, cuts: tuple[float, ...], echo: float) -> _Beyond:
    """Return the evidence that `others` have more of the highest scores, and by how much.

    The cuts are ranks among the rows of both sides together, which favours neither. That `known`
    rows have more says nothing: one that also stands on the other side has its twin only there.
    """
    scores = np.concatenate((known, others))
    ranked = np.sort(scores)[::-1]
    p, low = 1.0, 0.0
    for cut in cuts:
        least = ranked[int(cut * len(scores))]
        more, less = int((others > least).sum()), int((known > least).sum())
        p = min(p, len(cuts) * _tail(more, len(others), less, len(known), echo))
        one, other = more / len(others), less / len(known)
        down = arms(one, len(others) / echo, other, len(known) / echo, BEST)[0]
        low = max(low, one - other - float(down))
    return _Beyond(min(p, 1.0), low)


def _tail(more: int, rows: int, less: int, other_rows: int, echo: float) -> float:
    """Return p of Fisher's test on as many hits and rows as are left once echoes are taken out."""
    hits, rows = int(more / echo), int(rows / echo)
    other_hits, other_rows = math.ceil(less / echo), int(other_rows / echo)
    if hits * other_rows <= other_hits * rows:
        return 1.0
    return float(np.exp(log_tail(hits, hits + other_hits, rows, other_rows)))

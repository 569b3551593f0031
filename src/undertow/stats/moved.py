"""The share of rows that moved or are novel, for vectors: how much of the current data is elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Floats
from undertow.stats.exact import log_tail
from undertow.stats.neighbours import Matrix, Neighbours, nearest, unit
from undertow.stats.novel import NEAR, places
from undertow.stats.regions import clusters
from undertow.stats.score import SEEN, arms, unseen
from undertow.stats.variation import BEST, total_variation

EDGES = np.array(
    [.001, .002, .005, .01, .02, .035, .05, .075, .1, .14, .2, .27, .35, .45, .6, .8]
)
HELD = 4
SHAPES = np.array([.02, .04, .07, .1, .15, .2, .3, .45, .7])
FALL = 12
SHARES = np.concatenate((np.linspace(0, 0.1, 101), np.linspace(0.102, 0.3, 100), np.linspace(0.305, 1, 140)))
CUTS = (0.02, 0.05, 0.1, 0.2)
REGIONS = 12
LOOKS = 2 * len(CUTS) + 1


@dataclass(frozen=True, eq=False)
class Moved:
    effect: Effect
    new: float
    gone: float
    regrouped: float
    scores: Floats


def moved(reference, current, *, tolerance=0.02, neighbours=None, cells=None) -> Moved:
    check_tolerance("moved_share", tolerance)
    rows, other_rows = len(reference), len(current)
    if not rows or not other_rows:
        return Moved(Effect("moved_share", math.nan, math.nan, math.nan, tolerance, 1.0), math.nan, math.nan, math.nan, np.zeros(other_rows))
    if neighbours is None or cells is None:
        both = unit(np.concatenate((reference, current)))
        if neighbours is None:
            neighbours = nearest(both, both, NEAR, itself=False)
        if cells is None:
            cells = clusters(both, REGIONS)[0]
    found = places(neighbours, rows)
    twice = 1 + found.echo
    new = _share(found.new[:rows], found.new[rows:], twice)
    gone = _share(found.gone[rows:], found.gone[:rows], twice)
    size = int(cells.max()) + 1
    groups = total_variation(np.bincount(cells[:rows], minlength=size), np.bincount(cells[rows:], minlength=size), tolerance=tolerance)
    ups = [_cuts(found.new, rows, twice), _cuts(found.gone, rows, twice)]
    p = min(1.0, LOOKS * min(ups[0][0], ups[1][0], groups.p_no_change))
    value, high = max(new[0], gone[0]), max(new[1], gone[1], unseen(min(rows, other_rows)))
    low = 0.0
    if p <= SEEN:
        low = max(0.0, ups[0][1], ups[1][1], groups.low)
    if groups.p_no_change <= SEEN:
        high = max(high, groups.high)
    if groups.low > value:
        value = groups.value
    return Moved(Effect("moved_share", value, low, min(high, 1.0), tolerance, p), new[0], gone[0], groups.value, found.new[rows:])


def _share(base, other, twice):
    steps = EDGES[EDGES * len(base) >= HELD]
    edges = np.concatenate(([-1.0], steps, [2.0]))
    known = np.sort(base)
    def tails(s):
        return 1 - (np.searchsorted(known, s, "left") + np.searchsorted(known, s, "right")) / (2 * len(known))
    widths = np.diff(np.concatenate(([0.0], steps, [1.0])))
    p = (np.histogram(tails(base), edges)[0] + widths) / (len(base) + 1)
    seen = np.histogram(tails(other), edges)[0]
    from scipy.special import betainc
    reached = np.concatenate(([0.0], np.minimum(np.cumsum(p), 1.0)))
    reached[-1] = 1.0
    r = np.diff(betainc(SHAPES[:, None], FALL, reached[None]), axis=1)
    with np.errstate(divide="ignore"):
        logs = np.log((1 - SHARES)[:, None, None] * p + SHARES[:, None, None] * r)
    logs = np.maximum(logs, -700)
    weight = len(base) / (len(base) + len(other)) / twice
    like = (logs @ seen) * weight
    post = (np.exp(like - like.max()) * np.gradient(SHARES)[:, None]).sum(axis=1)
    post /= post.sum()
    reach = np.cumsum(post)
    return float(post @ SHARES), float(np.interp(0.975, reach, SHARES)), float(np.interp(0.5, reach, SHARES)), float(np.interp(0.025, reach, SHARES))


def _cuts(score, rows, twice):
    order = np.sort(score)[::-1]
    total = len(score)
    other_rows = total - rows
    p, low = 1.0, 0.0
    for cut in CUTS:
        t = order[min(int(cut * total), total - 1)]
        beyond = score > t
        both = int(beyond.sum())
        if not both:
            continue
        mine = int(beyond[:rows].sum())
        theirs = both - mine
        a, b = theirs / other_rows, mine / rows
        p = min(p, _tail(theirs, mine, other_rows, rows, twice))
        up, ur, lo, lr = (a, other_rows, b, rows) if a > b else (b, rows, a, other_rows)
        low = max(low, abs(a - b) - float(arms(up, ur / twice, lo, lr / twice, BEST)[0]))
    return p, low


def _tail(theirs, mine, other_rows, rows, twice):
    if theirs / other_rows < mine / rows:
        theirs, mine, other_rows, rows = mine, theirs, rows, other_rows
    hits = int(theirs / twice)
    rest = math.ceil(mine / twice)
    n, m = max(int(other_rows / twice), hits), max(int(rows / twice), rest)
    if hits / max(n, 1) <= rest / max(m, 1):
        return 1.0
    return math.exp(float(log_tail(hits, hits + rest, n, m)))

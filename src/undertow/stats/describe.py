"""The numbers people ask for beside a verdict, and the few that a chart draws."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from undertow.stats import divergence
from undertow.stats.counts import Counts, Floats

BARS = 36
COARSE = 0.01
"""Share of a side's rows above which a cell is drawn with the help of sampled values."""
QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True)
class Curve:
    """A distribution function read from rows per cell: straight inside a cell, a step at an atom.

    `knots` are the cells' edges with the lowest and highest value at the ends. Quantiles of `whole`
    numbers are whole.

    >>> curve = Curve.of(np.array([0.0, 1.0]), np.array([0, 10, 0]), 0.0, 1.0)
    >>> curve.quantile(0.5), curve.share_below(0.25)
    (0.5, 0.25)
    """

    knots: Floats
    heights: Floats
    whole: bool = False

    @classmethod
    def of(
        cls,
        edges: Floats,
        counts: Counts,
        low: float,
        high: float,
        *,
        values: Floats | None = None,
        weights: Counts | None = None,
        whole: bool = False,
    ) -> Curve:
        """Return the curve of counts (one more than edges) over values between low and high.

        The outermost cells, and cells that hold much of this side (its values lie where the
        reference had few), are drawn with the help of sampled `values` and their `weights`.
        """
        total = max(int(counts.sum()), 1)
        heights = np.concatenate([[0.0], counts.cumsum() / total])
        ends = np.asarray([low, *np.clip(edges, low, high), high], np.float64)
        ends = np.maximum.accumulate(ends)
        if values is None or weights is None or not len(values):
            return cls(ends, heights, whole)
        held = np.flatnonzero(counts)
        wide = ends[:-1] < _just_below(ends[1:])
        coarse = wide & (counts > COARSE * total)
        if len(held):
            coarse[held[[0, -1]]] |= wide[held[[0, -1]]]
        knots, rises, last = [], [], 0
        for cell in np.flatnonzero(coarse).tolist():
            left, right = ends[cell], ends[cell + 1]
            inside = ((values > left) | (values == low)) & (values <= right)
            steps, where = np.unique(values[inside], return_inverse=True)
            if not len(steps):
                continue
            share = np.bincount(where, weights=weights[inside]).cumsum()
            up = heights[cell] + (heights[cell + 1] - heights[cell]) * share / share[-1]
            before = np.concatenate([heights[cell : cell + 1], up[:-1]])
            knots += [ends[last : cell + 1], np.stack([_just_below(steps), steps], 1).ravel()]
            rises += [heights[last : cell + 1], np.stack([before, up], 1).ravel()]
            last = cell + 1
        drawn = np.concatenate([*knots, ends[last:]])
        return cls(drawn, np.concatenate([*rises, heights[last:]]), whole)

    def distance(self, other: Curve) -> float:
        """Return the area between two curves: the Wasserstein distance, in the unit of the values."""
        knots = np.union1d(self.knots, other.knots)
        mine = np.interp(knots, self.knots, self.heights, left=0.0, right=1.0)
        yours = np.interp(knots, other.knots, other.heights, left=0.0, right=1.0)
        gaps = np.abs(mine - yours)
        with np.errstate(over="ignore"):
            area = float(((gaps[1:] + gaps[:-1]) / 2 * np.diff(knots)).sum())
        return min(area, float(np.finfo(np.float64).max))

    def share_below(self, value: float) -> float:
        """Return the share of rows at or below a value."""
        spot = int(np.searchsorted(self.knots, value, side="right"))
        if spot == 0:
            return 0.0
        if spot == len(self.knots):
            return float(self.heights[-1])
        left, right = float(self.knots[spot - 1]), float(self.knots[spot])
        low, high = self.heights[spot - 1], self.heights[spot]
        width = right - left
        part = (value - left) / width if 0 < width < math.inf else 0.0
        return float(low + (high - low) * part)

    def quantile(self, share: float) -> float:
        """Return the value below which this share of the rows lies."""
        spot = int(np.searchsorted(self.heights, share, side="left"))
        spot = min(max(spot, 1), len(self.heights) - 1)
        low, high = self.heights[spot - 1], self.heights[spot]
        left, right = float(self.knots[spot - 1]), float(self.knots[spot])
        single = math.nextafter(left, math.inf) >= right
        if single or not math.isfinite(right - left) or high <= low:
            return float(right)
        value = float(left + (right - left) * (share - low) / (high - low))
        return min(float(math.ceil(value)), float(right)) if self.whole else value


def pair(reference: float, current: float) -> dict[str, float | None]:
    """Return a statistic of both sides for a finding's evidence; what is not finite is None."""
    return {"reference": finite(reference), "current": finite(current)}


def finite(value: float) -> float | None:
    """Return the value, or None where it is not a finite number."""
    return float(value) if math.isfinite(value) else None


def quantiles(reference: Curve, current: Curve) -> dict[str, Any]:
    """Return five quantiles of both sides."""
    return {
        name: pair(reference.quantile(share), current.quantile(share))
        for name, share in QUANTILES.items()
    }


def divergences(reference: Counts, current: Counts, *, ordered: bool = False) -> dict[str, float]:
    """Return PSI, JS, KL and chi-square of the cells; of ordered ones also KS."""
    out: dict[str, float] = {}
    held = (reference + current) > 0
    ours, theirs = reference[held], current[held]
    if ordered:
        out["ks"], out["ks_p"] = divergence.ks(ours, theirs)
        ours, theirs = divergence.coarse(ours, theirs)
    out["psi"] = divergence.psi(ours, theirs)
    out["js"] = divergence.js(ours, theirs)
    out["kl"] = divergence.kl(ours, theirs)
    out["chi_square"], degrees, out["chi_square_p"] = divergence.chi_square(ours, theirs)
    out["degrees_of_freedom"] = degrees
    return out


def histogram(reference: Curve, current: Curve, atoms: Floats) -> Mapping[str, Any] | None:
    """Return the shape of a step histogram: both sides' shares in at most 36 bars of equal width.

    Bars stand on the values themselves where a few atoms hold nearly every row. The bars span the
    middle 99% of both sides; what lies outside is told in `below` and `above`.
    """
    low = min(reference.quantile(0.005), current.quantile(0.005))
    high = max(reference.quantile(0.995), current.quantile(0.995))
    if not (math.isfinite(4 * float(low)) and math.isfinite(4 * float(high))):
        return None  # nothing there, or so far out that no width of a bar is a number
    inside = atoms[(atoms >= low) & (atoms <= high)]
    on_atoms = 0 < len(inside) <= BARS and all(
        sum(_at(curve, each) for each in inside) > 0.9 for curve in (reference, current)
    )
    if on_atoms:
        gap = float(np.diff(inside).min()) if len(inside) > 1 else max(abs(low), 1.0)
        steps = round((inside[-1] - inside[0]) / gap) + 1
        if steps <= 2 * BARS:
            edges = inside[0] + gap * (np.arange(steps + 1) - 0.5)
        else:
            middles = (inside[1:] + inside[:-1]) / 2
            edges = np.concatenate([[inside[0] - gap / 2], middles, [inside[-1] + gap / 2]])
    else:
        width = (high - low) or max(abs(low), 1.0)
        edges = np.linspace(low - 1e-9 * width, high + (0 if high > low else width), BARS + 1)
    sides = [[curve.share_below(edge) for edge in edges] for curve in (reference, current)]
    return {
        "form": "histogram",
        "edges": [float(edge) for edge in edges],
        "reference": [round(b - a, 6) for a, b in zip(sides[0], sides[0][1:], strict=False)],
        "current": [round(b - a, 6) for a, b in zip(sides[1], sides[1][1:], strict=False)],
        "median": [reference.quantile(0.5), current.quantile(0.5)],
        "below": [round(side[0], 6) for side in sides],
        "above": [round(1 - side[-1], 6) for side in sides],
    }


def _just_below(values: Floats) -> Floats:
    """Return the next smaller floats, none of them infinite."""
    with np.errstate(over="ignore"):
        return np.maximum(np.nextafter(values, -np.inf), -sys.float_info.max)


def _at(curve: Curve, value: float) -> float:
    return curve.share_below(value) - curve.share_below(math.nextafter(value, -math.inf))


def shares(
    names: Sequence[str],
    reference: Counts,
    current: Counts,
    *,
    rows: tuple[int, int],
    most: int = 12,
) -> Mapping[str, Any]:
    """Return the shape of diverging bars: the categories that moved most, each with an interval.

    The interval of a difference of two shares is Newcombe's (1998, method 10).
    """
    from undertow.stats.score import arms

    ours, theirs = max(rows[0], 1), max(rows[1], 1)
    p, q = reference / ours, current / theirs
    order = np.argsort(-np.abs(q - p), kind="stable")[:most]
    order = order[np.argsort(-(q - p)[order], kind="stable")]
    down, up = arms(q[order], theirs, p[order], ours)
    listed = [
        {
            "value": names[spot],
            "reference": round(float(p[spot]), 6),
            "current": round(float(q[spot]), 6),
            "low": round(float(q[spot] - p[spot] - below), 6),
            "high": round(float(q[spot] - p[spot] + above), 6),
            "note": "new" if not reference[spot] else "gone" if not current[spot] else "",
        }
        for spot, below, above in zip(order, down, up, strict=True)
    ]
    rest = np.ones(len(p), np.bool_)
    rest[order] = False
    others = {
        "count": int(rest.sum()),
        "reference": round(float(p[rest].sum()), 6),
        "current": round(float(q[rest].sum()), 6),
    }
    return {"form": "shares", "rows": listed, "others": others}

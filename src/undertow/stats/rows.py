"""How many rows a side would decide a comparison: `steady` in 90% of comparisons without a change.

Each kind's condition for `steady` (estimate within the tolerance and upper limit below twice it, or
upper limit within it) is solved for the number of rows, with the 90% point of the noise in place of
the noise. Checked against simulation by bench/verdicts.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from undertow.core.errors import UsageError
from undertow.core.verdict import check_tolerance
from undertow.stats.counts import Floats
from undertow.stats.folded import NULL, spread_limit
from undertow.stats.score import Z, unseen
from undertow.stats.variation import NOISY, RESOLVED

MOST = 1_000_000_000
"""The answer where no number of rows here is enough, because the other side is too small."""
NOISE_90 = 1.2238
"""90% point of Kolmogorov's distribution."""
POINT_90 = 1.2816
"""90% point of a standard normal."""
SD_NULL = math.sqrt(1 - NULL * NULL)
"""Standard deviation of the absolute value of a standard normal."""
NORMAL_90 = 1.6449
"""90% point of the absolute value of a standard normal."""


def needs_rows(
    kind: str,
    tolerance: float,
    *,
    other_rows: int | None = None,
    probabilities: npt.ArrayLike | None = None,
    share: float = 0.5,
    sd: float = 0.5,
    cells: int = 512,
) -> int:
    """Return the rows a side that decide 90% of comparisons without a change.

    `kind` is the effect's name. Without `other_rows` both sides are to have that many; with it the
    other side stays as it is and the answer is for this side alone, MOST where no number is enough.
    `probabilities` are the categories' shares (counts will do) for "total_variation", and make
    "cohens_h" the largest of them; `share` is the base rate of a single share; `sd` the standard
    deviation of one row's value for "difference" (a proportion has a half at most); `cells` the
    thin cells of a number. Raises UsageError for an unknown kind or a tolerance out of range.

    >>> needs_rows("cdf_gap", 0.10), needs_rows("difference", 0.02, sd=0.3)
    (253, 1462)
    """
    check_tolerance(kind, tolerance)
    weights = None
    if probabilities is not None:
        weights = np.asarray(probabilities, dtype=np.float64)
        weights = weights[weights > 0]
        weights = weights / weights.sum() if weights.size else None
    tests: dict[str, Callable[[float, float], bool]] = {
        "cdf_gap": lambda n, m: _gap(n, m, tolerance, cells),
        "total_variation": lambda n, m: _variation(n, m, tolerance, weights),
        "cohens_h": lambda n, m: _share(n, m, tolerance, share, weights),
        "difference": lambda n, m: _difference(n, m, tolerance, sd),
    }
    if kind not in tests:
        raise UsageError(f"rows for {kind!r}: known are {', '.join(sorted(tests))}")
    decides = tests[kind]
    fixed = None if other_rows is None else float(max(other_rows, 1))
    if not decides(float(MOST), float(MOST) if fixed is None else fixed):
        return MOST
    low, high = 0.0, math.log(MOST)
    for _ in range(40):
        middle = (low + high) / 2
        n = math.exp(middle)
        low, high = (low, middle) if decides(n, n if fixed is None else fixed) else (middle, high)
    return math.ceil(math.exp(high))


def _gap(n: float, m: float, tolerance: float, cells: int) -> bool:
    noise = math.sqrt(1 / n + 1 / m)
    thin = max(1 / cells, 1 / min(n, m))
    return (NOISE_90 + Z / 2) * noise + thin <= 2 * tolerance


def _variation(n: float, m: float, tolerance: float, weights: Floats | None) -> bool:
    p = np.array([0.5, 0.5]) if weights is None else weights
    small = p * min(n, m) < RESOLVED
    hidden = min(float(p[small].sum()), 1.0)
    p = np.append(p[~small], hidden) if hidden > 0 else p
    noise = 1 / n + 1 / m
    scale = float(np.sqrt(p * np.maximum(1 - p, 0.0)).sum()) * math.sqrt(noise) / 2
    sd = math.sqrt(max(1 - float((p * p).sum()), 0.0) * noise) / 2
    shown = NULL * scale + POINT_90 * SD_NULL * sd
    if p.size == 2:
        sd = math.sqrt(float(p[0] * p[1]) * noise)
        shown = NORMAL_90 * sd
    high = max(spread_limit(shown, scale, sd, Z), unseen(int(min(n, m)))) + hidden
    vague = hidden > NOISY * tolerance or (p.size > 2 and scale > NOISY * tolerance)
    return high <= (tolerance if vague else 2 * tolerance) and shown <= 2 * tolerance


def _share(n: float, m: float, tolerance: float, share: float, weights: Floats | None) -> bool:
    """Cohen's h has the same noise at every base rate, but for hits so few that none are seen."""
    noise = math.sqrt(1 / n + 1 / m)
    point = NORMAL_90
    if weights is not None and weights.size > 2:
        seen = float(np.minimum(weights * min(n, m) / 2, 1.0).sum())
        point = 1.05 * math.sqrt(2 * math.log(max(seen, 2.0) * 10 / math.sqrt(2 * math.pi)) - 1)
    elif weights is None and share * min(n, m) < 0.05:
        return float(2 * Z / math.sqrt(min(n, m))) <= 2 * tolerance
    return (point + Z) * noise <= 2 * tolerance and point * noise <= tolerance


def _difference(n: float, m: float, tolerance: float, sd: float) -> bool:
    noise = sd * math.sqrt(1 / n + 1 / m)
    return NORMAL_90 * noise <= tolerance and (NORMAL_90 + Z) * noise <= 2 * tolerance

"""Sums of absolute differences of noisy shares: what noise adds to them, and how to take it away.

The absolute value of a normal with mean r and variance 1 has a mean g(r) above r. A sum of many
such values is biased upward, by most where every r is small. `spread_limit` asks the worst case
(the change spread so thinly that noise hides it best), `unfold` the likeliest one.
"""

from __future__ import annotations

import math

import numpy as np

from undertow.stats.counts import Counts, Floats

REACH = 12.0
"""Standardised differences beyond this are taken at their face value."""
STEPS = 60


def _erf(x: Floats) -> Floats:
    return np.array([math.erf(each) for each in x.tolist()])


def _tables() -> tuple[Floats, Floats, Floats]:
    """Return r, the mean g(r) of abs(r + noise), and its standard deviation."""
    r = np.concatenate((np.linspace(0, 6, 1201), np.linspace(6.05, REACH, 120)))
    g = np.sqrt(2 / np.pi) * np.exp(-r * r / 2) + r * _erf(r / np.sqrt(2))
    return r, g, np.sqrt(np.maximum(1 + r * r - g * g, 0.0))


_R, _G, _SD = _tables()
NULL = float(_G[0])
"""Mean of the absolute value of a standard normal."""


def spread_limit(total: float, scale: float, sd: float, z: float) -> float:
    """Return the largest true sum that could show `total`, at `z` standard deviations.

    `scale` is half the sum of the cells' standard deviations, `sd` the sum's own were every sign
    known. The mean of the sum is convex in each cell's difference, so for a given true sum it is
    least where each cell moves by the same number r of its standard deviations; solve for that r.

    >>> round(spread_limit(0.08, 0.1, 0.0035, 1.96), 3)
    0.034
    """
    if scale <= 0:
        return total + z * sd
    shown = max(total, NULL * scale)
    lower = np.maximum.accumulate(scale * _G - z * sd * _SD)
    if shown >= lower[-1]:
        return shown + z * sd
    return float(np.interp(shown, lower, _R)) * scale


def _likelihoods() -> tuple[Floats, Floats, Floats]:
    """Return bins of abs(z), a grid of r, and the density of each bin under each r."""
    middle = np.arange(0.05, REACH, 0.1)
    grid = np.concatenate((np.arange(0, 4, 0.25), np.arange(4, REACH + 0.1, 0.5)))
    near = np.exp(-((middle[:, None] - grid) ** 2) / 2)
    far = np.exp(-((middle[:, None] + grid) ** 2) / 2)
    return middle, grid, near + far


_MIDDLE, _GRID, _DENSITY = _likelihoods()


def unfold(size: Floats, noise: Floats, times: Counts) -> float:
    """Return the likeliest true sum of absolute differences that each have noise added.

    `size` is seen, `noise` its standard deviation, `times` how many cells have each pair. The
    distribution of the true standardised differences is fitted by maximum likelihood (Kiefer and
    Wolfowitz 1956; a fixed number of EM steps), weighted by `noise`.

    >>> quiet = np.abs(np.random.default_rng(0).normal(size=400))
    >>> unfold(quiet, np.ones(400), np.ones(400, dtype=np.int64)) < 0.4 * float(quiet.sum())
    True
    """
    z = size / noise
    plain = z >= REACH
    total = float((size * times)[plain].sum())
    z, scale = z[~plain], (noise * times)[~plain]
    if not z.size:
        return total
    weight = np.bincount((z * 10).astype(np.int64), weights=scale, minlength=_MIDDLE.size)
    held = np.flatnonzero(weight)
    density, weight = _DENSITY[held], weight[held]
    prior = np.full(_GRID.size, 1 / _GRID.size)
    for _ in range(STEPS):
        joint = density * prior
        prior = (weight / joint.sum(axis=1)) @ joint
        prior /= prior.sum()
    return min(total + float(weight.sum() * (prior @ _GRID)), float((size * times).sum()))

"""The tables that every tool of `bench/peers.py` reads: 20 columns, Parquet, fixed seeds.

A set is a dictionary from a column's name to its drawing: a function of a generator, the rows and
the side (0 reference, 1 current). In the set `alarms` nothing changes. In the others a column's
name says what was planted, and every size is exact: the largest gap between the two distribution
functions of a number, the total variation of a category.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import optimize, special, stats

Rng = np.random.Generator
Draw = Callable[[Rng, int, int], Any]


def even(k: int) -> np.ndarray:
    return np.full(k, 1 / k)


def zipf(k: int) -> np.ndarray:
    weights = 1 / np.arange(1, k + 1)
    return weights / weights.sum()


def one_up(p: np.ndarray, moved: float) -> np.ndarray:
    """The last category gains `moved`, all others give in proportion."""
    q = p * (1 - moved / (1 - p[-1]))
    q[-1] = p[-1] + moved
    return q


def spread(p: np.ndarray, moved: float) -> np.ndarray:
    """Every other category gains, the rest lose: the total variation is `moved`."""
    up = np.arange(p.size) % 2 == 0
    share = p[up].sum()
    return np.where(up, p * (1 + moved / share), p * (1 - moved / (1 - share)))


def normal(r: Rng, n: int, side: int, *, gap: float = 0.0) -> np.ndarray:
    return 1000 + r.normal(2 * special.ndtri(0.5 + gap / 2) * side, 1, n)


def lognormal(r: Rng, n: int, side: int, *, gap: float = 0.0) -> np.ndarray:
    return np.exp(normal(r, n, side, gap=gap) - 1000)


def cauchy(r: Rng, n: int, side: int, *, gap: float = 0.0) -> np.ndarray:
    return r.standard_cauchy(n) + 2 * np.tan(np.pi * gap / 2) * side


def wider(r: Rng, n: int, side: int, *, gap: float) -> np.ndarray:
    """A normal whose standard deviation grows, its mean stays."""

    def short_of(s: float) -> float:
        at = np.sqrt(2 * np.log(s) / (1 - s**-2))
        return float(special.ndtr(at) - special.ndtr(at / s) - gap)

    return 1000 + r.normal(0, optimize.brentq(short_of, 1.0001, 100) if side else 1, n)


def integer(r: Rng, n: int, side: int, *, gap: float = 0.0) -> np.ndarray:
    """Counts with a mean of 4, and of more."""
    at = np.arange(40)

    def short_of(mean: float) -> float:
        return float(np.abs(stats.poisson.cdf(at, 4) - stats.poisson.cdf(at, mean)).max() - gap)

    return r.poisson(optimize.brentq(short_of, 4, 12) if side and gap else 4, n)


def zeros(r: Rng, n: int, side: int, *, gap: float = 0.0) -> np.ndarray:
    """Zero in 40% of the rows, and in more."""
    return np.where(r.random(n) < 0.4 + gap * side, 0.0, r.exponential(size=n))


def small(r: Rng, n: int, side: int) -> np.ndarray:  # noqa: ARG001
    """Whole numbers from 0 to 99."""
    return r.integers(0, 100, n)


def gaps(r: Rng, n: int, side: int, *, missing: tuple[float, float]) -> pa.Array:
    return pa.array(r.normal(size=n), mask=r.random(n) < missing[side])


def category(r: Rng, n: int, side: int, *, p: np.ndarray, q: np.ndarray | None = None) -> Any:
    weights = p if q is None or not side else q
    return np.char.add("v", r.choice(p.size, n, p=weights).astype(str))


def moved_category(
    how: Callable[[np.ndarray, float], np.ndarray], p: np.ndarray, moved: float
) -> Draw:
    return partial(category, p=p, q=how(p, moved))


ALARMS: dict[str, Draw] = {
    "normal": normal,
    "normal again": normal,
    "lognormal": lognormal,
    "Cauchy": cauchy,
    "counts": integer,
    "counts again": integer,
    "0 to 99": small,
    "40% zeros": zeros,
    **{f"even {k}": partial(category, p=even(k)) for k in (2, 5, 10, 50, 200, 2000)},
    **{f"Zipf {k}": partial(category, p=zipf(k)) for k in (2, 5, 10, 50, 200, 2000)},
}

TWICE: dict[str, Draw] = {
    "normal, mean": partial(normal, gap=0.2),
    "normal, spread": partial(wider, gap=0.2),
    "lognormal": partial(lognormal, gap=0.2),
    "Cauchy": partial(cauchy, gap=0.2),
    "counts": partial(integer, gap=0.2),
    "40 → 60% zeros": partial(zeros, gap=0.2),
    "one of 2 categories +20 pp": moved_category(one_up, even(2), 0.2),
    "one of 5 categories +20 pp": moved_category(one_up, even(5), 0.2),
    "one of 50 (Zipf) +20 pp": moved_category(one_up, zipf(50), 0.2),
    "one of 200 +20 pp": moved_category(one_up, even(200), 0.2),
    "one of 2,000 (Zipf) +20 pp": moved_category(one_up, zipf(2000), 0.2),
    "20 pp spread over 5": moved_category(spread, even(5), 0.2),
    "20 pp spread over 50": moved_category(spread, even(50), 0.2),
    "20 pp spread over 200": moved_category(spread, even(200), 0.2),
    "a category 1 → 5%": partial(
        category, p=np.array([0.59, 0.4, 0.01]), q=np.array([0.56, 0.39, 0.05])
    ),
    "missing 1 → 5%": partial(gaps, missing=(0.01, 0.05)),
    "normal, gap 0.10": partial(normal, gap=0.1),
    "counts, no change": integer,
    "normal, no change": normal,
    "10 categories, no change": partial(category, p=zipf(10)),
}


def _near(size: float) -> dict[str, Draw]:
    return {
        f"normal, gap {size:g}": partial(normal, gap=size),
        f"lognormal, gap {size:g}": partial(lognormal, gap=size),
        f"Cauchy, gap {size:g}": partial(cauchy, gap=size),
        f"counts, gap {size:g}": partial(integer, gap=size),
        f"zeros, gap {size:g}": partial(zeros, gap=size),
        f"one of 5, {size:g}": moved_category(one_up, even(5), size),
        f"one of 50 (Zipf), {size:g}": moved_category(one_up, zipf(50), size),
        f"spread over 50, {size:g}": moved_category(spread, even(50), size),
    }


NEAR: dict[str, Draw] = {
    **_near(0.12),
    **_near(0.09),
    "normal, gap 0.02": partial(normal, gap=0.02),
    "one of 5, 0.02": moved_category(one_up, even(5), 0.02),
    "normal, no change": normal,
    "10 categories, no change": partial(category, p=zipf(10)),
}

SETS = {"alarms": ALARMS, "twice": TWICE, "near": NEAR}


def write_pair(folder: Path, name: str, rows: int, pair: int) -> tuple[Path, Path]:
    """Write both sides of one pair of a set, unless they are there."""
    paths = tuple(
        folder / f"{name}-{rows}" / f"{pair:02d}-{side}.parquet" for side in ("ref", "cur")
    )
    for side, path in enumerate(paths):
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng([20261120, list(SETS).index(name), rows, pair, side])
        columns = {column: draw(random, rows, side) for column, draw in SETS[name].items()}
        part = path.with_suffix(".part")
        pq.write_table(pa.table(columns), part)
        part.rename(path)
    return paths[0], paths[1]

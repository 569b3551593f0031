"""How often a verdict is wrong, how often it sees a real change, and whether its intervals are true.

    .venv/bin/python bench/verdicts.py --quick                  a minute
    .venv/bin/python bench/verdicts.py                          the published figures
    .venv/bin/python bench/verdicts.py --only power --seed 7    one table, other random numbers

Sides are simulated, so every true effect is known. Numbers go the engine's way: edges are quantiles of
at most 4,096 reference rows, and each value that holds 1/512 of the reference is a cell of its own.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
from scipy import special

from undertow.core.verdict import Effect, decide
from undertow.stats.difference import difference, proportion_difference
from undertow.stats.gap import cdf_gap
from undertow.stats.rows import needs_rows
from undertow.stats.share import angle, largest_share_change, share_change
from undertow.stats.variation import total_variation

SIZES = [(30, 30), (100, 100), (300, 300), (1000, 1000), (10_000, 10_000), (100_000, 100_000)]
UNEVEN = [(100, 2000), (300, 30_000)]
POISSON = np.cumsum(np.exp(-3 + np.arange(40) * math.log(3) - special.gammaln(np.arange(40) + 1)))
NUMBERS = {
    "normal": special.ndtri,
    "lognormal": lambda u: np.exp(special.ndtri(u)),
    "Cauchy": lambda u: np.tan(np.pi * (u - 0.5)),
    "integer": lambda u: np.searchsorted(POISSON, u).astype(float),
    "30% zeros": lambda u: np.where(
        u < 0.3, 0.0, -np.log1p(-np.clip((u - 0.3) / 0.7, 0, 1 - 1e-12))
    ),
}
KINDS = [2, 5, 10, 50, 200, 2000]
Pair = tuple[np.ndarray, np.ndarray]


def even(k: int) -> np.ndarray:
    return np.full(k, 1 / k)


def zipf(k: int) -> np.ndarray:
    weights = 1 / np.arange(1, k + 1)
    return weights / weights.sum()


SHAPES = {"even": even, "Zipf": zipf}


def one_up(p: np.ndarray, moved: float) -> np.ndarray:
    """The last category gains `moved`, all others give in proportion."""
    q = p * (1 - moved / (1 - p[-1]))
    q[-1] = p[-1] + moved
    return q


def spread(p: np.ndarray, moved: float) -> np.ndarray:
    """Every other category gains, the rest lose, in proportion: total variation is `moved`."""
    up = np.arange(p.size) % 2 == 0
    share = p[up].sum()
    return np.where(up, p * (1 + moved / share), p * (1 - moved / (1 - share)))


def draw(rng: np.random.Generator, name: str, rows: int, moved: float) -> np.ndarray:
    """Rows of a number whose distribution function lies above the reference's by up to `moved`."""
    u = rng.random(rows)
    if moved:
        levels = (
            POISSON if name == "integer" else np.linspace(0.3 if "zero" in name else 0, 1, 2001)
        )
        c = moved / (levels * (1 - levels)).max()
        u = ((1 + c) - np.sqrt((1 + c) ** 2 - 4 * c * u)) / (2 * c)
    return NUMBERS[name](u)


def cells(rng: np.random.Generator, reference: np.ndarray, current: np.ndarray) -> tuple:
    """Both sides' rows per cell, and which cells are one value, as the engine counts them."""
    rows = reference.size
    sample = reference if rows <= 4096 else reference[rng.choice(rows, 4096, replace=False)]
    values, times = np.unique(reference, return_counts=True)
    atoms = values[times >= max(2, rows / 512)]
    edges = np.quantile(sample, np.linspace(0, 1, 513)[1:-1], method="inverted_cdf")
    edges = np.unique(np.concatenate([edges, atoms, np.nextafter(atoms, -np.inf)]))
    single = np.zeros(edges.size + 1, dtype=bool)
    single[np.searchsorted(edges, atoms)] = True
    count = lambda x: np.bincount(np.searchsorted(edges, x), minlength=edges.size + 1)  # noqa: E731
    return count(reference), count(current), single


def number(
    rng: np.random.Generator, name: str, n: int, m: int, moved: float, **kw: float
) -> Effect:
    a, b, single = cells(rng, draw(rng, name, n, 0), draw(rng, name, m, moved))
    return cdf_gap(a, b, atoms=single, **kw)


def categories(rng: np.random.Generator, p: np.ndarray, q: np.ndarray, n: int, m: int) -> Pair:
    return rng.multinomial(n, p), rng.multinomial(m, q)


def one_share(rng: np.random.Generator, p: float, q: float, n: int, m: int, **kw: float) -> Effect:
    return share_change(int(rng.binomial(n, p)), n, int(rng.binomial(m, q)), m, **kw)


def table(title: str, heads: Iterable[str], lines: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table line by line, as its rows come in."""
    heads = list(heads)
    print(f"\n### {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for line in lines:
        print("| " + " | ".join(str(each) for each in line) + " |", flush=True)


def percent(hits: int, of: int) -> str:
    return f"{100 * hits / of:.2f}%" if hits else f"0 of {of:,}"


def tally(effects: Iterable[Effect], comparisons: int) -> Counter[str]:
    return Counter(str(decide(each, comparisons)) for each in effects)


def repeats(budget: int, n: int, m: int) -> int:
    """Fewer repetitions where one costs more."""
    return max(int(budget * min(1.0, 30_000 / (n + m))), 40)


def false_alarms(rng: np.random.Generator, budget: int) -> None:
    """One column, compared alone: `changed` in at most 0.2%."""

    def column(effects: Callable[[int, int], list[Effect]], name: str) -> Iterator[list[str]]:
        line = [name]
        for n, m in SIZES + UNEVEN:
            r = repeats(budget, n, m)
            found: Counter[str] = Counter()
            for _ in range(r):
                words = {str(decide(each, 3)) for each in effects(n, m)}
                found.update(words & {"changed", "watch"})
            line.append(f"{percent(found['changed'], r)} / {percent(found['watch'], r)}")
        yield line

    def lines() -> Iterator[list[str]]:
        for name in NUMBERS:
            yield from column(
                lambda n, m, name=name: [
                    number(rng, name, n, m, 0),
                    one_share(rng, 0.02, 0.02, n, m),
                ],
                name,
            )
        for k in KINDS:
            for shape, make in SHAPES.items():
                p = make(k)

                def both(n: int, m: int, p: np.ndarray = p) -> list[Effect]:
                    pair = categories(rng, p, p, n, m)
                    return [total_variation(*pair), largest_share_change(*pair)[1]]

                yield from column(both, f"{k} categories, {shape}")
        for p in (0.5, 0.1, 0.02, 0.002):
            yield from column(lambda n, m, p=p: [one_share(rng, p, p, n, m)], f"one share of {p:g}")

    table(
        "False alarms of one column, no drift: `changed` / `watch` (m = 3)",
        ["column", *(f"{n:,} v {m:,}" for n, m in SIZES + UNEVEN)],
        lines(),
    )


def quiet_column(rng: np.random.Generator, index: int, n: int, m: int) -> list[Effect]:
    """Column `index` of a mixed report: 25 numbers, 25 sets of categories, each with missing values."""
    missing = one_share(rng, 0.03, 0.03, n, m)
    if index % 2:
        name = list(NUMBERS)[index // 2 % len(NUMBERS)]
        return [number(rng, name, n, m, 0), missing]
    p = list(SHAPES.values())[index // 2 % 2](KINDS[index // 4 % len(KINDS)])
    pair = categories(rng, p, p, n, m)
    return [total_variation(*pair), largest_share_change(*pair)[1], missing]


def reports(rng: np.random.Generator, budget: int) -> None:
    """A mixed report of 50 columns: any `changed` in at most 1%, any `watch` in at most 5%."""

    def lines() -> Iterator[list[object]]:
        for n, m in SIZES + UNEVEN:
            r = max(repeats(budget // 8, n, m), 20)
            words = [
                tally((e for i in range(50) for e in quiet_column(rng, i, n, m)), 150)
                for _ in range(r)
            ]
            changed, watch = (sum(1 for w in words if w[v]) for v in ("changed", "watch"))
            steady = sum(w["steady"] for w in words) / sum(sum(w.values()) for w in words)
            yield [
                f"{n:,} v {m:,}",
                r,
                percent(changed, r),
                percent(watch, r),
                f"{100 * steady:.0f}%",
            ]

    heads = ["rows", "reports", "any changed", "any watch", "effects steady"]
    table("A report of 50 columns, no drift (m = 150)", heads, lines())


def power(rng: np.random.Generator, budget: int) -> None:
    """Real changes: who sees them, alone (m = 3) and as 1 of 50 columns (m = 150)."""

    def line(name: str, n: int, m: int, make: Callable[[], Effect]) -> list[object]:
        r = repeats(budget // 2, n, m)
        effects = [make() for _ in range(r)]
        alone, many = tally(effects, 3), tally(effects, 150)
        words = ("changed", "watch", "steady", "unknown")
        split = " / ".join(f"{100 * many[w] / r:.1f}" for w in words)
        return [name, f"{n:,} v {m:,}", f"{100 * alone['changed'] / r:.1f}%", split]

    def moved(p: np.ndarray, q: np.ndarray, n: int, m: int) -> Effect:
        return total_variation(*categories(rng, p, q, n, m))

    def lines() -> Iterator[list[object]]:
        for n, m, size in ((1000, 1000, 0.2), (300, 30_000, 0.2), (100_000, 100_000, 0.12)):
            for name in NUMBERS:
                yield line(f"{name}, gap {size:g}", n, m, partial(number, rng, name, n, m, size))
            for k in KINDS:
                for shape, make in SHAPES.items():
                    p = make(k)
                    for how, move in (("in one", one_up), ("spread", spread)):
                        said = f"{k} {shape}, {size:g} {how}"
                        yield line(said, n, m, partial(moved, p, move(p, size), n, m))
        for name in NUMBERS:
            yield line(
                f"{name}, gap 0.09",
                100_000,
                100_000,
                partial(number, rng, name, 10**5, 10**5, 0.09),
            )
        for k in (2, 10, 50, 2000):
            for how, move in (("in one", one_up), ("spread", spread)):
                p = even(k)
                n = 100_000
                yield line(f"{k} even, 0.09 {how}", n, n, partial(moved, p, move(p, 0.09), n, n))
        for p, q in ((0.01, 0.05), (0.5, 0.6), (0.1, 0.2), (0.0, 0.05)):
            yield line(
                f"share {p:g} -> {q:g}", 1000, 1000, partial(one_share, rng, p, q, 1000, 1000)
            )
        q = np.append(np.array([0.5, 0.44]) * 1, 0.06)
        yield line(
            "largest of 3, 1% -> 6%",
            1000,
            1000,
            lambda: largest_share_change(
                *categories(rng, np.array([0.5, 0.49, 0.01]), q, 1000, 1000)
            )[1],
        )

    heads = ["change", "rows", "changed alone", "changed / watch / steady / unknown in 50, %"]
    table("Power", heads, lines())


def thin(rng: np.random.Generator, budget: int) -> None:
    """A change of 1.2 and 1.5 tolerances, spread over many categories, is never `steady`."""

    def lines() -> Iterator[list[object]]:
        for k in (5, 10, 50, 200, 2000):
            for shape, make in SHAPES.items():
                line: list[object] = [f"{k} {shape}"]
                for size in (0.12, 0.15):
                    for n in (100, 300, 1000, 3000, 10_000, 100_000):
                        p = make(k)
                        r = repeats(budget // 4, n, n)
                        steady = sum(
                            str(
                                decide(
                                    total_variation(*categories(rng, p, spread(p, size), n, n)), 3
                                )
                            )
                            == "steady"
                            for _ in range(r)
                        )
                        line.append(percent(steady, r))
                yield line

    heads = [
        "categories",
        *(f"{s} at {n:,}" for s in (0.12, 0.15) for n in (100, 300, 1000, 3000, 10_000, 100_000)),
    ]
    table("`steady` though the change is 1.2 or 1.5 tolerances, spread over all", heads, lines())


def honesty(rng: np.random.Generator, budget: int) -> None:
    """95% intervals hold the true effect: at least 94%, and at most 99% where it is not zero."""

    def line(name: str, n: int, m: int, true: float, make: Callable[[], Effect]) -> list[object]:
        r = repeats(budget, n, m)
        e = [make() for _ in range(r)]
        above = sum(x.low > true + 1e-12 for x in e) / r
        below = sum(x.high < true - 1e-12 for x in e) / r
        width = float(np.median([x.high - x.low for x in e]))
        centre = float(np.mean([x.value for x in e]))
        covered = f"{100 * (1 - above - below):.1f}%"
        return [
            name,
            f"{n:,} v {m:,}",
            f"{true:.3f}",
            covered,
            f"{100 * above:.1f} / {100 * below:.1f}",
            f"{centre:.3f}",
            f"{width:.3f}",
        ]

    def moved(p: np.ndarray, q: np.ndarray, n: int, m: int) -> Effect:
        return total_variation(*categories(rng, p, q, n, m))

    def lines() -> Iterator[list[object]]:
        for n, m in [*SIZES[1:2], *SIZES[3:], *UNEVEN]:
            for name in NUMBERS:
                for size in (0, 0.05, 0.1, 0.2):
                    yield line(name, n, m, size, partial(number, rng, name, n, m, size))
            for k in KINDS:
                for shape, make in SHAPES.items():
                    p = make(k)
                    yield line(f"{k} {shape}, none", n, m, 0.0, partial(moved, p, p, n, m))
                    for how, move in (("in one", one_up), ("spread", spread)):
                        for size in (0.05, 0.1, 0.2):
                            yield line(
                                f"{k} {shape}, {how}",
                                n,
                                m,
                                size,
                                partial(moved, p, move(p, size), n, m),
                            )
            for p, q in (
                (0.5, 0.5),
                (0.5, 0.6),
                (0.1, 0.1),
                (0.1, 0.17),
                (0.01, 0.01),
                (0.01, 0.05),
                (0.001, 0.001),
                (0.02, 0.0),
                (0.0, 0.0),
            ):
                true = float(abs(angle(p) - angle(q)))
                yield line(f"share {p:g} v {q:g}", n, m, true, partial(one_share, rng, p, q, n, m))
            for k in (2, 10, 50, 2000):
                for shape, make in SHAPES.items():
                    p = make(k)
                    for size in (0.0, 0.03, 0.1):
                        q = one_up(p, size) if size else p
                        true = float(np.abs(angle(p) - angle(q)).max())
                        yield line(
                            f"largest of {k} {shape}",
                            n,
                            m,
                            true,
                            lambda p=p, q=q: largest_share_change(*categories(rng, p, q, n, m))[1],
                        )
            for p, q in ((0.9, 0.9), (0.9, 0.88), (0.99, 0.97), (0.6, 0.5)):
                yield line(
                    f"accuracy {p:g} v {q:g}",
                    n,
                    m,
                    abs(p - q),
                    lambda p=p, q=q: proportion_difference(
                        int(rng.binomial(n, p)), n, int(rng.binomial(m, q)), m
                    ),
                )
            for q in (0.0, 0.02, 0.1):
                yield line(f"metric moved {q:g} s.d.", n, m, q, partial(metric, rng, n, m, q))

    heads = [
        "what",
        "rows",
        "true",
        "covered",
        "low above / high below, %",
        "mean estimate",
        "median width",
    ]
    table("95% intervals", heads, lines())


def metric(
    rng: np.random.Generator, n: int, m: int, moved: float, tolerance: float = 0.02
) -> Effect:
    """A mean of rows with standard deviation 1, and its standard error from the rows."""
    spread_n = math.sqrt(rng.chisquare(n - 1) / (n - 1))
    spread_m = math.sqrt(rng.chisquare(m - 1) / (m - 1))
    a, b = rng.normal(0, n**-0.5), rng.normal(moved, m**-0.5)
    return difference(a, spread_n / n**0.5, b, spread_m / m**0.5, tolerance=tolerance)


def enough(rng: np.random.Generator, budget: int) -> None:
    """`needs_rows` against the rows at which 90% of comparisons without a change are decided."""
    r = max(budget // 10, 100)

    def decided(make: Callable[[int, int], Effect], n: int, m: int) -> float:
        return sum(str(decide(make(n, m), 3)) == "steady" for _ in range(r)) / r

    def line(
        name: str, said: int, other: int | None, make: Callable[[int, int], Effect]
    ) -> list[object]:
        line: list[object] = [name, other or "same", f"{said:,}"]
        if said > 400_000:
            return [*line, "", "", "", "the other side is too small"]
        shares = []
        for factor in (0.5, 1, 2):
            n = max(int(said * factor), 2)
            shares.append(decided(make, n, other or n))
        line.extend(f"{100 * share:.0f}%" for share in shares)
        return [*line, "yes" if shares[0] < 0.9 <= shares[2] else "no"]

    def lines() -> Iterator[list[object]]:
        for other in (None, 300, 1000, 30_000):
            for t in (0.05, 0.1, 0.2):
                for name in ("normal", "integer"):
                    said = needs_rows("cdf_gap", t, other_rows=other)
                    yield line(
                        f"gap {name}, tolerance {t:g}",
                        said,
                        other,
                        lambda n, m, t=t, name=name: number(rng, name, n, m, 0, tolerance=t),
                    )
                yield line(
                    f"accuracy 0.9, tolerance {t:g}",
                    needs_rows("difference", t, other_rows=other, sd=0.3),
                    other,
                    lambda n, m, t=t: proportion_difference(
                        int(rng.binomial(n, 0.9)), n, int(rng.binomial(m, 0.9)), m, tolerance=t
                    ),
                )
            for k in KINDS:
                for shape, make in SHAPES.items():
                    p = make(k)
                    said = needs_rows("total_variation", 0.1, other_rows=other, probabilities=p)
                    yield line(
                        f"variation {k} {shape}",
                        said,
                        other,
                        lambda n, m, p=p: total_variation(*categories(rng, p, p, n, m)),
                    )
                    said = needs_rows("cohens_h", 0.2, other_rows=other, probabilities=p)
                    yield line(
                        f"largest of {k} {shape}",
                        said,
                        other,
                        lambda n, m, p=p: largest_share_change(*categories(rng, p, p, n, m))[1],
                    )
            for p in (0.5, 0.1, 0.01, 0.001, 0.0):
                for t in (0.1, 0.2):
                    said = needs_rows("cohens_h", t, other_rows=other, share=p)
                    yield line(
                        f"share {p:g}, tolerance {t:g}",
                        said,
                        other,
                        lambda n, m, p=p, t=t: one_share(rng, p, p, n, m, tolerance=t),
                    )

    heads = [
        "what",
        "other side",
        "needs_rows",
        "decided at half",
        "at it",
        "at twice",
        "within 2x",
    ]
    table("Rows needed: `steady` where nothing changed", heads, lines())


TABLES = {f.__name__: f for f in (false_alarms, reports, power, thin, honesty, enough)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions")
    parser.add_argument("--only", choices=sorted(TABLES), help="one table")
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("--budget", type=int, default=2000, help="repetitions where one is cheap")
    options = parser.parse_args()
    budget = options.budget // 10 if options.quick else options.budget
    for name, make in TABLES.items():
        if options.only in (None, name):
            start = time.process_time()
            make(np.random.default_rng(options.seed), budget)
            print(f"\n{name}: {time.process_time() - start:.0f} CPU seconds", flush=True)


if __name__ == "__main__":
    main()

"""How often a verdict is wrong, how often it sees a real change, whether its intervals are true.

    .venv/bin/python bench/verdicts.py --quick                  a minute
    .venv/bin/python bench/verdicts.py                          the published figures
    .venv/bin/python bench/verdicts.py --only power --seed 7    one table anew

Sides are simulated, so every true effect is known. Numbers go the engine's way: edges are
quantiles of at most 4,096 reference rows, and each value that holds 1/512 of the reference is a
cell of its own.
"""

from __future__ import annotations

import argparse
import itertools
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


def variation(
    rng: np.random.Generator, p: np.ndarray, q: np.ndarray, n: int, m: int, **kw: float
) -> Effect:
    return total_variation(rng.multinomial(n, p), rng.multinomial(m, q), **kw)


def largest(
    rng: np.random.Generator, p: np.ndarray, q: np.ndarray, n: int, m: int, **kw: float
) -> Effect:
    return largest_share_change(rng.multinomial(n, p), rng.multinomial(m, q), **kw)[1]


def one_share(rng: np.random.Generator, p: float, q: float, n: int, m: int, **kw: float) -> Effect:
    return share_change(int(rng.binomial(n, p)), n, int(rng.binomial(m, q)), m, **kw)


def accuracy(rng: np.random.Generator, p: float, q: float, n: int, m: int, **kw: float) -> Effect:
    return proportion_difference(int(rng.binomial(n, p)), n, int(rng.binomial(m, q)), m, **kw)


def metric(rng: np.random.Generator, moved: float, n: int, m: int) -> Effect:
    """A mean of rows with standard deviation 1, and its standard error as the rows show it."""
    errors = [math.sqrt(rng.chisquare(each - 1) / (each - 1) / each) for each in (n, m)]
    a, b = rng.normal(0, n**-0.5), rng.normal(moved, m**-0.5)
    return difference(a, errors[0], b, errors[1])


Case = tuple[str, float, Callable[[], Effect]]
"""What is compared, its true effect, and how to draw it once."""


def number_cases(rng: np.random.Generator, n: int, m: int, *sizes: float) -> Iterator[Case]:
    for name in NUMBERS:
        for size in sizes:
            yield f"{name}, gap {size:g}", size, partial(number, rng, name, n, m, size)


def category_cases(
    rng: np.random.Generator, n: int, m: int, *sizes: float, kinds: Iterable[int] = KINDS
) -> Iterator[Case]:
    for k, (shape, make) in itertools.product(kinds, SHAPES.items()):
        p = make(k)
        for size in sizes:
            if not size:
                yield f"{k} {shape}, none", 0.0, partial(variation, rng, p, p, n, m)
                continue
            for how, move in (("in one", one_up), ("spread", spread)):
                said = f"{k} {shape}, {size:g} {how}"
                yield said, size, partial(variation, rng, p, move(p, size), n, m)


def share_cases(
    rng: np.random.Generator, n: int, m: int, pairs: Iterable[tuple[float, float]]
) -> Iterator[Case]:
    for p, q in pairs:
        true = float(abs(angle(p) - angle(q)))
        yield f"share {p:g} -> {q:g}", true, partial(one_share, rng, p, q, n, m)


def largest_cases(
    rng: np.random.Generator,
    n: int,
    m: int,
    *sizes: float,
    kinds: Iterable[int] = (2, 10, 50, 2000),
) -> Iterator[Case]:
    for k, (shape, make), size in itertools.product(kinds, SHAPES.items(), sizes):
        p = make(k)
        q = one_up(p, size)
        true = float(np.abs(angle(p) - angle(q)).max())
        said = f"largest share of {k} {shape}, {size:g} in one"
        yield said, true, partial(largest, rng, p, q, n, m)


def metric_cases(rng: np.random.Generator, n: int, m: int) -> Iterator[Case]:
    for p, q in ((0.9, 0.9), (0.9, 0.88), (0.99, 0.97), (0.6, 0.5), (0.01, 0.0)):
        said = f"accuracy {p:g} -> {q:g}"
        yield said, abs(p - q), partial(accuracy, rng, p, q, n, m)
    for q in (0.0, 0.02, 0.1):
        yield f"a mean moved {q:g} s.d.", q, partial(metric, rng, q, n, m)


def table(title: str, heads: Iterable[str], lines: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table line by line, as its rows come in."""
    heads = list(heads)
    print(f"\n### {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for line in lines:
        print("| " + " | ".join(str(each) for each in line) + " |", flush=True)


def percent(hits: int, of: int) -> str:
    return f"{100 * hits / of:.2f}%" if hits else f"0 of {of:,}"


def versus(n: int, m: int) -> str:
    return f"{n:,} v {m:,}"


def tally(effects: Iterable[Effect], comparisons: int) -> Counter[str]:
    return Counter(str(decide(each, comparisons)) for each in effects)


def repeats(budget: int, n: int, m: int) -> int:
    """Fewer repetitions where one costs more."""
    return max(int(budget * min(1.0, 30_000 / (n + m))), 40)


def quiet(rng: np.random.Generator, index: int, n: int, m: int) -> list[Effect]:
    """Column `index` of a mixed report: numbers and categories by turns, with missing values."""
    missing = one_share(rng, 0.03, 0.03, n, m)
    if index % 2:
        return [number(rng, list(NUMBERS)[index // 2 % len(NUMBERS)], n, m, 0), missing]
    p = list(SHAPES.values())[index // 2 % 2](KINDS[index // 4 % len(KINDS)])
    pair = rng.multinomial(n, p), rng.multinomial(m, p)
    return [total_variation(*pair), largest_share_change(*pair)[1], missing]


def false_alarms(rng: np.random.Generator, budget: int) -> None:
    """One column, compared alone: `changed` in at most 0.2%."""
    columns: dict[str, Callable[[int, int], list[Effect]]] = {}
    for name in NUMBERS:
        columns[name] = partial(_number_column, rng, name)
    for k, (shape, make) in itertools.product(KINDS, SHAPES.items()):
        columns[f"{k} categories, {shape}"] = partial(_category_column, rng, make(k))
    for p in (0.5, 0.1, 0.02, 0.002):
        columns[f"one share of {p:g}"] = partial(_share_column, rng, p)

    def lines() -> Iterator[list[str]]:
        for name, make in columns.items():
            line = [name]
            for n, m in SIZES + UNEVEN:
                r = repeats(budget, n, m)
                found: Counter[str] = Counter()
                for _ in range(r):
                    found.update({str(decide(each, 3)) for each in make(n, m)})
                line.append(f"{percent(found['changed'], r)} / {percent(found['watch'], r)}")
            yield line

    heads = ["column", *(versus(n, m) for n, m in SIZES + UNEVEN)]
    table("False alarms of one column, no drift: `changed` / `watch` (m = 3)", heads, lines())


def _number_column(rng: np.random.Generator, name: str, n: int, m: int) -> list[Effect]:
    return [number(rng, name, n, m, 0), one_share(rng, 0.02, 0.02, n, m)]


def _category_column(rng: np.random.Generator, p: np.ndarray, n: int, m: int) -> list[Effect]:
    pair = rng.multinomial(n, p), rng.multinomial(m, p)
    return [total_variation(*pair), largest_share_change(*pair)[1]]


def _share_column(rng: np.random.Generator, p: float, n: int, m: int) -> list[Effect]:
    return [one_share(rng, p, p, n, m)]


def reports(rng: np.random.Generator, budget: int) -> None:
    """A mixed report of 50 columns: any `changed` in at most 1%, any `watch` in at most 5%."""

    def lines() -> Iterator[list[object]]:
        for n, m in SIZES + UNEVEN:
            r = max(repeats(budget // 8, n, m), 20)
            words = [
                tally((e for i in range(50) for e in quiet(rng, i, n, m)), 150) for _ in range(r)
            ]
            changed, watch = (sum(1 for w in words if w[v]) for v in ("changed", "watch"))
            steady = sum(w["steady"] for w in words) / sum(sum(w.values()) for w in words)
            said = versus(n, m), r, percent(changed, r), percent(watch, r)
            yield [*said, f"{100 * steady:.0f}%"]

    heads = ["rows", "reports", "any changed", "any watch", "effects steady"]
    table("A report of 50 columns, no drift (m = 150)", heads, lines())


def power(rng: np.random.Generator, budget: int) -> None:
    """Real changes: who sees them, alone (m = 3) and as 1 of 50 columns (m = 150)."""
    shares = ((0.01, 0.05), (0.5, 0.6), (0.1, 0.2), (0.0, 0.05))

    def cases() -> Iterator[tuple[int, int, Case]]:
        for n, m, size in ((1000, 1000, 0.2), (300, 30_000, 0.2), (100_000, 100_000, 0.12)):
            for case in (*number_cases(rng, n, m, size), *category_cases(rng, n, m, size)):
                yield n, m, case
        n = 100_000
        few = category_cases(rng, n, n, 0.09, kinds=(2, 10, 50, 2000))
        for case in (*number_cases(rng, n, n, 0.09), *few):
            yield n, n, case
        for case in share_cases(rng, 1000, 1000, shares):
            yield 1000, 1000, case

    def lines() -> Iterator[list[object]]:
        for n, m, (name, _, make) in cases():
            r = repeats(budget // 2, n, m)
            effects = [make() for _ in range(r)]
            alone, many = tally(effects, 3), tally(effects, 150)
            words = ("changed", "watch", "steady", "unknown")
            split = " / ".join(f"{100 * many[w] / r:.1f}" for w in words)
            yield [name, versus(n, m), r, f"{100 * alone['changed'] / r:.1f}%", split]

    heads = ["change", "rows", "of", "changed alone", "in 50: changed/watch/steady/unknown, %"]
    table("Power", heads, lines())


def thin(rng: np.random.Generator, budget: int) -> None:
    """A change of 1.2 and 1.5 tolerances, spread over many categories, is never `steady`."""
    sizes = list(itertools.product((0.12, 0.15), (100, 300, 1000, 3000, 10_000, 100_000)))

    def lines() -> Iterator[list[object]]:
        for k, (shape, make) in itertools.product((5, 10, 50, 200, 2000), SHAPES.items()):
            p = make(k)
            line: list[object] = [f"{k} {shape}"]
            for size, n in sizes:
                r = repeats(budget // 4, n, n)
                q = spread(p, size)
                words = tally((variation(rng, p, q, n, n) for _ in range(r)), 3)
                line.append(percent(words["steady"], r))
            yield line

    heads = ["categories", *(f"{size} at {n:,}" for size, n in sizes)]
    table("`steady` though the change is 1.2 or 1.5 tolerances, spread over all", heads, lines())


def honesty(rng: np.random.Generator, budget: int) -> None:
    """95% intervals hold the true effect: at least 94%, and at most 99% where it is not zero."""
    even_shares = ((0.5, 0.5), (0.1, 0.1), (0.01, 0.01), (0.001, 0.001), (0.0, 0.0))
    shares = (*even_shares, (0.5, 0.6), (0.1, 0.17), (0.01, 0.05), (0.02, 0.0))

    def cases(n: int, m: int) -> Iterator[Case]:
        yield from number_cases(rng, n, m, 0.0, 0.05, 0.1, 0.2)
        yield from category_cases(rng, n, m, 0.0, 0.05, 0.1, 0.2)
        yield from share_cases(rng, n, m, shares)
        yield from largest_cases(rng, n, m, 0.0, 0.03, 0.1)
        yield from metric_cases(rng, n, m)

    def lines() -> Iterator[list[object]]:
        for n, m in [*SIZES[1:2], *SIZES[3:], *UNEVEN]:
            for name, true, make in cases(n, m):
                r = repeats(budget, n, m)
                e = [make() for _ in range(r)]
                above = sum(x.low > true + 1e-12 for x in e) / r
                below = sum(x.high < true - 1e-12 for x in e) / r
                width = float(np.median([x.high - x.low for x in e]))
                centre = float(np.mean([x.value for x in e]))
                said = name, versus(n, m), r, f"{true:.3f}", f"{100 * (1 - above - below):.1f}%"
                missed = f"{100 * above:.1f} / {100 * below:.1f}"
                yield [*said, missed, f"{centre:.3f}", f"{width:.3f}"]

    heads = ["what", "rows", "of", "true", "covered", "low above / high below, %"]
    table("95% intervals", [*heads, "mean estimate", "median width"], lines())


Ask = tuple[str, int, Callable[[int, int], Effect]]
"""What is compared, what `needs_rows` says, and how to draw it once without a change."""


def asks(rng: np.random.Generator, other: int | None) -> Iterator[Ask]:
    rows = partial(needs_rows, other_rows=other)
    for t in (0.05, 0.1, 0.2):
        for name in ("normal", "integer"):
            make = partial(_number_rows, rng, name, t)
            yield f"gap {name}, tolerance {t:g}", rows("cdf_gap", t), make
        make = partial(accuracy, rng, 0.9, 0.9, tolerance=t)
        yield f"accuracy 0.9, tolerance {t:g}", rows("difference", t, sd=0.3), make
    for k, (shape, make_p) in itertools.product(KINDS, SHAPES.items()):
        p = make_p(k)
        said = rows("total_variation", 0.1, probabilities=p)
        yield f"variation {k} {shape}", said, partial(variation, rng, p, p)
        said = rows("cohens_h", 0.2, probabilities=p)
        yield f"largest share of {k} {shape}", said, partial(largest, rng, p, p)
    for p, t in itertools.product((0.5, 0.1, 0.01, 0.001, 0.0), (0.1, 0.2)):
        make = partial(one_share, rng, p, p, tolerance=t)
        yield f"share {p:g}, tolerance {t:g}", rows("cohens_h", t, share=p), make


def _number_rows(rng: np.random.Generator, name: str, t: float, n: int, m: int) -> Effect:
    return number(rng, name, n, m, 0, tolerance=t)


def enough(rng: np.random.Generator, budget: int) -> None:
    """`needs_rows` against the rows at which 90% of comparisons without a change are decided."""
    r = max(budget // 5, 100)

    def lines() -> Iterator[list[object]]:
        right = asked = 0
        for other in (None, 300, 1000, 30_000):
            for name, said, make in asks(rng, other):
                line: list[object] = [name, other or "same", f"{said:,}"]
                if said > 400_000:
                    yield [*line, "", "", "", "the other side is too small"]
                    continue
                decided = []
                for n in (max(said // 2, 2), said, said * 2):
                    words = tally((make(n, other or n) for _ in range(r)), 3)
                    decided.append(words["steady"] / r)
                good = decided[0] < 0.9 <= decided[2]
                right, asked = right + good, asked + 1
                yield [*line, *(f"{100 * d:.0f}%" for d in decided), "yes" if good else "no"]
        yield ["all", "", "", "", "", "", f"{right} of {asked}"]

    heads = [
        "what",
        "other side",
        "needs_rows",
        "decided at half",
        "at it",
        "at twice",
        "within 2x",
    ]
    table(f"Rows needed: `steady` where nothing changed ({r} each)", heads, lines())


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

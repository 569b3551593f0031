"""How often a report cries wolf: no drift, every kind of column, the whole product.

    python bench/alarms.py [--reports 200] [--rows 30 100 300 1000 10000] [--columns 50]

Each report compares two samples of the same 50-column process through `undertow.check`. Printed: the
share of comparisons that came out `changed`, by kind, and the share of whole reports with any
`changed` and any `watch`, each with its 95% upper bound (Clopper-Pearson).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

import numpy as np
import pyarrow as pa

import undertow as ut

_STARTS, _ENDS = "ba co di fu ge ho ka lu mi no", "ra se ti vo zu ban cel dor fin gul"
WORDS = np.array([a + b for a in _STARTS.split() for b in _ENDS.split()])


def zipf(distinct: int) -> np.ndarray:
    """Return Zipf probabilities over that many values."""
    weights = 1 / np.arange(1, distinct + 1)
    return weights / weights.sum()


def text(random: np.random.Generator, n: int) -> list[str]:
    """Return short texts of Zipf-distributed words."""
    lengths = random.integers(4, 14, n)
    drawn = random.choice(WORDS, int(lengths.sum()), p=zipf(len(WORDS)))
    return [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]


KINDS = {
    "normal": lambda r, n: r.normal(1000, 1, n),
    "lognormal": lambda r, n: r.lognormal(size=n),
    "cauchy": lambda r, n: r.standard_cauchy(n),
    "integer": lambda r, n: r.poisson(4, n),
    "zero-inflated": lambda r, n: np.where(r.random(n) < 0.6, 0.0, r.exponential(size=n)),
    "with gaps": lambda r, n: pa.array(r.normal(size=n), mask=r.random(n) < 0.07),
    **{
        f"even {k}": lambda r, n, k=k: np.char.add("v", r.integers(0, k, n).astype(str))
        for k in (2, 5, 50, 200, 2000)
    },
    **{
        f"zipf {k}": lambda r, n, k=k: np.char.add("v", r.choice(k, n, p=zipf(k)).astype(str))
        for k in (5, 50, 200, 2000)
    },
    "text": text,
}


def table(random: np.random.Generator, rows: int, columns: int) -> pa.Table:
    """Return one sample of the process: the kinds in turn until there are enough columns."""
    names = list(KINDS)
    made = {}
    for i in range(columns):
        kind = names[i % len(names)]
        made[f"{kind} #{i}"] = KINDS[kind](random, rows)
    return pa.table(made)


def upper(hits: int, trials: int) -> float:
    """Return the 95% upper bound of a share (one-sided Clopper-Pearson)."""
    from scipy.stats import beta

    return float(beta.ppf(0.95, hits + 1, trials - hits)) if hits < trials else 1.0


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="+", default=[30, 100, 300, 1000, 10_000])
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--current", type=int, help="rows of the current side, where they differ")
    args = parser.parse_args()
    print("| rows a side | reports | comparisons | changed | any changed | any watch | unknown |")
    print("|---|---|---|---|---|---|---|")
    by_kind: dict[int, Counter[str]] = {}
    for rows in args.rows:
        seen: Counter[str] = Counter()
        kinds = by_kind.setdefault(rows, Counter())
        for rep in range(args.reports):
            random = np.random.default_rng([rows, rep])
            options = {
                "text": [
                    f"text #{i}" for i in range(args.columns) if i % len(KINDS) == len(KINDS) - 1
                ]
            }
            report = ut.check(
                table(random, rows, args.columns),
                table(random, args.current or rows, args.columns),
                **options,
            )
            verdicts = [each for each in report if each.effect is not None]
            for each in verdicts:
                seen[each.verdict.value] += 1
                kind = (each.column or "?").partition(" #")[0]
                kinds[kind] += 1
                if each.verdict in (ut.Verdict.CHANGED, ut.Verdict.WATCH):
                    kinds[f"{kind}!{each.verdict}"] += 1
                    print(
                        f"  {rows}: {each.verdict} {each.check} {each.subject} {each.effect}",
                        file=sys.stderr,
                    )
            alarms = {each.verdict for each in report}
            seen["any changed"] += ut.Verdict.CHANGED in alarms
            seen["any watch"] += ut.Verdict.WATCH in alarms
            seen["comparisons"] += len(verdicts)
        n, m = seen["comparisons"], args.reports
        print(
            f"| {rows:,} | {m} | {n:,} | {seen['changed']} ({seen['changed'] / n:.4%}, "
            f"<= {upper(seen['changed'], n):.3%}) | {seen['any changed'] / m:.1%} "
            f"(<= {upper(seen['any changed'], m):.1%}) | {seen['any watch'] / m:.1%} "
            f"(<= {upper(seen['any watch'], m):.1%}) | {seen['unknown'] / n:.0%} |",
            flush=True,
        )
    print("\n| kind | " + " | ".join(f"{rows:,}" for rows in args.rows) + " |")
    print("|---|" + "---|" * len(args.rows))
    for kind in KINDS:
        cells = [
            f"{c[f'{kind}!changed']}+{c[f'{kind}!watch']} of {c[kind]:,}" for c in by_kind.values()
        ]
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

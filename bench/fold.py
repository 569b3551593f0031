"""Fold the long table of intervals into a line for each kind and number of rows.

    python bench/verdicts.py --only honesty --budget 240 | python bench/fold.py

"Beyond chance" counts the cells whose coverage is below 94% by more than the chance of their own runs
explains, among all cells (binomial, Bonferroni): with 40 runs a cell it can see little.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from statistics import mean, median

from scipy.stats import binom

NUMBERS = {"normal", "lognormal", "Cauchy", "integer", "30% zeros"}


def kind(what: str) -> str:
    """Return the family a cell of the table belongs to."""
    head = what.split(",", maxsplit=1)[0]
    found = re.match(r"(\d+) (even|Zipf)", head)
    if head in NUMBERS:
        return "numbers"
    if found:
        return "categories, 2-10" if int(found[1]) <= 10 else "categories, 50-2,000"
    return "shares and metrics"


def main() -> None:
    """Read the table from standard input and print the folded one."""
    groups = defaultdict(list)
    cells = []
    for line in sys.stdin:
        row = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(row) != 8 or not row[4].endswith("%"):
            continue
        what, rows, runs = row[0], row[1], int(row[2])
        truth, covered, width = float(row[3]), float(row[4][:-1]) / 100, float(row[7])
        groups[kind(what), rows].append((covered, runs, width))
        cells.append((what, rows, runs, truth, covered))
    print("| kind | rows | cells | mean | lowest | below 94% | beyond chance | median width |")
    print("|---|---|---|---|---|---|---|---|")
    for (family, rows), found in groups.items():
        covers = [covered for covered, _, _ in found]
        low = sum(covered < 0.94 for covered in covers)
        odd = sum(
            binom.cdf(round(covered * runs), runs, 0.94) < 0.05 / len(cells)
            for covered, runs, _ in found
        )
        runs, width = found[0][1], median(each[2] for each in found)
        spread = f"{mean(covers):.1%} | {min(covers):.1%}"
        print(
            f"| {family} | {rows} | {len(found)} x {runs} | {spread} | {low} | {odd} | {width:.3f} |"
        )
    told = [
        (covered, runs)
        for what, rows, runs, truth, covered in cells
        if truth > 0
        and kind(what) == "categories, 2-10"
        and int(rows.split(" v ")[0].replace(",", "")) >= 1000
    ]
    over = [(covered, runs) for covered, runs in told if covered > 0.99]
    print(f"\n{len(over)} of {len(told)} cells with K <= 10, effect > 0, n >= 1,000 lie above 99%.")


if __name__ == "__main__":
    main()

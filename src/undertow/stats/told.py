"""What findings about one share of the rows have in common: rows needed, a chart, a condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from undertow.core.finding import Finding, Rows
from undertow.core.verdict import WATCH_FAMILY, Effect, Verdict, decide
from undertow.stats import describe
from undertow.stats.rows import needs_rows


def needed(effect: Effect, share: float) -> int | None:
    """Return the rows a side that would tell of one share; None where the interval has told."""
    if not effect.defined or effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    return needs_rows("cohens_h", effect.tolerance, share=share)


def telling(
    check: str, found: Sequence[Finding], *, tested: int, columns: int, rows: Rows, quiet: str
) -> Iterator[Finding]:
    """Yield the findings that tell of a change, their evidence corrected for all that were tested.

    The rest of the columns share one fact: steady as `quiet` says it, or unknown where the rows are
    too few for some of them. So a check of every column costs the report next to no comparisons.
    """
    rest = []
    for each in found:
        effect = each.effect
        assert effect is not None
        p = min(1.0, effect.p_no_change * tested)
        if effect.defined and p <= WATCH_FAMILY and effect.value > effect.tolerance:
            yield replace(each, effect=replace(effect, p_no_change=p))
        else:
            rest.append(each)
    left = columns - len(found) + len(rest)
    unsure = [each for each in rest if decide(each.effect, 1) is not Verdict.STEADY]
    many = f"{columns} column{'s' if columns > 1 else ''}"
    told = left - len(unsure)
    says = f"in {many}" if told == columns else f"in {told} of {many}"
    says += f", {quiet}"
    says += f"; in {len(unsure)}, too few rows to tell" if unsure else ""
    if not told:
        says = f"too few rows in {many} to say: {quiet}"
    if left:
        needs = [each.needs_rows for each in unsure if each.needs_rows]
        yield Finding(
            check,
            "columns",
            says,
            rows=rows,
            verdict=Verdict.UNKNOWN if unsure else Verdict.STEADY,
            needs_rows=max(needs, default=None),
            evidence={"columns": columns, "too_few_rows": [each.subject for each in unsure[:40]]},
        )


def two_shares(
    name: str, rest: str, hits: tuple[int, int], rows: tuple[int, int]
) -> Mapping[str, Any]:
    """Return what a chart of one share and of the rest draws.

    >>> [bar["value"] for bar in two_shares("missing", "present", (1, 5), (10, 10))["rows"]]
    ['missing', 'present']
    """
    sides = [np.array([hit, side - hit]) for hit, side in zip(hits, rows, strict=True)]
    return describe.shares([name, rest], sides[0], sides[1], rows=rows)


def short(value: float) -> str:
    """Return a number as a colleague would write it, with the digits that tell it from others.

    >>> short(-999.0), short(0.42291500000000001), short(1234567.0)
    ('-999', '0.422915', '1,234,567')
    """
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"
    return f"{value:.7g}"


def rough(value: float) -> str:
    """Return a number with the three digits that a sentence needs.

    >>> rough(0.8391369), rough(5228.1), rough(40.0)
    ('0.839', '5,228', '40')
    """
    if abs(value) < 1e7 and (value == round(value) or abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.3g}"

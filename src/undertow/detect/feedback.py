"""Feedback loops: a system whose own output shapes its next input, and what is found of it.

A fact carries the words: a loop, and its signs; or no loop. Beside it stand the signs, each with an
interval and a tolerance: exposure on fewer items, fewer different items served, texts that are copies of
one another, vectors that are, what is served alike, and own output that comes back in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect, Verdict, decide
from undertow.stats.bootstrap import Estimate
from undertow.stats.concentration import LEAST, Concentration, Pair
from undertow.stats.copies import LEAST as FEWEST
from undertow.stats.counts import Counts
from undertow.stats.describe import shares
from undertow.stats.exact import log_tail

LOOP, EXPOSURE, REACH, COPIES, VECTOR_COPIES, SIMILARITY, OWN = (
    f"feedback.{name}"
    for name in ("loop", "exposure", "reach", "copies", "vector_copies", "similarity", "own_output")
)
SHOWN = 160
"""Characters of a text that stands as an example."""
EXAMPLES = 5
SURE = 0.05
"""Chance that any of all items is named a mover by noise."""

Examples = tuple[Mapping[str, str], ...]


class Sign(NamedTuple):
    """One sign of a loop: its effect, whether it goes the way of a loop, and its words."""

    check: str
    effect: Effect
    towards: bool
    words: str


@dataclass(frozen=True, eq=False)
class Served:
    """What was served: how unevenly, and servings per item of both sides, by the items' names."""

    column: str
    found: Concentration
    names: Sequence[str]
    reference: Counts
    current: Counts
    catalogue: bool
    rows: Rows
    steps: Sequence[Mapping[str, float]] = ()
    texts: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Shared:
    """A share of rows of both sides: near copies of another row, or of an own output."""

    check: str
    column: str
    effect: Effect
    shares: Pair
    rows: Rows
    compared_at: int
    examples: Examples = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    sessions: int | None = None


@dataclass(frozen=True, eq=False)
class Alike:
    """How alike what is served is: the mean cosine of two rows, and the Vendi score."""

    column: str
    effect: Effect
    cosine: tuple[Estimate, Estimate]
    vendi: Pair
    vendi_rows: int
    rows: Rows


@dataclass(frozen=True)
class Measured:
    """All that was measured; what was not asked for is None or empty."""

    served: Served | None = None
    shared: tuple[Shared, ...] = ()
    alike: Alike | None = None
    rows: Rows = field(default=Rows(0, 0))


def findings(made: Measured) -> Iterator[Finding]:
    """Yield the fact with the verdict in words, and the signs it rests on."""
    yield _loop(made)
    if made.served is not None:
        yield from _exposure(made.served)
    for each in made.shared:
        yield _share(each)
    if made.alike is not None:
        yield _alike(made.alike)


def signs(made: Measured) -> list[Sign]:
    """Return every sign that is judged, the most telling first."""
    listed = [
        Sign(each.check, each.effect, each.shares.current > each.shares.reference, _shared(each))
        for each in sorted(made.shared, key=lambda each: each.check != OWN)
    ]
    if made.served is not None:
        found = made.served.found
        fewer = found.different.current < found.different.reference
        words = f"exposure concentrates on fewer items ({_uneven(found)}; {_reached(made.served)})"
        own = [
            Sign(EXPOSURE, found.gini, found.narrows, words),
            Sign(
                REACH,
                found.reach,
                fewer,
                f"fewer different items are served ({_reached(made.served)})",
            ),
        ]
        first = sum(each.check == OWN for each in listed)
        listed[first:first] = own
    if made.alike is not None:
        before, now = made.alike.cosine
        listed.append(
            Sign(SIMILARITY, made.alike.effect, now.value > before.value, _cosines(made.alike))
        )
    return listed


def _loop(made: Measured) -> Finding:
    """Return the fact: a loop, perhaps one, none, or too few rows."""
    listed = signs(made)
    verdicts = {each.check: decide(each.effect, len(listed)) for each in listed}
    there = [
        each
        for each in listed
        if each.towards and verdicts[each.check] in {Verdict.CHANGED, Verdict.WATCH}
    ]
    if any(each.check == EXPOSURE for each in there):  # its words hold those of the reach
        there = [each for each in there if each.check != REACH]
    told = {each.check.partition(".")[2]: str(verdicts[each.check]) for each in listed}
    evidence = {"signs": told}
    if there:
        worst = max((verdicts[each.check] for each in there), key=lambda each: each.severity)
        start = "a loop" if worst is Verdict.CHANGED else "perhaps a loop"
        says = f"{start}: {'; '.join(each.words for each in there)}"
        return Finding(
            LOOP,
            "feedback",
            says,
            rows=made.rows,
            verdict=worst,
            evidence=evidence,
            next=_steps([each.check for each in there]),
        )
    if Verdict.UNKNOWN in verdicts.values():
        unsure = [each.check for each in listed if verdicts[each.check] is Verdict.UNKNOWN]
        names = ", ".join(_PLAIN[each] for each in unsure)
        says = f"no sign of a loop, and too little to be sure of {names}"
        return Finding(LOOP, "feedback", says, rows=made.rows, evidence=evidence)
    says, none = "no loop: nothing is concentrating, repeating or coming back", Verdict.STEADY
    return Finding(LOOP, "feedback", says, rows=made.rows, verdict=none, evidence=evidence)


_PLAIN = {
    EXPOSURE: "how exposure is spread",
    REACH: "how many items are served",
    COPIES: "copies among the texts",
    VECTOR_COPIES: "copies among the vectors",
    SIMILARITY: "how alike the rows are",
    OWN: "own output that comes back",
}


def _steps(checks: Sequence[str]) -> tuple[str, ...]:
    """Return what to do: rule out what looks alike, then break the loop."""
    if checks[0] == OWN:
        return (
            "leave rows that copy own outputs out of what the system learns from or retrieves",
            "mark own outputs where they are published, so that they are known when they come back",
        )
    return (
        "rule out a promotion or a smaller catalogue: they concentrate exposure too",
        "serve a small share of requests by chance, and learn from those alone",
    )


def _exposure(served: Served) -> Iterator[Finding]:
    found, column, told = served.found, served.column, _untold(served)
    evidence = {**found.to_dict(), "catalogue_given": served.catalogue}
    risen, fallen, gone = _movers(served)
    evidence["took_over"], evidence["lost"] = ([row for _, row in each] for each in (risen, fallen))
    evidence["no_longer_served"] = gone
    if served.steps:
        evidence["steps"] = [dict(each) for each in served.steps]
    moved = [*risen[:EXAMPLES], *fallen[:EXAMPLES]]
    examples = tuple(_mover(row, served.texts.get(place)) for place, row in moved)
    both = served.reference + served.current
    top = np.argsort(
        -np.abs(_share_of(served.current) - _share_of(served.reference)), kind="stable"
    )
    top = top[both[top] > 0][:12]
    yield Finding(
        EXPOSURE,
        f"exposure of {column}",
        told or f"{_uneven(found)}, at {found.servings:,} servings a side{_took(risen)}",
        found.gini if not told else None,
        served.rows,
        column=column,
        needs_rows=_needs(found.gini, found.servings, LEAST),
        evidence=evidence,
        shape={"form": "lorenz", "reference": found.lorenz[0], "current": found.lorenz[1]}
        if found.lorenz[0]
        else None,
        examples=examples,
    )
    yield Finding(
        REACH,
        f"variety of {column}",
        told or f"{_reached(served)}, at {found.servings:,} servings a side",
        found.reach if not told else None,
        served.rows,
        column=column,
        needs_rows=_needs(found.reach, found.servings, LEAST),
        evidence={
            "different_items": found.different.to_dict(),
            "reachable": found.reachable,
            "items": found.items,
            "no_longer_served": gone,
        },
        shape=shares(
            [served.names[spot][:SHOWN] for spot in top.tolist()],
            served.reference[top],
            served.current[top],
            rows=(served.rows.reference, served.rows.current),
        ),
        precedence=1,
    )


def _untold(served: Served) -> str:
    """Return why more rows alone would not tell, or nothing."""
    found, rows = served.found, served.rows
    if found.items == 1 and found.servings:
        return "cannot tell: one item is all that is served, and that cannot concentrate"
    if min(rows.reference, rows.current) < LEAST:
        return ""
    return _few(found.sessions, LEAST)


def _few(sessions: int | None, least: int) -> str:
    if sessions is None or sessions >= least:
        return ""
    each = f"session{'s' * (sessions != 1)}"
    return f"cannot tell: {sessions:,} {each} on a side, and at least {least} are needed"


def _uneven(found: Concentration) -> str:
    return f"Gini {found.ginis.reference:.2f} → {found.ginis.current:.2f}"


def _reached(served: Served) -> str:
    """Return how much of the catalogue is served, in the words that fit its size."""
    found = served.found
    before, now = found.different
    if found.items <= found.servings:
        of = "the catalogue" if served.catalogue else "all items seen"
        parts = " → ".join(percent(each / max(found.items, 1)) for each in (before, now))
        return f"{parts} of {of} served"
    return f"{before:,.0f} → {now:,.0f} different items in {found.servings:,} servings"


def _share_of(counts: Counts) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(counts / max(int(counts.sum()), 1))


Mover = tuple[int, dict[str, Any]]


def _movers(served: Served) -> tuple[list[Mover], list[Mover], int]:
    """Return the items that rose and that fell beyond noise, the largest move first, and how many went.

    An item is named where Fisher's test of its share passes for all items together (Bonferroni).
    """
    ours, theirs = served.reference, served.current
    n, m = int(ours.sum()), int(theirs.sum())
    seen = np.flatnonzero(ours + theirs)
    if not n or not m:
        return [], [], 0
    tails = np.exp(log_tail(theirs[seen], (ours + theirs)[seen], m, n))
    sure = seen[tails <= SURE / max(len(seen), 1)]
    moved = theirs[sure] / m - ours[sure] / n
    made: tuple[list[Mover], list[Mover]] = ([], [])
    for listed, order in zip(made, (np.argsort(-moved), np.argsort(moved)), strict=True):
        rising = listed is made[0]
        for place in order.tolist()[:10]:
            if moved[place] == 0 or bool(moved[place] > 0) is not rising:
                break
            spot = int(sure[place])
            row = {"item": served.names[spot][:SHOWN], "reference": round(float(ours[spot]) / n, 6)}
            listed.append((spot, row | {"current": round(float(theirs[spot]) / m, 6)}))
    return *made, int(np.count_nonzero((ours > 0) & (theirs == 0)))


def _mover(row: Mapping[str, Any], text: str | None) -> Mapping[str, str]:
    """Return a mover as an example."""
    made = {"item": row["item"]}
    if text is not None and text != row["item"]:
        made["text"] = text[:SHOWN]
    now = percent(row["current"]) if row["current"] else "none"
    return made | {"share before": percent(row["reference"]), "share now": now}


def _took(risen: Sequence[Mover]) -> str:
    if not risen:
        return ""
    listed = [
        f"{each['item'][:40]} {percent(each['reference'])} → {percent(each['current'])}"
        for _, each in risen[:2]
    ]
    return f"; most gained by {' and '.join(listed)}"


def _share(each: Shared) -> Finding:
    few = "" if each.compared_at < FEWEST else _few(each.sessions, FEWEST)
    shares = {"share_of_rows": each.shares.to_dict(), "compared_at_rows": each.compared_at}
    return Finding(
        each.check,
        f"{_SUBJECT[each.check]} {each.column}",
        _shared(each),
        each.effect,
        each.rows,
        column=each.column,
        needs_rows=None if few else _needs(each.effect, each.compared_at, LEAST),
        evidence=shares | dict(each.evidence),
        examples=each.examples,
        unsure=few,
    )


_SUBJECT = {COPIES: "near copies in", VECTOR_COPIES: "near copies by", OWN: "own output in"}


def _shared(each: Shared) -> str:
    parts = " → ".join(percent(share) for share in each.shares)
    told = {
        COPIES: f"{parts} of rows are near copies of another row",
        VECTOR_COPIES: f"{parts} of rows have a vector almost the same as another row's",
        OWN: f"own output comes back: {parts} of rows copy an earlier output",
    }
    return told[each.check]


def _alike(made: Alike) -> Finding:
    before, now = made.cosine
    return Finding(
        SIMILARITY,
        f"similarity by {made.column}",
        _cosines(made),
        made.effect,
        made.rows,
        column=made.column,
        needs_rows=_needs(made.effect, min(made.rows.reference, made.rows.current), LEAST),
        evidence={
            "mean_cosine": {
                name: each.to_dict() if math.isfinite(each.value) else None
                for name, each in (("reference", before), ("current", now))
            },
            "vendi_score": made.vendi.to_dict(),
            "vendi_rows": made.vendi_rows,
        },
        precedence=1,
    )


def _cosines(made: Alike) -> str:
    before, now = (each.value for each in made.cosine)
    return f"two rows have a mean cosine of {before:.3f} → {now:.3f}"


def _needs(effect: Effect, rows: int, least: int) -> int | None:
    """Return how many rows a side would tell, as far as the interval shrinks with their root."""
    if not effect.defined:
        return least
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    arm = (effect.high - effect.low) / 2
    gap = max(abs(effect.value - effect.tolerance), effect.tolerance / 2)
    return max(math.ceil(rows * max((arm / gap) ** 2, 1.1)), least)

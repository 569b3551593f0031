"""Unfamiliar rows: how many lie beyond a threshold that few of the reference's own rows pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect
from undertow.stats import describe
from undertow.stats.calendar import SECOND
from undertow.stats.classify import area
from undertow.stats.counts import Floats
from undertow.stats.describe import Curve
from undertow.stats.difference import proportion_difference
from undertow.stats.rows import needs_rows
from undertow.stats.score import arms, limits
from undertow.stats.unfamiliar import Unfamiliar

PERIODS = 36
"""Periods that a report tells the share of, the last ones."""
BARS = 12
"""Periods that are drawn."""
_UNITS = {"m": 16, "h": 13, "D": 10, "W": 10, "M": 7, "Y": 4}
"""Units of the calendar, the finest first, and how many letters of a moment name one."""
_NEARLY_ALL = 0.9
_FEW = 3
"""Up to this many times the usual share, the threshold itself may be what is off."""


@dataclass(frozen=True)
class Period:
    """How many rows a stretch of time has, and how many of them are unfamiliar."""

    name: str
    rows: int
    beyond: int


@dataclass(frozen=True)
class Beyond:
    """The share of rows beyond the threshold, now and among the reference's held-out rows.

    The threshold is set so that the held-out rows pass it at the stated rate; the effect is the
    difference of the two shares, and its interval holds the noise of both sides. A rise is at most
    the share of rows of another kind, as some of those are not far enough away to be told. A fall
    counts too: rows may be too familiar, as copies of the reference are.
    """

    name: ClassVar[str] = "ood.share"
    tolerance: float = 0.02

    def __call__(
        self,
        subject: str,
        fitted: Unfamiliar,
        scores: Floats,
        *,
        periods: Iterable[Period] = (),
        examples: tuple[Mapping[str, str], ...] = (),
        chosen: bool = False,
    ) -> Finding:
        """Return the finding on a column; `scores` are those of all rows, NaN for a row without.

        `chosen` says that somebody chose the held-out rows.
        """
        known = np.isfinite(scores)
        there, beyond = scores[known], int((scores > fitted.threshold).sum())
        rows = Rows(len(fitted.held), len(there))
        effect = proportion_difference(
            fitted.beyond,
            rows.reference,
            beyond,
            rows.current,
            tolerance=self.tolerance,
            name="moved_share",
        )
        if not effect.defined:
            says = "no row of the current set can be scored"
            return Finding(self.name, subject, says, effect, rows, column=subject)
        told = tuple(periods)[-PERIODS:]
        share, usual = beyond / rows.current, fitted.beyond / rows.reference
        return Finding(
            self.name,
            subject,
            _says(share, usual),
            effect,
            rows,
            column=subject,
            needs_rows=_needed(effect, fitted.rate),
            evidence=_evidence(fitted, there, share, usual, told),
            shape=_bars(told, fitted) if len(told) > 1 else _histogram(fitted.held, there),
            examples=examples,
            next=_next(share, usual, known=fitted.known > 0, chosen=chosen),
        )

    def too_few(self, subject: str, reference: int, current: int, least: int) -> Finding:
        """Return the finding where the reference has too few rows for a threshold."""
        nothing = Effect("moved_share", np.nan, np.nan, np.nan, self.tolerance, 1.0)
        says = f"{reference:,} usable rows of reference, {least:,} needed"
        rows = Rows(reference, current)
        return Finding(self.name, subject, says, nothing, rows, column=subject, needs_rows=least)


def periods(
    moments: NDArray[np.int64],
    known: NDArray[np.bool_],
    scores: Floats,
    threshold: float,
    *,
    dated: bool = True,
) -> tuple[Period, ...]:
    """Return how many rows are unfamiliar by minute, hour, day, week, month or year.

    `moments` are microseconds since 1970, `known` which of them are times. The unit is the finest
    with at most 36 periods from the first moment to the last. Times that are not `dated`, mere
    counts, are cut into 12 stretches of one length.

    >>> day = 86_400_000_000
    >>> found = periods(np.array([0, 0, 31 * day]), np.ones(3, bool), np.array([0.1, 0.9, 0.2]), 0.5)
    >>> [(each.name, each.rows, each.beyond) for each in found if each.rows]
    [('1970-01-01', 2, 1), ('1970-02-01', 1, 0)]
    """
    there = known & np.isfinite(scores[: len(known)])
    if not there.any():
        return ()
    times, beyond = moments[there], scores[there] > threshold
    if dated:
        place, names = _calendar(times)
    else:
        step = max(int(times.max() - times.min()) // BARS + 1, 1)
        place = (times - times.min()) // step
        starts = times.min() + step * np.arange(int(place.max()) + 1)
        names = [f"from {start / SECOND:.6g}" for start in starts]
    late = place >= len(names) - PERIODS
    counts = np.bincount(place[late], minlength=len(names))
    passed = np.bincount(place[late], weights=beyond[late], minlength=len(names))
    return tuple(
        Period(name, int(rows), int(hits))
        for name, rows, hits in zip(names, counts, passed, strict=True)
    )[-PERIODS:]


def _calendar(times: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the period of each time, counted from the first, and the name of every period."""
    moments = times.astype("datetime64[us]")
    for unit in _UNITS:
        starts = moments.astype(f"datetime64[{unit}]").astype(np.int64)
        first, last = int(starts.min()), int(starts.max())
        if last - first < PERIODS:
            break
    every = np.arange(first, last + 1).astype(f"datetime64[{unit}]").astype("datetime64[s]")
    names = [str(start)[: _UNITS[unit]].replace("T", " ") for start in every]
    return starts - first, names


def _says(share: float, usual: float) -> str:
    word = "only " if share < usual else ""
    own = f"where {percent(usual)} of its own are"
    return f"{word}{percent(share)} of rows are unlike the reference, {own}"


def _needed(effect: Effect, rate: float) -> int | None:
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    spread = float(np.sqrt(rate * (1 - rate)))
    return needs_rows("difference", effect.tolerance, sd=spread)


def _evidence(
    fitted: Unfamiliar, scores: Floats, share: float, usual: float, told: tuple[Period, ...]
) -> dict[str, Any]:
    low, high = limits(round(share * len(scores)), len(scores))
    auc, error = area(
        np.concatenate([fitted.held, scores]),
        np.arange(len(fitted.held) + len(scores)) >= len(fitted.held),
    )
    out: dict[str, Any] = {
        "share": describe.pair(usual, share),
        "share_interval": [float(low), float(high)],
        "rate": fitted.rate,
        "threshold": fitted.threshold,
        "method": fitted.method,
        "known_rows": fitted.known,
        "auc": describe.finite(auc),
        "auc_error": describe.finite(error),
    }
    out |= describe.quantiles(_curve(fitted.held), _curve(scores))
    if told:
        seen = [each for each in told if each.rows]
        out["over_time"] = {
            each.name: describe.pair(usual, each.beyond / each.rows) for each in seen
        }
        out["latest"] = describe.pair(usual, seen[-1].beyond / seen[-1].rows) if seen else None
        out["rows_over_time"] = [each.rows for each in seen]
    return out


def _curve(scores: Floats) -> Curve:
    shares = np.linspace(0.0, 1.0, min(len(scores), 513))
    if len(scores) == 1:
        shares = np.array([0.0, 1.0])
    return Curve(np.quantile(scores, shares), shares)


def _histogram(held: Floats, scores: Floats) -> Mapping[str, Any] | None:
    return describe.histogram(_curve(held), _curve(scores), np.empty(0))


def _bars(told: tuple[Period, ...], fitted: Unfamiliar) -> Mapping[str, Any]:
    """Return the shape of one bar a period: how far its share lies from the reference's."""
    rows = len(fitted.held)
    usual = fitted.beyond / rows
    listed = []
    for each in [each for each in told if each.rows][-BARS:]:
        share = each.beyond / each.rows
        below, above = (float(arm) for arm in arms(share, each.rows, usual, rows))
        moved = share - usual
        listed.append(
            {
                "value": each.name,
                "reference": round(usual, 6),
                "current": round(share, 6),
                "low": round(moved - below, 6),
                "high": round(moved + above, 6),
                "note": "",
            }
        )
    return {"form": "shares", "rows": listed}


def _next(share: float, usual: float, *, known: bool, chosen: bool) -> tuple[str, ...]:
    if share < usual:
        return ("look for rows that are copies of the reference: fewer are unlike it than usual",)
    read = "read the rows of highest score (--scores OUT.parquet): a new kind of row, or a fault?"
    if share >= _NEARLY_ALL and known:
        one = (
            "ask first whether one encoder made the vectors of both sides: nearly every row is far"
        )
        return (one, read)
    label = "label some of them: a new class, or out of scope and to be declined"
    if chosen or share > _FEW * usual:
        return (read, label)
    kept = "set the threshold by rows kept out of training (--held-out SQL)"
    return (read, label, f"{kept}: a reference that repeats itself makes usual rows look odd")

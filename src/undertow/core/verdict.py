"""A verdict is a function of an effect with its interval, a tolerance, and the number of comparisons.

Two gates stand apart on purpose. The first asks whether "no change at all" can be rejected, and is the
only one that multiplicity widens. The second asks whether the change is larger than the user's
tolerance, and is a plain 95% interval: a trivial difference never alarms at a million rows, noise never
alarms at thirty.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from undertow.core.errors import UsageError

CHANGED_P = 0.002
"""No single comparison is `changed` at a weaker p than this, however few comparisons a report has."""
CHANGED_FAMILY = 0.01
"""Chance of any false `changed` in a whole report, shared by its comparisons (Bonferroni)."""
WATCH_FAMILY = 0.05
"""Chance of any false `watch` in a whole report, shared by its comparisons (Bonferroni)."""


class Verdict(enum.StrEnum):
    """What undertow says of one comparison; a report's verdict is the worst of its findings.

    >>> max(Verdict.STEADY, Verdict.WATCH, key=lambda v: v.severity)
    <Verdict.WATCH: 'watch'>
    """

    CHANGED = "changed"
    WATCH = "watch"
    UNKNOWN = "unknown"
    STEADY = "steady"

    @property
    def severity(self) -> int:
        """0 for steady, 1 unknown, 2 watch, 3 changed."""
        return {"steady": 0, "unknown": 1, "watch": 2, "changed": 3}[self.value]

    @property
    def mark(self) -> str:
        """The glyph that stands beside the word, so that colour never carries the state alone."""
        return {"changed": "▲", "watch": "◆", "steady": "●", "unknown": "?"}[self.value]


#: The largest value each effect can take; a tolerance must stay below half of it.
EFFECT_MAXIMUM: dict[str, float] = {
    "cdf_gap": 1.0,
    "total_variation": 1.0,
    "cohens_h": math.pi,
    "difference": 1.0,
    "relative_change": math.inf,
    "moved_share": 1.0,
}


@dataclass(frozen=True, slots=True)
class Effect:
    """How large a change is, in the user's unit, with an interval for the true size.

    All sizes are magnitudes: 0 <= low <= value <= high. `p_no_change` is the chance of evidence at
    least this strong if nothing had changed. `biased_low` marks an estimate that may sit below the
    truth (many categories, few rows): it never supports "steady" by itself. `p_alarm` is the p of a
    calibrated test of no change that sees more than the size does (the vector battery): alone it can
    raise "watch", never "changed". `told` is how people say it where the name alone would not do, with
    {} for the size: "a fall of {}".

    >>> Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=1e-40).low
    0.27
    """

    name: str
    value: float
    low: float
    high: float
    tolerance: float
    p_no_change: float
    level: float = 0.95
    biased_low: bool = False
    p_alarm: float | None = None
    told: str = ""

    def __post_init__(self) -> None:
        """Clip the estimate into its interval, so that no reader ever sees one outside."""
        if math.isnan(self.value) or math.isnan(self.low) or math.isnan(self.high):
            return
        low, high = max(0.0, min(self.low, self.high)), max(self.low, self.high, 0.0)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "value", min(max(self.value, low), high))

    @property
    def defined(self) -> bool:
        """False where there were no rows, or the effect is not a number."""
        return not any(math.isnan(x) for x in (self.value, self.low, self.high, self.p_no_change))

    @property
    def detected(self) -> bool:
        """True where the interval excludes zero: a difference is real, whatever its size."""
        return self.defined and self.low > 0


def check_tolerance(name: str, tolerance: float) -> float:
    """Return the tolerance, or raise UsageError where it is not between 0 and half the maximum.

    >>> check_tolerance("cdf_gap", 0.1)
    0.1
    """
    maximum = EFFECT_MAXIMUM.get(name, math.inf)
    if not 0 < tolerance < maximum / 2:
        limit = f" and below {maximum / 2:g}" if math.isfinite(maximum) else ""
        raise UsageError(f"tolerance {tolerance!r} for {name}: it must be above 0{limit}")
    return tolerance


def decide(effect: Effect | None, comparisons: int) -> Verdict:
    """Return the verdict of one comparison out of `comparisons` in the same report.

    A fact (a column gone, a type changed) has no effect and is `changed`. The rules are tested in
    this order, so exactly one applies.

    >>> decide(Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=1e-40), 50)
    <Verdict.CHANGED: 'changed'>
    >>> decide(Effect("cdf_gap", 0.06, 0.01, 0.30, tolerance=0.1, p_no_change=0.01), 50)
    <Verdict.UNKNOWN: 'unknown'>
    """
    if effect is None:
        return Verdict.CHANGED
    if not effect.defined:
        return Verdict.UNKNOWN
    share = max(comparisons, 1)
    tolerance = effect.tolerance
    if effect.p_no_change <= min(CHANGED_P, CHANGED_FAMILY / share) and effect.low > tolerance:
        return Verdict.CHANGED
    if effect.p_no_change <= WATCH_FAMILY / share and effect.value > tolerance:
        return Verdict.WATCH
    if effect.p_alarm is not None and effect.p_alarm <= WATCH_FAMILY / share:
        return Verdict.WATCH
    if effect.high <= tolerance:
        return Verdict.STEADY
    if effect.value <= tolerance and effect.high < 2 * tolerance and not effect.biased_low:
        return Verdict.STEADY
    return Verdict.UNKNOWN

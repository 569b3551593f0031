"""Dots with whiskers: a metric before and after, and how far confidence can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from undertow.core.finding import percent
from undertow.surfaces.viz.axis import MINUS, number, short, ticks
from undertow.surfaces.viz.marks import SPARK, WIDTH, Drawing, Shape, line, point, rows_of, text

SIDES = (("reference", "ref-dot"), ("current", "cur-dot"))
LEFT, RIGHT, TOP, FOOT, BASE = 44.0, 304.0, 26.0, 196.0, 232.0
TALL = 26.0


class Dot(NamedTuple):
    """A value with its interval."""

    value: float
    low: float
    high: float


def metric(shape: Shape) -> Drawing | None:
    """Draw a metric before and after, one under the other, each with its interval."""
    dots = [_dot(shape.get(side)) for side, _ in SIDES]
    known = [dot for dot in dots if dot is not None]
    if len(known) < 2:
        return None
    low, high = min(dot.low for dot in known), max(dot.high for dot in known)
    room = (high - low) * 0.12 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room
    left, right, foot = 84.0, 356.0, 62.0

    def across(x: float) -> float:
        return left + (right - left) * (x - low) / (high - low)

    marks = []
    for place, word in zip(*ticks(low, high, 4), strict=True):
        marks.append(line("grid", across(place), 6, across(place), foot))
        marks.append(text(across(place), foot + 18, word, "tick", "middle"))
    marks.append(line("link", across(known[0].value), 20, across(known[1].value), 48))
    said = []
    for (side, kind), dot, y in zip(SIDES, known, (20.0, 48.0), strict=True):
        marks.append(line("ci", across(dot.low), y, across(dot.high), y))
        marks.append(_circle(kind, across(dot.value), y, 5))
        marks.append(text(left - 10, y + 4, side, "tick", "end"))
        marks.append(text(right + 10, y + 4, _exact(dot.value)))
        said.append(f"{side} {_exact(dot.value)} ({_exact(dot.low)} to {_exact(dot.high)})")
    return WIDTH, 88, "".join(marks), "; ".join(said)


def metric_spark(shape: Shape) -> Drawing | None:
    """Draw the two values as small as a word."""
    known = [dot for side, _ in SIDES if (dot := _dot(shape.get(side))) is not None]
    if len(known) < 2:
        return None
    width, height = SPARK
    old, new = (dot.value for dot in known)
    reach = max(abs(old), abs(new)) or 1.0
    places = [width / 2 + 40 * (each - (old + new) / 2) / reach for each in (old, new)]
    marks = line("link", places[0], height / 2, places[1], height / 2)
    for (_, kind), x in zip(SIDES, places, strict=True):
        marks += _circle(kind, x, height / 2, 4)
    return width, height, marks, ""


def calibration(shape: Shape) -> Drawing | None:
    """Draw the share right at each confidence, the line of perfect belief, and rows beneath."""
    spots = [
        (x, row)
        for row in rows_of(shape, 40)
        if (x := number(row.get("confidence"))) is not None and 0 <= x <= 1
    ]
    if not spots:
        return None
    marks = [line("dash", LEFT, FOOT, RIGHT, TOP), text(0, 12, "share right", "tick")]
    for share in (0.0, 0.5, 1.0):
        marks.append(line("grid" if share else "axis", LEFT, _up(share), RIGHT, _up(share)))
        marks.append(text(LEFT - 6, _up(share) + 4, percent(share), "tick", "end"))
        marks.append(text(_across(share), BASE + 16, percent(share), "tick", "middle"))
    marks.append(text(RIGHT + 24, BASE - 3, "rows", "tick"))
    marks.append(text(RIGHT + 24, BASE + 16, "confidence", "tick"))
    said = []
    counts = [number(row.get(f"rows_{side}")) or 0.0 for _, row in spots for side, _ in SIDES]
    for x, row in spots:
        marks += [*_bars(x, row, max(counts), len(spots)), *_spot(x, row)]
        new = number(row.get("current"))
        if new is not None:
            said.append(f"at {percent(x)} sure {percent(new)} right")
    return WIDTH, BASE + 22, "".join(marks), "; ".join(said)


def _across(x: float) -> float:
    return LEFT + (RIGHT - LEFT) * x


def _up(y: float) -> float:
    return FOOT - (FOOT - TOP) * max(0.0, min(1.0, y))


def _bars(x: float, row: Mapping[str, object], most: float, among: int) -> list[str]:
    """Return how many rows of each side have this confidence."""
    wide = min((RIGHT - LEFT) / (2.4 * among), 9.0)
    marks = []
    for start, (side, kind) in zip((_across(x) - wide, _across(x)), SIDES, strict=True):
        rows = number(row.get(f"rows_{side}")) or 0.0
        if 0 < rows <= most:
            tall = point(BASE - TALL * rows / most)
            box = f"M{point(start)} {point(BASE)}V{tall}h{point(wide)}V{point(BASE)}Z"
            marks.append(f'<path class="{kind}" d="{box}"/>')
    return marks


def _spot(x: float, row: Mapping[str, object]) -> list[str]:
    """Return both sides' dots at one confidence, and the interval of the current one."""
    marks = []
    low, high = number(row.get("low")), number(row.get("high"))
    if low is not None and high is not None:
        marks.append(line("ci", _across(x), _up(low), _across(x), _up(high)))
    for side, kind in SIDES:
        value = number(row.get(side))
        if value is not None:
            marks.append(_circle(kind, _across(x), _up(value), 3.5))
    return marks


def _dot(given: object) -> Dot | None:
    if not isinstance(given, Mapping):
        return None
    value, low, high = (number(given.get(each)) for each in ("value", "low", "high"))
    if value is None:
        return None
    return Dot(value, value if low is None else low, value if high is None else high)


def _exact(value: float) -> str:
    return f"{value:.3f}".replace("-", MINUS) if abs(value) < 10 else short(value)


def _circle(kind: str, x: float, y: float, radius: float) -> str:
    return f'<circle class="{kind}" cx="{point(x)}" cy="{point(y)}" r="{radius:g}"/>'

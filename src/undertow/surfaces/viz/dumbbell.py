"""Dumbbells: many values before and after, one under the other on one scale, and a Lorenz curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from undertow.core.finding import percent
from undertow.surfaces.safe import safe
from undertow.surfaces.viz.axis import MINUS, fit, number, short, ticks
from undertow.surfaces.viz.marks import WIDTH, Drawing, Shape, line, point, rows_of, text

MOST = 24
ROW, TOP = 22.0, 8.0
LEFT, RIGHT = 132.0, 372.0
Dot = tuple[float, float, float]


def dumbbell(shape: Shape) -> Drawing | None:
    """Draw each row's value before (grey) and now (blue, with its interval), on one scale.

    Rows are {"name", "reference": {"value", "low", "high"} or None, "current": the same}; values are
    numbers, or shares where the shape says {"unit": "share"}.
    """
    rows = [
        (safe(row.get("name"), 60), _dot(row.get("reference")), now)
        for row in rows_of(shape, MOST)
        if (now := _dot(row.get("current"))) is not None
    ]
    if not rows:
        return None
    known = [dot for _, old, now in rows for dot in (old, now) if dot is not None]
    low, high = min(dot[1] for dot in known), max(dot[2] for dot in known)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room
    told = percent if shape.get("unit") == "share" else _exact
    foot = TOP + ROW * len(rows)

    def across(x: float) -> float:
        return LEFT + (RIGHT - LEFT) * (x - low) / (high - low)

    marks = []
    places, words = ticks(low, high, 4)
    if shape.get("unit") == "share":
        words = [percent(place) for place in places]
    for place, word in zip(places, words, strict=True):
        marks.append(line("grid", across(place), TOP, across(place), foot))
        marks.append(text(across(place), foot + 16, word, "tick", "middle"))
    said = []
    for nth, (name, old, now) in enumerate(rows):
        y = TOP + ROW * (nth + 0.5)
        marks.append(text(LEFT - 10, y + 4, fit(name, LEFT - 14), "", "end"))
        marks.append(line("ci", across(now[1]), y, across(now[2]), y))
        if old is not None:
            marks.append(line("link", across(old[0]), y, across(now[0]), y))
            marks.append(_circle("ref-dot", across(old[0]), y, 4))
        marks.append(_circle("cur-dot", across(now[0]), y, 4.5))
        marks.append(text(RIGHT + 10, y + 4, told(now[0])))
        before = "" if old is None else f"{told(old[0])} to "
        said.append(f"{name} {before}{told(now[0])}")
    return WIDTH, foot + 22, "".join(marks), "; ".join(said)


SIDE = 180.0
MARGIN = 44.0
LINES = (("reference", "ref-line"), ("current", "cur"))


def lorenz(shape: Shape) -> Drawing | None:
    """Draw how much of all servings the least served share of the items has, before and now.

    Both sides are lists of cumulative shares from 0 to 1, at equal steps of the items. The straight
    line is what an even share for all would be.
    """
    curves = [
        (kind, curve) for side, kind in LINES if (curve := _curve(shape.get(side))) is not None
    ]
    if not curves:
        return None
    foot = TOP + SIDE
    marks = [line("dash", MARGIN, foot, MARGIN + SIDE, TOP)]
    for share in (0.0, 0.5, 1.0):
        x, y = MARGIN + SIDE * share, foot - SIDE * share
        marks.append(line("grid" if share else "axis", MARGIN, y, MARGIN + SIDE, y))
        marks.append(text(MARGIN - 6, y + 4, percent(share), "tick", "end"))
        marks.append(text(x, foot + 16, percent(share), "tick", "middle"))
    marks.append(text(MARGIN + SIDE + 22, foot + 16, "of items", "tick"))
    marks.append(text(MARGIN + SIDE + 12, TOP + 4, "of servings", "tick"))
    said = []
    for kind, curve in curves:
        steps = len(curve) - 1
        path = "L".join(
            f"{point(MARGIN + SIDE * place / steps)} {point(foot - SIDE * share)}"
            for place, share in enumerate(curve)
        )
        marks.append(f'<path class="{kind}" d="M{path}"/>')
        side = "reference" if kind == "ref-line" else "current"
        said.append(f"{side}: the lower half of the items has {percent(curve[steps // 2])}")
    return WIDTH, foot + 22, "".join(marks), "; ".join(said)


def _curve(given: object) -> list[float] | None:
    if not isinstance(given, Sequence) or isinstance(given, str) or not 2 <= len(given) <= 201:
        return None
    values = [number(each) for each in given]
    if any(each is None or not 0 <= each <= 1 for each in values):
        return None
    return [each for each in values if each is not None]


def _dot(given: object) -> Dot | None:
    if not isinstance(given, Mapping):
        return None
    value, low, high = (number(given.get(each)) for each in ("value", "low", "high"))
    if value is None:
        return None
    return value, value if low is None else low, value if high is None else high


def _exact(value: float) -> str:
    if abs(value) >= 10 or (value and math.log10(abs(value)) < -3):
        return short(value)
    return f"{value:.3f}".replace("-", MINUS)


def _circle(kind: str, x: float, y: float, radius: float) -> str:
    return f'<circle class="{kind}" cx="{point(x)}" cy="{point(y)}" r="{radius:g}"/>'

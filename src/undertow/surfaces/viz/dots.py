"""Dots with whiskers: a metric before and after, and how far confidence can be believed."""

from __future__ import annotations

from collections.abc import Mapping

from undertow.core.finding import percent
from undertow.surfaces.viz.axis import MINUS, number, short, ticks
from undertow.surfaces.viz.marks import WIDTH, Drawing, Shape, line, point, rows_of, text


def metric(shape: Shape) -> Drawing | None:
    sides = []
    for side in ("reference", "current"):
        given = shape.get(side)
        given = given if isinstance(given, Mapping) else {}
        value = number(given.get("value"))
        if value is None:
            return None
        low, high = number(given.get("low")), number(given.get("high"))
        sides.append((side, value, value if low is None else low, value if high is None else high))
    low, high = min(s[2] for s in sides), max(s[3] for s in sides)
    room = (high - low) * 0.12 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room
    left, right, foot = 84.0, 356.0, 62.0

    def across(x: float) -> float:
        return left + (right - left) * (x - low) / (high - low)

    marks = []
    for place, word in zip(*ticks(low, high, 4), strict=True):
        marks.append(line("grid", across(place), 6, across(place), foot))
        marks.append(text(across(place), foot + 18, word, "tick", "middle"))
    (_, old, *_), (_, new, *_) = sides
    marks.append(line("link", across(old), 20, across(new), 48))
    for (side, value, less, more), y, kind in zip(
        sides, (20, 48), ("ref-dot", "cur-dot"), strict=True
    ):
        marks.append(line("ci", across(less), y, across(more), y))
        marks.append(f'<circle class="{kind}" cx="{point(across(value))}" cy="{y}" r="5"/>')
        marks.append(text(left - 10, y + 4, side, "tick", "end"))
        marks.append(
            text(
                right + 10,
                y + 4,
                f"{value:.3f}".replace("-", MINUS) if abs(value) < 10 else short(value),
            )
        )
    said = "; ".join(
        f"{side} {short(value)} ({short(a)} to {short(b)})" for side, value, a, b in sides
    )
    return WIDTH, 88, "".join(marks), said


def metric_spark(shape: Shape) -> Drawing | None:
    drawn = metric(shape)
    if drawn is None:
        return None
    old, new = (number(shape[side]["value"]) or 0 for side in ("reference", "current"))
    edge = max(abs(old), abs(new)) or 1
    places = [48 + 40 * (each - (old + new) / 2) / edge for each in (old, new)]
    dots = "".join(
        f'<circle class="{kind}" cx="{point(x)}" cy="12" r="4"/>'
        for x, kind in zip(places, ("ref-dot", "cur-dot"), strict=True)
    )
    return 96, 24, line("link", places[0], 12, places[1], 12) + dots, ""


def calibration(shape: Shape) -> Drawing | None:
    left, right, top, foot, base = 44.0, 304.0, 10.0, 190.0, 226.0
    rows = rows_of(shape, 40)
    spots = [
        (x, row) for row in rows if (x := number(row.get("confidence"))) is not None and 0 <= x <= 1
    ]
    if not spots:
        return None

    def across(x: float) -> float:
        return left + (right - left) * x

    def up(y: float) -> float:
        return foot - (foot - top) * max(0.0, min(1.0, y))

    marks = [line("dash", left, foot, right, top)]
    for share in (0.0, 0.5, 1.0):
        marks.append(line("grid" if share else "axis", left, up(share), right, up(share)))
        marks.append(text(left - 6, up(share) + 4, percent(share), "tick", "end"))
        marks.append(text(across(share), base + 16, percent(share), "tick", "middle"))
    said, widths = [], (right - left) / (2.4 * len(spots))
    most = max(
        (number(row.get(f"rows_{s}")) or 0 for _, row in spots for s in ("reference", "current"))
    )
    for x, row in spots:
        values = {side: number(row.get(side)) for side in ("reference", "current", "low", "high")}
        if values["low"] is not None and values["high"] is not None:
            marks.append(line("ci", across(x), up(values["low"]), across(x), up(values["high"])))
        for side, kind in (("reference", "ref-dot"), ("current", "cur-dot")):
            value, rows_here = values[side], number(row.get(f"rows_{side}")) or 0
            if most > 0 and rows_here > 0:
                start = across(x) - (widths if side == "reference" else 0)
                height = 26 * rows_here / most
                marks.append(
                    f'<path class="{kind}" d="M{point(start)} {point(base)}v-{point(height)}h{point(widths)}V{point(base)}Z"/>'
                )
            if value is not None:
                marks.append(
                    f'<circle class="{kind}" cx="{point(across(x))}" cy="{point(up(value))}" r="3.5"/>'
                )
        if values["current"] is not None:
            was = "" if values["reference"] is None else f", was {percent(values['reference'])}"
            said.append(f"at {percent(x)} sure {percent(values['current'])} right{was}")
    marks.append(text(right + 10, up(1) + 4, "share right", "tick"))
    marks.append(text(right + 10, base - 4, "rows", "tick"))
    marks.append(text(right + 10, base + 16, "confidence", "tick"))
    return WIDTH, base + 22, "".join(marks), "; ".join(said)

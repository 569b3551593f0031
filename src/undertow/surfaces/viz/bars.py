"""Bars to both sides of a middle line: shares of categories, and word shift graphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from undertow.core.finding import percent
from undertow.surfaces.safe import safe
from undertow.surfaces.viz.axis import MINUS, fit, number, short
from undertow.surfaces.viz.marks import WIDTH, Drawing, Shape, line, point, rows_of, text

ROW = 22
LEFT, MIDDLE, REACH, RIGHT = 134, 224, 78, 314

Bar = tuple[str, float, float | None, float | None, str]
"""Label, amount, low and high end of its interval, text at the right."""


def shares(shape: Shape) -> Drawing | None:
    listed: list[tuple[str, float, float | None, float | None, str]] = []
    said = []
    for row in rows_of(shape, 12):
        old, new = number(row.get("reference")), number(row.get("current"))
        if old is None or new is None or not (0 <= old <= 1 and 0 <= new <= 1):
            continue
        name, whole = _name(row, "value")
        words = f"{percent(old)} → {percent(new)}"
        listed.append((name, new - old, number(row.get("low")), number(row.get("high")), words))
        said.append(f"{whole} {words}")
    if not listed:
        return None
    furthest = max(
        abs(x) for _, amount, low, high, _ in listed for x in (amount, low or 0, high or 0)
    )
    # A floor, so that one point more is never drawn as long as eighteen; round steps of five points.
    limit = min(max(0.05, -(-round(furthest, 6) // 0.05) * 0.05), 1.0)
    others, height = _others(shape, len(listed))
    foot = 4 + ROW * len(listed)
    marks = "".join(line("grid", MIDDLE + s * REACH, 4, MIDDLE + s * REACH, foot) for s in (-1, 1))
    marks += _diverging(listed, limit, 4) + line("axis", MIDDLE, 4, MIDDLE, foot)
    points = f"{100 * limit:.0f} pp"
    for side, words in ((-1, MINUS + points), (0, "0"), (1, "+" + points)):
        marks += text(MIDDLE + side * REACH, foot + 15, words, "tick", "middle")
    return WIDTH, height, marks + others, "; ".join(said)


def words(shape: Shape) -> Drawing | None:
    listed: list[tuple[str, float, float | None, float | None, str]] = []
    said = []
    for row in rows_of(shape, 15):
        weight = number(row.get("contribution"))
        old, new = number(row.get("reference")), number(row.get("current"))
        if weight is None or old is None or new is None:
            continue
        name, whole = _name(row, "word")
        words = f"{short(old)} → {short(new)}"
        listed.append((name, abs(weight) * (1 if new > old else -1), None, None, words))
        said.append(f"{whole} {words} per 10,000 texts")
    limit = max((abs(amount) for _, amount, *_ in listed), default=0)
    if limit <= 0:
        return None
    foot = 22 + ROW * len(listed)
    marks = text(MIDDLE - 6, 14, "rarer now", "tick", "end") + text(
        MIDDLE + 6, 14, "commoner now", "tick"
    )
    marks += _diverging(listed, limit, 22) + line("axis", MIDDLE, 22, MIDDLE, foot)
    return WIDTH, foot + 6, marks, "; ".join(said)


def shares_spark(shape: Shape) -> Drawing | None:
    pairs = [(number(r.get("reference")), number(r.get("current"))) for r in rows_of(shape, 8)]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    most = max((max(pair) for pair in known), default=0)
    if most <= 0:
        return None
    step = min(96 / len(known), 18)
    bars, lines = "", ""
    for place, (old, new) in enumerate(known):
        x = place * step
        bars += f"M{point(x)} 24V{point(24 - 22 * max(old, 0) / most)}h{point(step - 2)}V24Z"
        lines += f"M{point(x)} {point(24 - 22 * max(new, 0) / most)}h{point(step - 2)}"
    return 96, 24, f'<path class="ref" d="{bars}"/><path class="cur" d="{lines}"/>', ""


def _others(shape: Shape, drawn: int) -> tuple[str, float]:
    """Return the line about values that have no bar of their own, and the chart's height."""
    foot = 4 + ROW * drawn + 22
    others = shape.get("others")
    if not isinstance(others, Mapping):
        return "", foot
    count, old, new = (number(others.get(each)) for each in ("count", "reference", "current"))
    if not count or old is None or new is None:
        return "", foot
    words = f"{count:,.0f} other{'s' if count > 1 else ''}"
    return (
        text(LEFT, foot + 13, words, "tick", "end")
        + text(RIGHT, foot + 13, f"{percent(old)} → {percent(new)}", "tick")
    ), foot + 20


def _name(row: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Return a row's label cut to fit, and the note that follows it."""
    note = row.get("note")
    mark = f" ({note})" if note in {"new", "gone"} else ""
    whole = safe("" if row.get(key) is None else row.get(key), 80) or "(empty)"
    return fit(whole, LEFT - 4 - 7 * len(mark)) + mark, whole


def _diverging(
    rows: Iterable[tuple[str, float, float | None, float | None, str]], limit: float, top: float
) -> str:
    """Return bars to both sides of a middle line: label, amount, interval, and text at the right."""
    marks = []
    for place, (name, amount, low, high, words) in enumerate(rows):
        y = top + ROW * place
        x = MIDDLE + REACH * max(-1.0, min(1.0, amount / limit))
        marks.append(text(LEFT, y + 15, name, anchor="end"))
        kind = "more" if amount > 0 else "less"
        marks.append(f'<path class="{kind}" d="M{MIDDLE} {point(y + 4)}H{point(x)}v14H{MIDDLE}Z"/>')
        if low is not None and high is not None:
            ends = (max(-1.0, min(1.0, each / limit)) * REACH + MIDDLE for each in (low, high))
            marks.append(
                f'<path class="ci" d="M{point(next(ends))} {point(y + 11)}H{point(next(ends))}"/>'
            )
        marks.append(text(RIGHT, y + 15, words, "tick"))
    return "".join(marks)

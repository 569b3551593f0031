"""Bars to both sides of a middle line: shares of categories, and word shift graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from undertow.core.finding import percent
from undertow.surfaces.safe import safe
from undertow.surfaces.viz.axis import MINUS, extent, fit, number, short
from undertow.surfaces.viz.marks import SPARK, WIDTH, Drawing, Shape, line, point, rows_of, text

ROW = 22
LEFT, MIDDLE, REACH, RIGHT = 134, 224, 78, 314
FLOOR = 0.05
"""The scale of shares ends at five points or more: one point is never drawn as long as eighteen."""
MOST_SHARES, MOST_WORDS = 12, 15


class Bar(NamedTuple):
    """A label, how far the bar goes to the right or left, its interval, and the text beside it."""

    label: str
    amount: float
    low: float | None
    high: float | None
    beside: str
    whole: str


def shares(shape: Shape) -> Drawing | None:
    """Draw how much each value's share rose or fell, in percentage points with its interval."""
    bars = []
    for row in rows_of(shape, MOST_SHARES):
        old, new = number(row.get("reference")), number(row.get("current"))
        if old is None or new is None or not (0 <= old <= 1 and 0 <= new <= 1):
            continue
        low, high = number(row.get("low")), number(row.get("high"))
        beside = f"{percent(old)} → {percent(new)}"
        bars.append(Bar(_label(row, "value"), new - old, low, high, beside, _whole(row, "value")))
    if not bars:
        return None
    furthest = max(abs(x) for bar in bars for x in (bar.amount, bar.low or 0, bar.high or 0))
    limit = min(max(FLOOR, -(-round(furthest, 6) // FLOOR) * FLOOR), 1.0)
    bars += _others(shape)
    foot = 4 + ROW * len(bars)
    marks = "".join(line("grid", x, 4, x, foot) for x in (MIDDLE - REACH, MIDDLE + REACH))
    marks += _draw(bars, limit, 4) + line("axis", MIDDLE, 4, MIDDLE, foot)
    points = f"{100 * limit:.0f} pp"
    for side, words in ((-1, MINUS + points), (0, "0"), (1, "+" + points)):
        marks += text(MIDDLE + side * REACH, foot + 15, words, "tick", "middle")
    return WIDTH, foot + 22, _to_the_left(bars, marks), _said(bars)


def words(shape: Shape) -> Drawing | None:
    """Draw the words that set the two sides apart: right is commoner now, left is rarer."""
    bars = []
    for row in rows_of(shape, MOST_WORDS):
        weight = number(row.get("contribution"))
        old, new = number(row.get("reference")), number(row.get("current"))
        if weight is None or old is None or new is None:
            continue
        amount = abs(weight) if new > old else -abs(weight)
        beside = f"{short(old)} → {short(new)}"
        bars.append(Bar(_label(row, "word"), amount, None, None, beside, _whole(row, "word")))
    limit = max((abs(bar.amount) for bar in bars), default=0)
    if limit <= 0:
        return None
    foot = 22 + ROW * len(bars)
    marks = text(MIDDLE - 6, 14, "rarer now", "tick", "end")
    marks += text(MIDDLE + 6, 14, "commoner now", "tick")
    marks += _draw(bars, limit, 22) + line("axis", MIDDLE, 22, MIDDLE, foot)
    return WIDTH, foot + 6, _to_the_left(bars, marks), "uses per 10,000 texts: " + _said(bars)


def shares_spark(shape: Shape) -> Drawing | None:
    """Draw the shares as small as a word: columns before, lines now."""
    pairs = [(number(r.get("reference")), number(r.get("current"))) for r in rows_of(shape, 8)]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    most = max((max(pair) for pair in known), default=0)
    if most <= 0:
        return None
    width, height = SPARK
    step = min(width / len(known), 18)
    columns, lines = "", ""
    for place, (old, new) in enumerate(known):
        tops = [height - (height - 2) * max(each, 0) / most for each in (old, new)]
        columns += f"M{point(place * step)} {height}V{point(tops[0])}h{point(step - 2)}V{height}Z"
        lines += f"M{point(place * step)} {point(tops[1])}h{point(step - 2)}"
    return width, height, f'<path class="ref" d="{columns}"/><path class="cur" d="{lines}"/>', ""


def _draw(bars: Sequence[Bar], limit: float, top: float) -> str:
    def across(amount: float) -> str:
        return point(MIDDLE + REACH * max(-1.0, min(1.0, amount / limit)))

    marks = []
    for place, bar in enumerate(bars):
        y = top + ROW * place
        kind = "more" if bar.amount > 0 else "less"
        box = f"M{MIDDLE} {point(y + 4)}H{across(bar.amount)}v14H{MIDDLE}Z"
        marks.append(text(LEFT, y + 15, bar.label, anchor="end"))
        marks.append(f'<path class="{kind}" d="{box}"/>')
        if bar.low is not None and bar.high is not None:
            whisker = f"M{across(bar.low)} {point(y + 11)}H{across(bar.high)}"
            marks.append(f'<path class="ci" d="{whisker}"/>')
            inside = max(bar.low, min(0, bar.amount)), min(bar.high, max(0, bar.amount))
            if inside[0] < inside[1]:  # on the bar, the whisker is cut out of it
                whisker = f"M{across(inside[0])} {point(y + 11)}H{across(inside[1])}"
                marks.append(f'<path class="within" d="{whisker}"/>')
        marks.append(text(RIGHT, y + 15, bar.beside, "tick"))
    return "".join(marks)


def _others(shape: Shape) -> list[Bar]:
    """Return the bar of all values that have no bar of their own."""
    others = shape.get("others")
    if not isinstance(others, Mapping):
        return []
    count, old, new = (number(others.get(each)) for each in ("count", "reference", "current"))
    if not count or old is None or new is None:
        return []
    name = f"{count:,.0f} other{'s' if count > 1 else ''}"
    return [Bar(name, new - old, None, None, f"{percent(old)} → {percent(new)}", name)]


def _to_the_left(bars: Sequence[Bar], marks: str) -> str:
    """Move the marks so that the longest label starts where the text of the page does."""
    longest = max(extent(bar.label) for bar in bars)
    return f'<g transform="translate({point(min(0.0, longest + 2 - LEFT))})">{marks}</g>'


def _whole(row: Shape, key: str) -> str:
    value: Any = row.get(key)
    return safe("" if value is None else value, 80) or "(empty)"


def _label(row: Shape, key: str) -> str:
    """Return a row's name cut to fit, and the note that follows it."""
    note = row.get("note")
    mark = f" ({note})" if isinstance(note, str) and note in {"new", "gone"} else ""
    return fit(_whole(row, key), LEFT - 4 - 7 * len(mark)) + mark


def _said(bars: Sequence[Bar]) -> str:
    return "; ".join(f"{bar.whole} {bar.beside}" for bar in bars)

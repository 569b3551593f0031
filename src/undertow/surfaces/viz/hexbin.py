"""Two clouds of points as hexagons: reference filled, current outlined, each as large as its share.

Where the two agree, an outline lies on the edge of what is filled; an empty outline is new, and a
filled hexagon without one has gone. So a map can be read in print, and without scripts.
"""

from __future__ import annotations

import base64
import binascii
import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from undertow.core.finding import percent
from undertow.surfaces.safe import safe
from undertow.surfaces.viz.axis import extent, fit, number
from undertow.surfaces.viz.marks import Drawing, Shape, point, text

WIDE, TALL, LOW = 720.0, 520.0, 280.0
"""Width of a map, and its height: what its points need, between these."""
EDGE = 18.0
HALF, ROW = 8.0, 14.0
"""Half the width of a hexagon, and from one row of them to the next, in pixels: whole numbers make
short paths, and 14 is 1% from regular."""
LEVELS = (0.3, 0.44, 0.58, 0.72, 0.86, 1.0)
MOST_POINTS = 200_000

Cell = tuple[int, int]


class Cloud(NamedTuple):
    """The points of a map: steps of one grid for both axes, y upward, the reference's first."""

    x: Sequence[int]
    y: Sequence[int]
    reference: int
    size: tuple[float, float]


class Class(NamedTuple):
    """A class by name: where its middle lies, and its share of all rows of each side."""

    name: str
    at: tuple[float, float] | None
    reference: float | None
    current: float | None


def cloud(shape: Shape) -> Cloud | None:
    """Return the points of a map, or None where they cannot be read.

    >>> made = cloud({"x": "AAD//w==", "y": "AAABAA==", "drawn": {"reference": 1, "current": 1}})
    >>> list(made.x), list(made.y)
    ([0, 65535], [0, 1])
    """
    x, y = (_unpacked(shape.get(axis)) for axis in "xy")
    drawn, size = shape.get("drawn"), shape.get("size")
    if x is None or y is None or len(x) != len(y) or not isinstance(drawn, Mapping):
        return None
    split, rest = (number(drawn.get(side)) for side in ("reference", "current"))
    if split is None or rest is None or split + rest != len(x) or not 0 <= split <= len(x):
        return None
    given = [number(each) for each in size] if isinstance(size, list) else []
    spans = [min(each, 65_535.0) for each in given if each is not None and each >= 0]
    return Cloud(x, y, int(split), (spans[0], spans[1]) if len(spans) == 2 else (65_535, 65_535))


def _unpacked(packed: Any) -> Sequence[int] | None:
    if not isinstance(packed, str) or len(packed) > 3 * MOST_POINTS:
        return None
    try:
        values = array("H", base64.b64decode(packed, validate=True))
    except (ValueError, binascii.Error):
        return None
    if sys.byteorder == "big":
        values.byteswap()
    return values or None


def classes(shape: Shape, field: str) -> list[Class]:
    """Return the named classes of one field of a map, the commonest first."""
    fields = shape.get("classes")
    for each in fields if isinstance(fields, list) else ():
        if isinstance(each, Mapping) and each.get("field") == field:
            return list(_classes(each))
    return []


def _classes(given: Mapping[str, Any]) -> Iterator[Class]:
    values, spots = given.get("values"), given.get("at")
    sides = [_shares(given.get(side)) for side in ("reference", "current")]
    for place, value in enumerate(values if isinstance(values, list) else ()):
        spot = spots[place] if isinstance(spots, list) and place < len(spots) else None
        at = [number(each) for each in spot] if isinstance(spot, list) else []
        old, new = (side[place] if place < len(side) else None for side in sides)
        pair = (at[0], at[1]) if len(at) == 2 and None not in at else None
        yield Class(safe(value, 60) or "(empty)", pair, old, new)  # type: ignore[arg-type]


def _shares(counts: Any) -> list[float | None]:
    """Return counts as shares of all rows; the last counts are of other classes, and of none."""
    known = [number(each) for each in counts] if isinstance(counts, list) else []
    total = sum(each or 0.0 for each in known)
    return [None if each is None or total <= 0 else each / total for each in known]


def hexbin(shape: Shape) -> Drawing | None:
    """Draw where the rows of both sides lie, both axes on one scale."""
    points = cloud(shape)
    if points is None:
        return None
    scale, left, foot, height = _fitted(points.size)
    cells: tuple[Counter[Cell], Counter[Cell]] = Counter(), Counter()
    for place, (x, y) in enumerate(zip(points.x, points.y, strict=True)):
        cells[place >= points.reference][_cell(left + x * scale, foot - y * scale)] += 1
    sides = [{cell: n / side.total() for cell, n in side.items()} for side in cells]
    every = sorted(share for side in sides for share in side.values())
    most = every[int(0.99 * (len(every) - 1))]
    marks = "".join(
        f'<path class="{kind}" d="{_hexagons(side, most)}"/>'
        for kind, side in zip(("ref", "cur hex"), sides, strict=True)
    )
    spots = [
        (each.name, left + each.at[0] * scale, foot - each.at[1] * scale)
        for each in classes(shape, "cluster")
        if each.at is not None
    ]
    return WIDE, height, marks + _names(spots, height), said(shape)


def _fitted(size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return pixels a step, where the first column and the lowest row stand, and the height."""
    wide, tall = max(size[0], 1.0), max(size[1], 1.0)
    scale = min((WIDE - 2 * EDGE) / wide, (TALL - 2 * EDGE) / tall)
    height = round(max(tall * scale + 2 * EDGE, LOW))
    return scale, (WIDE - wide * scale) / 2, (height + tall * scale) / 2, height


def _cell(x: float, y: float) -> Cell:
    """Return the hexagon that a point is in: the nearer middle of two rectangular lattices."""
    across, down = x / (2 * HALF), y / (2 * ROW)
    near = round(across), round(down)
    other = math.floor(across) + 0.5, math.floor(down) + 0.5
    steep = (ROW / HALF) ** 2
    first = (across - near[0]) ** 2 + steep * (down - near[1]) ** 2
    second = (across - other[0]) ** 2 + steep * (down - other[1]) ** 2
    middle = near if first <= second else other
    return int(2 * middle[0]), int(2 * middle[1])


def _hexagons(side: Mapping[Cell, float], most: float) -> str:
    """Return the outlines of a side's hexagons, their area in proportion to the share."""
    made = []
    for (across, down), share in sorted(side.items()):
        part = math.sqrt(min(share / most, 1.0)) if most > 0 else 1.0
        level = min(LEVELS, key=lambda each: abs(each - part))
        made.append(
            f"M{point(across * HALF)} {point(down * ROW - 2 * ROW / 3 * level)}{_RING[level]}"
        )
    return "".join(made)


def _ring(level: float) -> str:
    wide, tall = HALF * level, ROW / 3 * level
    x, y, down = point(wide), point(tall), point(2 * tall)
    return f"l{x} {y}v{down}l-{x} {y}-{x}-{y}v-{down}z"


_RING = {level: _ring(level) for level in LEVELS}


def _names(spots: Sequence[tuple[str, float, float]], height: float) -> str:
    """Return names at their places, or a line above or below; those without room are left out."""
    taken: list[tuple[float, float, float, float]] = []
    marks = []
    for name, x, y in spots:
        words = fit(name, 168)
        half = extent(words) / 2 + 3
        across = min(max(x, half), WIDE - half)
        for down in (y, y - 17, y + 17, y - 34, y + 34):
            box = (across - half, down - 9, across + half, down + 9)
            inside = box[1] >= 0 and box[3] <= height
            if inside and not any(_meet(box, each) for each in taken):
                taken.append(box)
                marks.append(text(across, down + 4, words, "name", "middle"))
                break
    return "".join(marks)


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def said(shape: Shape) -> str:
    """Return what a map shows in words: how many rows, on which axes, and each cluster's shares."""
    shares = [
        f"{each.name} {percent(each.reference)} → {percent(each.current)}"
        for each in classes(shape, "cluster")
        if each.reference is not None and each.current is not None
    ]
    return "; ".join([drawn(shape), *shares])


def drawn(shape: Shape) -> str:
    """Return how many rows a map shows of how many, and what its axes are.

    >>> rows = {"rows": {"reference": 45_000, "current": 8_000}}
    >>> drawn(rows | {"drawn": {"reference": 12_000, "current": 8_000}, "projection": "PCA"})
    'Showing 20,000 of 53,000 rows (12,000 of 45,000 reference, all 8,000 current). PCA,
    fitted on the reference'
    """
    counts = []
    for key in ("drawn", "rows"):
        sides = shape.get(key)
        given = sides if isinstance(sides, Mapping) else {}
        counts.append([int(number(given.get(side)) or 0) for side in ("reference", "current")])
    parts = [
        f"all {whole:,} {side}" if some == whole else f"{some:,} of {whole:,} {side}"
        for some, whole, side in zip(*counts, ("reference", "current"), strict=True)
    ]
    some, whole = sum(counts[0]), sum(counts[1])
    many = f"all {whole:,} rows" if some == whole else f"{some:,} of {whole:,} rows"
    axes = safe(shape.get("projection", "unnamed axes"), 200)
    moved = int(number(shape.get("outside")) or 0)
    edge = f"; {moved:,} far outside, at the edge" if moved else ""
    return f"Showing {many} ({', '.join(parts)}{edge}). {axes}, fitted on the reference"

"""A number before and after, over the same bins: reference as a filled area, current as a line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from undertow.core.finding import percent
from undertow.surfaces.viz.axis import date_ticks, fit, moment, number, short, ticks
from undertow.surfaces.viz.marks import SPARK, WIDTH, Drawing, Shape, line, point, text

TAIL, GAP, THIN = 11.0, 7.0, 3.0
MOST_BINS = 200


class Cell(NamedTuple):
    """One bar in pixels: where it stands and how high each side is."""

    start: float
    stop: float
    reference: float
    current: float


class Bins(NamedTuple):
    """What could be read of a shape: edges, shares of rows inside, and in the clipped tails."""

    edges: list[float]
    reference: list[float]
    current: list[float]
    below: tuple[float, float] | None
    above: tuple[float, float] | None

    @property
    def even(self) -> bool:
        """True where all bins are equally wide, so that heights are shares of rows."""
        widths = [b - a for a, b in pairwise(self.edges)]
        return max(widths) - min(widths) <= 1e-6 * max(widths)


def histogram(shape: Shape) -> Drawing | None:
    """Draw two step histograms; where bins differ in width, the area is the share of rows."""
    bins = _read(shape)
    if bins is None:
        return None
    top, foot = 34.0, 164.0
    left, right = (40.0 if bins.even else 6.0), WIDTH - 6.0
    inner = (
        left + (TAIL + GAP) * (bins.below is not None),
        right - (TAIL + GAP) * (bins.above is not None),
    )
    runs, span = _cells(bins, left, right, inner), bins.edges[-1] - bins.edges[0]
    limit, cut = _limit(runs, even=bins.even)
    if limit <= 0:
        return None
    marks = []
    if bins.even:
        places, words = ticks(0, 100 * limit, 3)
        for place, word in zip(places, words, strict=True):
            y = foot - (foot - top) * place / (100 * limit)
            marks += [
                line("grid", left, y, right, y),
                text(left - 6, y + 4, f"{word}%", "tick", "end"),
            ]
    marks.append(f'<path class="ref" d="{_steps(runs, 2, limit, foot, top)}"/>')
    marks.append(f'<path class="cur" d="{_steps(runs, 3, limit, foot, top)}"/>')
    for cell in cut:
        marks.append(line("notch", cell.start - 3, top + 10, cell.stop + 3, top + 5))
    marks.append(line("axis", left, foot, right, foot))
    timed = shape.get("time") is True
    places, words = (date_ticks if timed else ticks)(bins.edges[0], bins.edges[-1])
    for place, word in zip(places, words, strict=True):
        x = inner[0] + (inner[1] - inner[0]) * ((place - bins.edges[0]) / span)
        half = 3.4 * len(word) - 4
        x = min(max(x, inner[0] + half), inner[1] - half)
        marks.append(text(x, foot + 17, word, "tick", "middle"))
    lines, said = _medians(shape, bins, inner, timed=timed)
    for side, tail, edge in (("below", bins.below, 0), ("above", bins.above, -1)):
        if tail is not None:
            end = moment(bins.edges[edge]) if timed else short(bins.edges[edge])
            said.append(f"{side} {end}: {percent(tail[0])}, now {percent(tail[1])} of rows")
            x = (left, right)[edge] + (TAIL / 2 if edge == 0 else -TAIL / 2)
            marks.append(text(x, foot + 17, "<" if edge == 0 else ">", "tick", "middle"))
    return (
        WIDTH,
        186,
        "".join(marks) + lines,
        "; ".join(said) or "two histograms over the same bins",
    )


def histogram_spark(shape: Shape) -> Drawing | None:
    """Draw the same two histograms as small as a word."""
    bins = _read(shape)
    if bins is None:
        return None
    width, height = SPARK
    bins = bins._replace(below=None, above=None)
    runs = _cells(bins, 0, width, (0, width))
    limit, _ = _limit(runs, even=bins.even)
    if limit <= 0:
        return None
    area, curve = (_steps(runs, side, limit, height, 1.5) for side in (2, 3))
    return width, height, f'<path class="ref" d="{area}"/><path class="cur" d="{curve}"/>', ""


def even(shape: Shape) -> bool:
    """Tell whether the bins are equally wide, so that their height is the share of rows."""
    bins = _read(shape)
    return bins is None or bins.even


def _read(shape: Shape) -> Bins | None:
    edges, sides = _numbers(shape.get("edges")), []
    for side in ("reference", "current"):
        values = _numbers(shape.get(side))
        if values is None or edges is None or len(values) + 1 != len(edges) or min(values) < 0:
            return None
        sides.append(values)
    if edges is None or any(a > b for a, b in pairwise(edges)) or not edges[-1] > edges[0]:
        return None
    tails = []
    for name in ("below", "above"):
        pair = _numbers(shape.get(name))
        known = pair is not None and len(pair) == 2 and min(pair) >= 0 and max(pair) > 0
        tails.append((pair[0], pair[1]) if known and pair else None)
    return Bins(edges, sides[0], sides[1], tails[0], tails[1])


def _numbers(values: object) -> list[float] | None:
    if (
        not isinstance(values, Sequence)
        or isinstance(values, str)
        or not 1 <= len(values) <= MOST_BINS
    ):
        return None
    read = [number(value) for value in values]
    known = [value for value in read if value is not None]
    return known if len(known) == len(read) else None


def _cells(bins: Bins, left: float, right: float, inner: tuple[float, float]) -> list[list[Cell]]:
    """Return runs of adjoining bars; single values and tails stand apart."""
    start, stop = inner
    span = bins.edges[-1] - bins.edges[0]
    places = [start + (stop - start) * ((edge - bins.edges[0]) / span) for edge in bins.edges]
    main: list[Cell] = []
    apart: list[list[Cell]] = []
    for (x, end), old, new in zip(pairwise(places), bins.reference, bins.current, strict=True):
        if bins.even:
            main.append(Cell(x, end, old, new))
        elif end - x < THIN:  # one value, or nearly: as wide as can be seen
            middle = min(max((x + end) / 2, start + THIN / 2), stop - THIN / 2)
            thin = Cell(middle - THIN / 2, middle + THIN / 2, old / THIN, new / THIN)
            apart.append([thin])
            if end > x:
                main.append(Cell(x, end, 0, 0))
        else:
            main.append(Cell(x, end, old / (end - x), new / (end - x)))
    wide = 1.0 if bins.even else 1 / TAIL
    if bins.below is not None:
        apart.append([Cell(left, left + TAIL, bins.below[0] * wide, bins.below[1] * wide)])
    if bins.above is not None:
        apart.append([Cell(right - TAIL, right, bins.above[0] * wide, bins.above[1] * wide)])
    return [main, *apart]


def _limit(runs: list[list[Cell]], *, even: bool) -> tuple[float, list[Cell]]:
    """Return the height that fills the chart, and the bars that are cut at it."""
    cells = [cell for run in runs for cell in run]
    heights = sorted(max(cell.reference, cell.current) for cell in cells)
    heights = [height for height in heights if height > 0]
    if not heights:
        return 0.0, []
    limit = heights[-1] * 1.04
    if not even:
        # One value that many rows share would flatten everything else.
        limit = min(limit, 2.5 * heights[int(0.75 * (len(heights) - 1))])
    return limit, [cell for cell in cells if max(cell.reference, cell.current) > limit]


def _steps(runs: list[list[Cell]], side: int, limit: float, foot: float, top: float) -> str:
    """Return the outline of the bars of one side as a path, down to the foot at both ends."""
    drawn = []
    for run in runs:
        if not run:
            continue
        drawn.append(f"M{point(run[0].start)} {point(foot)}")
        last = foot
        for cell in run:
            height = cell.reference if side == 2 else cell.current
            y = foot - (foot - top) * min(height / limit, 1.0)
            if point(y) != point(last):
                drawn.append(f"V{point(y)}")
            drawn.append(f"H{point(cell.stop)}")
            last = y
        drawn.append(f"V{point(foot)}")
    return "".join(drawn)


def _medians(
    shape: Shape, bins: Bins, inner: tuple[float, float], *, timed: bool
) -> tuple[str, list[str]]:
    """Return both medians as dotted lines with their values, never on top of each other."""
    pair = _numbers(shape.get("median"))
    if pair is None or len(pair) != 2:
        return "", []
    low, high = bins.edges[0], bins.edges[-1]
    say = moment if timed else short
    marks, (start, stop) = [], inner
    order = (0, 1) if pair[0] <= pair[1] else (1, 0)
    for rank, side in enumerate(order):
        kind = ("ref", "cur")[side]
        inside = min(max(pair[side], low), high)
        x = start + (stop - start) * (inside - low) / (high - low)
        words = f"{'median ' if side == 0 else 'now '}{say(pair[side])}"
        room = 7.0 * len(words)
        toward_end = (rank == 1 and x + room < WIDTH) or x - room < 0
        y = 12.0 if side == 0 else 26.0
        marks.append(line(f"{kind}-median", x, y - 9, x, 164))
        marks.append(
            text(
                x + (5 if toward_end else -5),
                y,
                fit(words, 200),
                f"{kind}-word",
                "" if toward_end else "end",
            )
        )
    return "".join(marks), [f"median {say(pair[0])}, now {say(pair[1])}"]

"""The few SVG elements that every chart is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH = 440
"""Width of a chart in CSS pixels: readable beside a table, and still so on a telephone."""
SPARK = (96, 24)
"""Size of a word-sized picture."""

Shape = Mapping[str, Any]
Drawing = tuple[float, float, str, str]
"""Width, height, marks, and the numbers in words."""


def rows_of(shape: Shape, most: int) -> list[Mapping[str, Any]]:
    """Return the first rows of a shape, those that are rows."""
    rows = shape.get("rows")
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        return []
    return [row for row in rows if isinstance(row, Mapping)][:most]


def point(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    """Return words at a place."""
    kinds = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{point(x)}" y="{point(y)}"{kinds}{place}>{escape(words)}</text>'


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a straight line."""
    return f'<path class="{kind}" d="M{point(x1)} {point(y1)}L{point(x2)} {point(y2)}"/>'

"""A chart is a function from a finding's shape to one SVG element: aggregated numbers, never rows.

Colours come from the page (classes named in theme.css). A shape that is missing, broken or of an
unknown form draws nothing: the sentence and the table beside it carry the same fact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from undertow.core.verdict import Effect, Verdict
from undertow.surfaces.safe import safe
from undertow.surfaces.viz.bars import shares, shares_spark, words
from undertow.surfaces.viz.dots import calibration, metric, metric_spark
from undertow.surfaces.viz.dumbbell import dumbbell, lorenz
from undertow.surfaces.viz.hexbin import hexbin
from undertow.surfaces.viz.histogram import even, histogram, histogram_spark
from undertow.surfaces.viz.marks import Drawing, Shape, point

_CHARTS: dict[str, Callable[[Shape], Drawing | None]] = {
    "histogram": histogram,
    "shares": shares,
    "words": words,
    "calibration": calibration,
    "metric": metric,
    "dumbbell": dumbbell,
    "lorenz": lorenz,
    "run": dumbbell,
    "map": hexbin,
}
_SPARKS: dict[str, Callable[[Shape], Drawing | None]] = {
    "histogram": histogram_spark,
    "shares": shares_spark,
    "metric": metric_spark,
}
_CAPTIONS = {
    "histogram": "Share of rows in each bin; dotted lines are the medians",
    "shares": "Change of share in percentage points, with its 95% interval",
    "words": "Words by how much they set the texts apart; uses per 10,000 texts",
    "calibration": "Share right at each confidence, with its 95% interval; rows beneath",
    "metric": "Value with its 95% interval",
    "dumbbell": "Grey before, blue now, with its 95% interval",
    "run": "Grey before, blue now, with its 95% interval",
    "lorenz": "Share of servings that the least served items have; the straight line is an even share",
    "map": "Area is the share of rows: grey reference, blue outline current; an empty outline is new",
}


def chart(shape: Shape | None, label: str) -> str:
    """Return the chart of a shape, or nothing; `label` states the finding for who cannot see it.

    >>> metric = {"reference": {"value": 0.91}, "current": {"value": 0.84}}
    >>> chart({"form": "metric", **metric}, "accuracy fell")[:56]
    '<svg class="chart" role="img" aria-label="accuracy fell"'
    >>> chart({"form": "pie"}, "")
    ''
    """
    drawn = _draw(_CHARTS, shape)
    if drawn is None:
        return ""
    width, height, marks, text = drawn
    name = f'role="img" aria-label="{escape(safe(label) or "chart")}"'
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    numbers = f"<desc>{escape(safe(text, 600))}</desc>"
    return f'<svg class="chart" {name} {box}>{numbers}{marks}</svg>'


def spark(shape: Shape | None) -> str:
    """Return a word-sized picture of a shape for a table row that says the same, or nothing.

    >>> spark({"form": "shares", "rows": [{"value": "a", "reference": 0.2, "current": 0.5}]})[:42]
    '<svg class="spark" aria-hidden="true" view'
    """
    drawn = _draw(_SPARKS, shape)
    if drawn is None:
        return ""
    width, height, marks, _ = drawn
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg class="spark" aria-hidden="true" {box}>{marks}</svg>'


def size_bar(
    effect: Effect | None, most: float, verdict: Verdict | None = None, width: float = 160
) -> str:
    """Return a bar of the effect in units of its tolerance, so that all findings share one scale.

    The upright line is the tolerance, the whisker the interval. `most` tolerances fill the width: a
    longer bar ends in a point. What is unknown has a whisker and no bar.

    >>> bar = size_bar(Effect("cdf_gap", 0.2, 0.1, 0.3, tolerance=0.1, p_no_change=0.0), most=4)
    >>> '<path class="fill" d="M0 4H80V12H0Z"/>' in bar
    True
    """
    if effect is None or not effect.defined or effect.tolerance <= 0 or most <= 0:
        return ""
    scale = width / most / effect.tolerance
    value, low, high = (
        min(each * scale, width) for each in (effect.value, effect.low, effect.high)
    )
    bar = f"M0 4H{point(value)}V12H0Z"
    if effect.value * scale > width:
        bar = f"M0 4H{point(width - 4)}l4 4l-4 4H0Z"
    marks = "" if verdict is Verdict.UNKNOWN else f'<path class="fill" d="{bar}"/>'
    tick = point(width / most)
    marks += f'<path class="notch" d="M{tick} 4V12"/><path class="tolerance" d="M{tick} 0V16"/>'
    if verdict is not Verdict.UNKNOWN and value > low:  # on the bar, the whisker is cut out of it
        marks += f'<path class="within" d="M{point(low)} 8H{point(value)}"/>'
        low = value
    if high > low:
        marks += f'<path class="ci" d="M{point(low)} 8H{point(high)}"/>'
    box = f'viewBox="0 0 {width:g} 16" width="{width:g}" height="16"'
    return f'<svg class="size" aria-hidden="true" {box}>{marks}</svg>'


def caption(shape: Shape | None) -> str:
    """Return how to read the chart of a shape, in a few words; nothing where none is drawn."""
    if not isinstance(shape, Mapping) or not isinstance(form := shape.get("form"), str):
        return ""
    if form == "histogram" and not even(shape):
        return "The area is the share of rows; dotted lines are the medians"
    return _CAPTIONS.get(form, "")


def _draw(family: Mapping[str, Callable[[Shape], Drawing | None]], shape: object) -> Drawing | None:
    form = shape.get("form") if isinstance(shape, Mapping) else None
    if not isinstance(form, str) or form not in family:
        return None
    return family[form](shape)  # type: ignore[arg-type]

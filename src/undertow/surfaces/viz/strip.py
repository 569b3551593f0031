"""Rows over time as a strip, as wide as the page lets it: reference filled, current as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from undertow.surfaces.viz.marks import point

HIGH = 28


def strip(time: Mapping[str, Any]) -> str:
    """Return both sides' rows in each step, each side on a scale of its own.

    >>> drawn = strip({"slots": 2, "reference": [4, 2], "current": [0, 9]})
    >>> 'd="M0 28V2H1V15H2V28"' in drawn, 'd="M1 28V2H2V28"' in drawn
    (True, True)
    """
    paths = "".join(
        f'<path class="{kind}" d="{_steps(time[side])}" vector-effect="non-scaling-stroke"/>'
        for kind, side in (("ref", "reference"), ("cur hex", "current"))
        if any(time[side])
    )
    box = f'viewBox="0 0 {time["slots"]} {HIGH}" preserveAspectRatio="none"'
    return f'<svg class="strip" aria-hidden="true" {box}>{paths}</svg>'


def _steps(counts: Sequence[float]) -> str:
    """Return the outline of the steps; nothing is drawn where there are no rows."""
    most, made, last = max(counts), "", 0.0
    for place, count in enumerate(counts):
        down = point(HIGH - (HIGH - 2) * count / most)
        if count and not last:
            made += f"M{place} {HIGH}"
        if count != last:
            made += f"V{down}"
        if count:
            made += f"H{place + 1}"
        last = count
    return made + (f"V{HIGH}" if last else "")


def dates(time: Mapping[str, Any]) -> str:
    """Return the first and the last moment of a time window, in UTC.

    >>> dates({"start": 1_750_000_000, "step": 86_400, "slots": 3})
    '2025-06-15 to 2025-06-17 UTC'
    """
    form = "%Y-%m-%d" if time["step"] >= 86_400 else "%Y-%m-%d %H:%M"
    last = time["slots"] - (1 if time["step"] >= 86_400 else 0)
    try:
        ends = [
            f"{datetime.fromtimestamp(time['start'] + slot * time['step'], UTC):{form}}"
            for slot in (0, last)
        ]
    except (ValueError, OverflowError, OSError):
        return ""
    return " to ".join(ends) + " UTC"

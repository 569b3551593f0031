"""Regions by name, and the map of both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from undertow.core.check import History
from undertow.core.schema import Role
from undertow.core.values import to_floats
from undertow.detect.vector_sides import Side, words_of
from undertow.stats import projection
from undertow.stats.regions import Region

LISTED = 8
"""Regions that are told and drawn by name."""
FEWEST = 30
"""Rows of a reference without which a map that bends is not fitted: straight axes do."""


def named(region: Region, place: int) -> str:
    """Return the region's words, or its label; a text alone would be somebody's row."""
    if region.words:
        return ", ".join(region.words[:4])
    labels = region.labels_after if region.grew else region.labels_before
    rows = sum(labels.values())
    first = next(iter(labels), "")
    if first and labels[first] > rows / 2:
        return f"mostly {first[:60]}"
    return f"region {place + 1}"


def sure(where: Sequence[Region]) -> list[tuple[str, Region]]:
    """Return the regions whose share moved for certain, by name."""
    told = [(named(each, place), each) for place, each in enumerate(where)]
    return [each for each in told if each[1].p <= 0.01]


def map_of(
    history: History, before: Side, now: Side, where: Sequence[Region]
) -> Mapping[str, Any] | None:
    """Return the map of both sides: coloured by side, label, region, error and time."""
    names = sure(where)[:LISTED]
    parts = []
    for side, inside in ((before, "in_reference"), (now, "in_current")):
        cluster = np.full(len(side.rows), None, dtype=object)
        for name, region in names:
            cluster[getattr(region, inside)] = name
        label, guess, clock, key = (
            side.role(role) for role in (Role.LABEL, Role.PREDICTION, Role.TIME, Role.ID)
        )
        known = {name: words_of(side.table, name) for name in (label, guess) if name is not None}
        wrong = None
        if label is not None and guess is not None:
            told = (known[label] != "") & (known[guess] != "")
            differs = known[label] != known[guess]
            wrong = [bool(d) if t else None for d, t in zip(differs, told, strict=True)]
        shown = label or guess
        parts.append(
            projection.Side(
                side.rows,
                label=None if shown is None else [each or None for each in known[shown]],
                cluster=cluster.tolist() if names else None,
                error=wrong,
                time=None
                if clock is None
                else to_floats(side.table.column(clock).combine_chunks()) / 1e6,
                ids=None if key is None else words_of(side.table, key).tolist(),
                total=side.total,
            )
        )
    place = None
    if history.place is not None and len(before.rows) >= FEWEST:
        place = history.place(before.rows)
    return projection.shape(parts[0], parts[1], place)

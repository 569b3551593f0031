"""The map of a finding as a part of the page: the picture, its classes as tables, and the points.

Without scripts it is hexagons and tables; with them the points lie on top, and the tables become
the legend. Everything of the shape is checked here, so that the script can believe its data.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from undertow.core.finding import Finding, percent
from undertow.core.report import Report
from undertow.surfaces import story, svg
from undertow.surfaces.page import inlined, template, trusted
from undertow.surfaces.safe import safe
from undertow.surfaces.viz import hexbin
from undertow.surfaces.viz.axis import number
from undertow.surfaces.viz.strip import dates, strip

FIELDS = {"label": "no label", "cluster": "no cluster", "error": "not known"}
"""What a map can be coloured by, and what a row without it is called."""
OTHER, NONE = 254, 255
ROOM = 450_000
"""Characters of all maps on one page; those beyond are pictures alone."""
_PLAIN = re.compile(r"[\w.:+@-]{1,40}", re.ASCII)
_INKS = {"right": "dot ref-ink", "wrong": "dot wrong-ink"}


class Row(NamedTuple):
    """A class in the legend: its code, the class of its ink, and its share of both sides."""

    code: int
    ink: str
    name: str
    reference: str
    current: str


class Table(NamedTuple):
    """The classes of one field."""

    field: str
    title: str
    rows: list[Row]


def figures(report: Report) -> dict[str, str]:
    """Return the map of each finding that has one, by its key, the worst first."""
    made: dict[str, str] = {}
    room = ROOM
    for each in report.findings:
        if isinstance(each.shape, Mapping) and each.shape.get("form") == "map":
            drawn = figure(each, redacted=report.redacted)
            if len(drawn) > room:
                continue
            room -= len(drawn)
            made.setdefault(each.key, drawn)
    return made


def figure(finding: Finding, *, redacted: bool = False) -> str:
    """Return the map of a finding as HTML, or nothing where its shape cannot be drawn.

    A redacted one names no rows: points can be counted, not looked up.
    """
    shape = finding.shape or {}
    picture, points = svg.chart(shape, story.sentence(finding)), hexbin.cloud(shape)
    if not picture or points is None:
        return ""
    rows = points.reference, len(points.x) - points.reference
    fields, time = _fields(shape, sum(rows)), _time(shape.get("time"), sum(rows))
    ids = None if redacted else _ids(shape.get("ids"), rows)
    named = ids is not None and isinstance(ids["reference"], list)
    data = {
        "x": shape["x"],
        "y": shape["y"],
        "size": points.size,
        "drawn": dict(zip(("reference", "current"), rows, strict=True)),
        "classes": fields,
        "time": time,
        "ids": ids,
    }
    titles = [(each["field"], each["field"].capitalize()) for each in fields]
    return template("map.html").render(
        caption=svg.caption(shape),
        data=inlined(data),
        dates=dates(time) if time else "",
        drawn=trusted(picture),
        fields=titles,
        ids=ids is not None,
        listed="Ids of the selected rows" if named else "Rows selected, counted from 0",
        names="id" if named else "row",
        redacted=redacted,
        showing=f"{hexbin.drawn(shape)}; both axes on one scale",
        strip=trusted(strip(time)) if time else "",
        subject=finding.column or finding.subject,
        time=time,
        tables=[_periods(shape), *(_table(shape, *title) for title in titles)],
    )


def _codes(given: Any, points: int) -> str | None:
    """Return packed codes, a byte a point, or None where they are something else."""
    if not isinstance(given, str):
        return None
    try:
        return given if len(base64.b64decode(given, validate=True)) == points else None
    except (ValueError, binascii.Error):
        return None


def _fields(shape: Mapping[str, Any], points: int) -> list[dict[str, Any]]:
    """Return the fields that a map can be coloured by, their names harmless."""
    made: list[dict[str, Any]] = []
    given = shape.get("classes")
    for each in given if isinstance(given, list) else ():
        if not isinstance(each, Mapping) or each.get("field") not in list(FIELDS):
            continue
        codes, known = _codes(each.get("codes"), points), hexbin.classes(shape, each["field"])
        if codes is None or each["field"] in [field["field"] for field in made]:
            continue
        names = [one.name for one in known[:12]]
        none = FIELDS[each["field"]]
        field = {"field": each["field"], "values": names, "none": none, "codes": codes}
        if any(one.at for one in known):
            field["at"] = [one.at for one in known[:12]]
        made.append(field)
    return made


def _time(given: Any, points: int) -> dict[str, Any] | None:
    """Return the time of each point in steps, and how many rows each step has."""
    if not isinstance(given, Mapping):
        return None
    codes = _codes(given.get("codes"), points)
    start, step, slots = (number(given.get(key)) for key in ("start", "step", "slots"))
    if codes is None or start is None or not step or step <= 0 or not slots or slots > NONE:
        return None
    made: dict[str, Any] = {"start": start, "step": step, "slots": int(slots), "codes": codes}
    for side in ("reference", "current"):
        listed = given.get(side)
        counts = [number(each) or 0.0 for each in listed] if isinstance(listed, list) else []
        if len(counts) != slots or min(counts) < 0:
            return None
        made[side] = [int(each) for each in counts]
    return made


def _ids(given: Any, rows: tuple[int, int]) -> dict[str, Any] | None:
    """Return what names the points, or None where it does not fit them."""
    if not isinstance(given, Mapping):
        return None
    made: dict[str, Any] = {}
    for side, many in zip(("reference", "current"), rows, strict=True):
        found = given.get(side)
        if isinstance(found, list):
            found = _shared([_harmless(each) for each in found]) if len(found) == many else ""
        if found is not None and not isinstance(found, list) and not _runs(found, many):
            return None
        made[side] = found
    lists = [isinstance(each, list) for each in made.values()]
    return made if all(lists) or not any(lists) else None


def _harmless(name: Any) -> str:
    """Return an id as text that can be pasted anywhere without acting."""
    return name if isinstance(name, str) and _PLAIN.fullmatch(name) else safe(name, 40)


def _shared(names: list[str]) -> list[str]:
    """Return each name as how many letters it shares with the one before (base 36), and the rest.

    >>> _shared(["c0012", "c0013", "d"])
    ['0c0012', '43', '0d']
    """
    made, last = [], ""
    for name in names:
        same = 0
        for one, other in zip(name[:35], last, strict=False):
            if one != other or not one.isascii():
                break
            same += 1
        made.append(f"{'0123456789abcdefghijklmnopqrstuvwxyz'[same]}{name[same:]}")
        last = name
    return made


def _runs(packed: Any, many: int) -> bool:
    """Tell whether packed gaps hold so many numbers: each ends in a byte below 128."""
    if not isinstance(packed, str):
        return False
    try:
        return sum(each < 128 for each in base64.b64decode(packed, validate=True)) == many
    except (ValueError, binascii.Error):
        return False


def _periods(shape: Mapping[str, Any]) -> Table:
    """Return both sides as classes, with their rows."""
    sides = shape.get("rows")
    counts = [
        f"{int(number(sides.get(side)) or 0):,}" if isinstance(sides, Mapping) else ""
        for side in ("reference", "current")
    ]
    rows = [
        Row(0, "dot ref-ink", "reference", counts[0], ""),
        Row(1, "dot cur-ink", "current", "", counts[1]),
    ]
    return Table("period", "Period, rows", rows)


def _table(shape: Mapping[str, Any], field: str, title: str) -> Table:
    """Return a field's classes with their shares, the rest, and the rows without a class."""
    given = next(each for each in shape["classes"] if each.get("field") == field)
    rows = [
        Row(
            place,
            _INKS.get(each.name, f"dot k{place + 1}") if field == "error" else f"dot k{place + 1}",
            each.name,
            _share(each.reference),
            _share(each.current),
        )
        for place, each in enumerate(hexbin.classes(shape, field)[:12])
    ]
    rest = (("other", OTHER, "other-ink", 2), (FIELDS[field], NONE, "none-ink", 1))
    for name, code, ink, last in rest:
        parts = [_part(given.get(side), last) for side in ("reference", "current")]
        if any(parts):
            rows.append(Row(code, f"dot {ink}", name, *map(_share, parts)))
    return Table(field, title, rows)


def _part(counts: Any, last: int) -> float | None:
    """Return the share of other classes (last but one), or of rows without one (last)."""
    known = [number(each) or 0.0 for each in counts] if isinstance(counts, list) else []
    total = sum(known)
    return known[-last] / total if len(known) >= 2 and total > 0 else None


def _share(share: float | None) -> str:
    return "-" if share is None else percent(share)

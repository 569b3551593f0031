"""What `undertow index` shows: hits, the table of versions, and the same as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from undertow.surfaces.cli_output import STDOUT, deliver
from undertow.surfaces.safe import safe

if TYPE_CHECKING:
    from undertow.verbs.index import Found

SHOWN = 76
"""Characters of a document's text that a search shows."""


def counted(count: int, what: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "version"), counted(1200, "document")
    ('1 version', '1,200 documents')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def write_json(target: str, told: Mapping[str, Any]) -> None:
    """Write JSON to a file, or to standard output."""
    import json

    from undertow.config import write_file

    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    if target == STDOUT:
        deliver(sys.stdout, text.encode("utf-8", "backslashreplace"))
    else:
        write_file(target, text)


def found_json(found: Found) -> dict[str, Any]:
    """Return what a search found as JSON values."""
    return {
        "version": found.version,
        "notes": list(found.notes),
        "queries": [
            {"query": query, "hits": list(hits)}
            for query, hits in zip(found.queries, found.hits, strict=True)
        ],
    }


def shown(found: Found) -> str:
    """Return what a search found as lines, a block a query."""
    lines: list[str] = []
    for query, hits in zip(found.queries, found.hits, strict=True):
        lines += [f"{safe(query, SHOWN)}  ({found.version})"]
        wide = max((len(safe(each["id"], 40)) for each in hits), default=0)
        lines += [_hit(rank, hit, wide) for rank, hit in enumerate(hits, 1)]
        lines += [] if hits else ["  nothing found"]
        lines += [""]
    return "\n".join(lines[:-1]) + "\n"


def _hit(rank: int, hit: Mapping[str, Any], wide: int) -> str:
    text = " ".join((hit["text"] or "").split())
    name = safe(hit["id"], 40).ljust(wide)
    return f"{rank:3}  cosine {hit['cosine']:6.3f}  {name}  {safe(text, SHOWN)}".rstrip()


def table(found: Mapping[str, Any]) -> str:
    """Return the versions of an index as a table, and what the one that answers holds."""
    rows = [("", "version", "documents", "made (UTC)", "space", "tags")]
    rows += [
        (
            "→" if each["version"] == found["answers"] else "",
            each["version"],
            f"{each['documents']:,}",
            safe(each["made"].replace("T", " ").removesuffix("+00:00"), 40),
            safe(", ".join(name or "not named" for name in each["spaces"]) or "-", 60),
            safe(" ".join(each["tags"]), None),
        )
        for each in found["versions"]
    ]
    wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(_cells(row, wide)).rstrip() for row in rows]
    record, made = (size(found["bytes"][name]) for name in ("record", "search"))
    lacking = found["without_vector"]
    lines += [
        "",
        f"{found['answers']} answers: {counted(found['documents'], 'document')}, "
        f"{counted(found['dimension'], 'number')} a vector"
        + (f", {lacking:,} without a vector that can be found" if lacking else ""),
        f"encoder: {safe(found['encoder'] or 'not known', 80)}",
        f"on the disk: {record} of record, {made} made of it for the search",
    ]
    if found["bridges"]:
        lines.append(counted(len(found["bridges"]), "bridge") + " kept")
    return "\n".join(lines) + "\n"


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def _cells(row: Sequence[str], wide: Sequence[int]) -> list[str]:
    return [
        cell.rjust(size) if place == 2 else cell.ljust(size)
        for place, (cell, size) in enumerate(zip(row, wide, strict=True))
    ]

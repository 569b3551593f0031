"""What belongs to an index on the disk, and what a writer that was cut off has left there."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from undertow.core.errors import DataError
from undertow.index import bridges, durable, lock, near, record, versions

KEPT = "encoders"
_OWN = {
    versions.VERSIONS: re.compile(r"v\d+\.gone\.parquet"),
    record.SEGMENTS: re.compile(rf"{versions.SEGMENT.pattern}\.parquet"),
    near.SEARCH: re.compile(rf"{versions.SEGMENT.pattern}\.\w+"),
    KEPT: re.compile(r"[0-9a-f]{32}\.npz"),
    bridges.BRIDGES: re.compile(r"[0-9a-f]{16}\.npz"),
}
"""How the names of an index's own files look: what somebody else put there is never removed."""
FOLDERS = (versions.VERSIONS, record.SEGMENTS, near.SEARCH, KEPT)


def sweep(folder: Path) -> list[Path]:
    """Remove what no version names, and return it; nothing where a manifest cannot be read."""
    found = unnamed(folder)
    for path in found:
        with suppress(OSError):
            path.unlink()
    return found


def unnamed(folder: Path) -> list[Path]:
    """Return the files that no version names: left by a writer that was cut off."""
    try:
        known = [versions.read_version(folder, name) for name in versions.names(folder)]
    except DataError:
        return []
    segments = {each.name for version in known for each in version.segments}
    lost = {each.gone.name for each in known if each.gone is not None}
    kept = {str(each.encoder.get("file")) for each in known if each.encoder is not None}
    needed = {record.SEGMENTS: segments, near.SEARCH: segments, versions.VERSIONS: lost}
    found = list(folder.glob(f".*{durable.PART}"))
    for name in (*FOLDERS, bridges.BRIDGES):
        for path in (folder / name).glob("*"):
            half = path.name.startswith(".") and path.name.endswith(durable.PART)
            stray = name in needed and path.stem not in needed[name]
            stray = stray or (name == KEPT and path.name not in kept)
            if half or (stray and _OWN[name].fullmatch(path.name)):
                found.append(path)
    return sorted(found)


def leftover(folder: Path) -> str | None:
    """Return that a file was left half written while nobody writes; None where none was."""
    with suppress(OSError):
        if (folder / lock.WRITING).stat().st_size:
            return None  # somebody is at it, or the mark says so already
    parts = list(folder.glob(f".*{durable.PART}"))
    for name in FOLDERS:
        if name != near.SEARCH:  # a reader may have been cut off there: it makes copies
            parts += (folder / name).glob(f".*{durable.PART}")
    return f"{parts[0].name} was left half written" if parts else None


def sizes(folder: Path) -> dict[str, int]:
    """Return how many bytes the record and the search files take."""
    return {
        name: sum(each.stat().st_size for each in (folder / place).glob("*") if each.is_file())
        for name, place in (("record", record.SEGMENTS), ("search", near.SEARCH))
    }

"""Bridges kept beside an index: files named by their digest, read by whoever knows what a bridge is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from undertow.core.index import Lays
from undertow.index import durable

BRIDGES = "bridges"


def keep(folder: Path, content: bytes) -> str:
    """Keep the bytes of a bridge, and return the name of its file."""
    name = f"{hashlib.blake2b(content, digest_size=8).hexdigest()}.npz"
    (folder / BRIDGES).mkdir(exist_ok=True)
    durable.put(folder / BRIDGES / name, content)
    return name


def names(folder: Path) -> list[str]:
    """Return the names of the bridges' files."""
    return sorted(each.name for each in (folder / BRIDGES).glob("*.npz"))


def kept(folder: Path, read: Callable[[bytes, str], Lays]) -> list[Lays]:
    """Return the bridges; raise DataError where one is damaged."""
    found = []
    for name in names(folder):
        path = folder / BRIDGES / name
        with durable.told(path, "cannot read"):
            found.append(read(path.read_bytes(), str(path)))
    return found

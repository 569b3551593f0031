"""Files that are whole or not there: written beside their place, made durable, then renamed.

A rename replaces the old file in one step, and is itself durable only once the folder is. Nothing else
in an index writes to the disk.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from undertow.core.errors import DataError

PART = ".part"
"""How the name of a file ends that is not whole yet."""


class Writer:
    """A file being written; libraries take it for an open binary file. It knows its own digest."""

    def __init__(self, handle: int) -> None:
        """Take an open file descriptor."""
        self._handle = handle
        self._hash = hashlib.blake2b(digest_size=16)
        self.size = 0
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of the bytes."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        done = 0
        while done < len(view):
            done += os.write(self._handle, view[done : done + 2**26])
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""

    @property
    def digest(self) -> str:
        """The digest of what was written so far, 32 hex digits."""
        return self._hash.hexdigest()


@contextmanager
def placed(path: Path) -> Iterator[Writer]:
    """Give a file to write to, which stands at `path` once the block ends without an error.

    Where an error is raised, what was written is taken away, and `path` is as it was.
    """
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}{PART}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            writer = Writer(handle)
            yield writer
            os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(path)
        fsync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def put(path: Path, content: bytes) -> None:
    """Write a small file, whole or not at all, and make it durable."""
    with placed(path) as file:
        file.write(content)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable; a system whose folders cannot be opened does so itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(path: Path, size: int = 16) -> str:
    """Return the digest of a file's bytes, as `Writer.digest` has it: 16 bytes, as hex digits."""
    found = hashlib.blake2b(digest_size=size)
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()


@contextmanager
def told(path: Path, doing: str, after: str = "") -> Iterator[None]:
    """Turn what a disk refuses into one line: DataError."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error) or type(error).__name__).lower()
        name = path if error.filename is None else error.filename
        raise DataError(f"{doing} {name}: {why}{after}") from error


def stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

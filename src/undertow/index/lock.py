"""One writer at a time, and a mark where one did not finish.

The file `writing.json` is empty while nobody writes. A writer holds a lock on it, which the system lets
go of when the process dies, and writes into it who it is. So a mark without a lock tells that a writer
was cut off, whatever cut it off. Readers never wait.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from undertow.core.errors import DataError
from undertow.index import durable

WRITING = "writing.json"
CUT_OFF = "cut_off.json"
PATIENCE = 1.0
"""Seconds a writer waits: a reader that looks at the lock holds it for a moment."""


@contextmanager
def writing(folder: Path, what: str, *, durable_mark: bool = True) -> Iterator[None]:
    """Hold the lock of an index while the block writes; raise DataError where another process does.

    A mark that a dead writer left is kept in `cut_off.json`, until `clear`.
    """
    with durable.told(folder, "cannot write to"):
        # What is opened here is cut to nothing: through a link, a file of somebody else would be.
        own = getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(folder / WRITING, os.O_RDWR | os.O_CREAT | own, 0o666)
    try:
        _wait(handle, folder)
        left = os.read(handle, 4096)
        if left:
            with durable.told(folder, "cannot write to"):
                durable.put(folder / CUT_OFF, left)
        mark = {"pid": os.getpid(), "host": socket.gethostname(), "what": what, "since": _now()}
        try:
            with durable.told(folder, "cannot write to"):
                _mark(handle, json.dumps(mark).encode(), durable_mark)
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def cut_off(folder: Path) -> str | None:
    """Return what a writer was doing that did not finish, for people; None where all finished."""
    left: bytes = b""
    with suppress(OSError):
        left = (folder / CUT_OFF).read_bytes()
    if not left:
        left = _abandoned(folder)
    if not left:
        return None
    try:
        mark = json.loads(left)
        return f"{mark['what']} was cut off (process {mark['pid']}, {mark['since']})"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "a change was cut off"


def clear(folder: Path) -> None:
    """Forget that a writer was cut off; the caller holds the lock."""
    with suppress(FileNotFoundError):
        (folder / CUT_OFF).unlink()


def _abandoned(folder: Path) -> bytes:
    """Return the mark in the file if nobody holds its lock."""
    try:
        handle = os.open(folder / WRITING, os.O_RDONLY)
    except OSError:
        return b""
    try:
        left = os.read(handle, 4096)
        return left if left and _locked(handle, shared=True) else b""
    except OSError:
        return b""
    finally:
        os.close(handle)


def _mark(handle: int, mark: bytes, durable_mark: bool) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, mark)
    if durable_mark:
        os.fsync(handle)


def _wait(handle: int, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not _locked(handle):
        if time.monotonic() > end:
            raise DataError(f"{folder} is being written{_whose(handle)}; try again when it is done")
        time.sleep(0.02)


def _whose(handle: int) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        mark: dict[str, Any] = json.loads(os.read(handle, 4096))
        return f" by process {mark['pid']} on {mark['host']} since {mark['since']} ({mark['what']})"
    return " by another process"


def _locked(handle: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, and tell whether that succeeded."""
    try:
        import fcntl
    except ImportError:
        return _locked_by_windows(handle)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _locked_by_windows(handle: int) -> bool:
    import msvcrt

    os.lseek(handle, 2**20, os.SEEK_SET)  # a byte that nobody reads
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    finally:
        os.lseek(handle, 0, os.SEEK_SET)
    return True


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

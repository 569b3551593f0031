"""What a reader says when it cannot: one line with the file, the cause, and what next."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

import pyarrow as pa

from undertow.core.errors import DataError, UndertowError

_LONGEST = 300


def one_line(text: object) -> str:
    r"""Return a message as one line, without a trailing full stop, cut where it grows long.

    >>> one_line("Binder Error:  no\n\nsuch column.")
    'Binder Error: no such column'
    """
    line = re.sub(r"\s+", " ", str(text)).strip().rstrip(".")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


@contextlib.contextmanager
def reading(source: str, then: str) -> Iterator[None]:
    """Turn what pyarrow and the system raise about `source` into one line ending in `then`."""
    try:
        yield
    except UndertowError:
        raise
    except MemoryError as error:
        raise DataError(f"{source}: not enough memory to read it; {then}") from error
    except (pa.ArrowException, OSError, ValueError, EOFError) as error:
        raise DataError(explain(source, error, then)) from error


def explain(source: str, error: BaseException, then: str) -> str:
    """Return the one line for an error of the system or of pyarrow."""
    number = getattr(error, "errno", None)
    if number in {errno.EACCES, errno.EPERM}:
        return f"{source}: permission denied; let this user read it, or copy it elsewhere"
    if number == errno.ENOENT:
        return f"{source}: no longer there; run again when nothing moves it"
    if number == errno.ENOSPC:
        return f"{source}: no space left for temporary data; free some or set TMPDIR"
    if number == errno.EMFILE:
        return f"{source}: too many open files; raise the limit (ulimit -n) or join the files"
    if number == errno.EISDIR:
        return f"{source}: is a folder, not a file; name a file in it"
    said = os.strerror(number) if isinstance(number, int) and number > 0 else one_line(error)
    return f"{source}: cannot be read ({said or type(error).__name__}); {then}"

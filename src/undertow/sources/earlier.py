"""An earlier report as JSON: what a scheduled run is compared with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from undertow.core.errors import DataError, UsageError

SCHEMA = 1
"""The version of the report's form that is read."""


class Earlier(NamedTuple):
    """A report that was written before: its findings as JSON values, and a digest of the bytes."""

    source: str
    findings: list[Mapping[str, Any]]
    digest: str


def read_earlier(path: str | os.PathLike[str]) -> Earlier:
    """Return the report in a file.

    Raises UsageError where there is no file, DataError where it is no report or of another version.
    """
    source = os.fspath(path)
    try:
        content = Path(path).read_bytes()
        document = json.loads(content)
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(
            f"{source}: there is no such file; give a report written by --json"
        ) from None
    except OSError as error:
        raise DataError(
            f"{source}: cannot be read: {(error.strerror or 'error').lower()}"
        ) from None
    except (ValueError, RecursionError):
        raise DataError(
            f"{source}: is no JSON, or a part of it; make it again with --json"
        ) from None
    findings = document.get("findings") if isinstance(document, dict) else None
    if not isinstance(findings, list):
        raise DataError(f"{source}: is no report of undertow; give a file written by --json")
    if document.get("schema") != SCHEMA:
        told = document.get("schema")
        raise DataError(
            f"{source}: is a report of version {told!r}, and {SCHEMA} is read; make it again"
        )
    rows: list[Mapping[str, Any]] = [each for each in findings if isinstance(each, dict)]
    return Earlier(source, rows, hashlib.blake2b(content, digest_size=8).hexdigest())

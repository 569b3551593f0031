"""An earlier run, read from the report it was written to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow.core.errors import DataError, UsageError
from undertow.core.report import Report
from undertow.core.run import FORM, Run

CHECK = "performance.retrieval"
"""The finding whose shape is the run."""


def read_run(given: Any) -> Run:
    """Return the run in a report of `undertow retrieval`: its JSON file, or the report itself.

    Raises UsageError where there is no such file, or it is the report of another command, DataError
    where it is broken.
    """
    if isinstance(given, Run):
        return given
    if isinstance(given, Report):
        return _found(given.to_dict(), "this report")
    if isinstance(given, Mapping):
        return _found(given, "this report")
    if not isinstance(given, str | os.PathLike):
        raise UsageError(
            f"reference {given!r:.60}: give the JSON file of an earlier run, or a report"
        )
    name = os.fspath(given)
    try:
        text = Path(given).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{name}: no such file; write one with --json FILE") from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "is no text"
        raise DataError(f"{name}: {what.lower()}; give the JSON of an earlier run") from None
    try:
        return _found(json.loads(text), name)
    except (ValueError, RecursionError) as error:
        if isinstance(error, UsageError | DataError):
            raise
        raise DataError(
            f"{name}: is no JSON, or cut short; make it again with --json FILE"
        ) from None


def _found(told: Any, name: str) -> Run:
    if not isinstance(told, Mapping) or "findings" not in told:
        raise UsageError(f"{name}: is no report; give what `undertow retrieval --json` wrote")
    findings = told["findings"] if isinstance(told["findings"], list) else []
    kept = [each for each in findings if isinstance(each, Mapping)]
    for each in kept:
        shape = each.get("shape")
        if each.get("check") == CHECK and isinstance(shape, Mapping) and shape.get("form") == FORM:
            try:
                return Run.from_dict(shape)
            except DataError as error:
                raise DataError(f"{name}: {error}") from None
    checks = sorted({f"{each.get('check')}" for each in kept})
    about = f"it tells of {', '.join(checks[:3])}" if checks else "it has no findings"
    raise UsageError(f"{name}: is no report of `undertow retrieval` ({about})")

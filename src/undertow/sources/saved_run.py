"""An earlier run, read from the report it was written to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from undertow.core.errors import DataError, UsageError
from undertow.core.report import Report
from undertow.core.run import FORM, Run
from undertow.sources.earlier import read_earlier

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
        return _found(given.to_dict()["findings"], "this report")
    if isinstance(given, Mapping) and isinstance(given.get("findings"), list):
        return _found(given["findings"], "this report")
    if not isinstance(given, str | os.PathLike):
        raise UsageError(
            f"reference {given!r:.60}: give the JSON file of an earlier run, or a report"
        )
    earlier = read_earlier(given)
    return _found(earlier.findings, earlier.source)


def _found(findings: Sequence[Any], name: str) -> Run:
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

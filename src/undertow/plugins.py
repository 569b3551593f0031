"""Where checks, summaries and lenses come in: entry points, ours by the same door as anybody's."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from typing import Any

from undertow.core.check import Check
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.lens import Lens
from undertow.core.summary import Summary

CHECKS = "undertow.checks"
"""Group of checks: the name of a check -> a class that works without arguments."""
SUMMARIES = "undertow.summaries"
"""Group of summaries: the tag -> the class, so that a profile file can be read again."""
LENSES = "undertow.lenses"
"""Group of lenses: the tag -> the class; its `kind` says which columns it is fitted on."""


@cache
def _found(group: str) -> dict[str, Any]:
    entries = sorted(importlib.metadata.entry_points(group=group), key=lambda each: each.name)
    return {each.name: each.load() for each in entries}


@cache
def checks() -> tuple[Check, ...]:
    """Return every registered check, by name, with its default settings."""
    return tuple(made() for made in _found(CHECKS).values())


def summary(tag: str) -> type[Summary]:
    """Return the summary type a profile file names; raise UsageError where it is not installed."""
    found = _found(SUMMARIES)
    if tag not in found:
        raise UsageError(f"no summary {tag!r} is installed{did_you_mean(tag, found)}")
    made: type[Summary] = found[tag]
    return made


def lenses() -> dict[str, type[Lens]]:
    """Return every registered lens by its tag."""
    return dict(_found(LENSES))

"""Makers of small comparisons for the tests of checks."""

from __future__ import annotations

import pytest

from undertow.loop import Loop


@pytest.fixture
def findings():
    """Return a maker of {check: findings} of one comparison, through the whole loop."""

    def compare(reference, current, **options):
        found: dict[str, list] = {}
        for each in Loop.of(**options).check(reference, current):
            found.setdefault(each.check, []).append(each)
        return found

    return compare

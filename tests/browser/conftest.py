"""Browser tests share one headless Chromium, and say what is missing where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "surfaces")]

from chrome import Browser, axe, chromium  # noqa: E402


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one browser for all tests."""
    if chromium() is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with Browser() as running:
        yield running


@pytest.fixture(scope="session")
def axe_core() -> str:
    """Return the source of axe-core."""
    found = axe()
    if found is None:
        pytest.skip("no axe-core: pip install --no-deps axe-playwright-python, or set UNDERTOW_AXE")
    return found

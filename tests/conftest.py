"""Settings for the whole suite: examples without a clock, the same ones in every run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "undertow",
    deadline=None,  # the machine may be busy; a timing is a benchmark
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("undertow")

DATA = Path(os.environ.get("UNDERTOW_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def real():
    """Return a finder of real data sets, which skips with a line where they are absent."""

    def find(name: str) -> Path:
        path = DATA / f"{name}.parquet"
        if not path.exists():
            pytest.skip(f"no {path.name} in UNDERTOW_DATA ({DATA})")
        return path

    return find

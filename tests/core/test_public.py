"""The public surface is a list; importing it costs nothing; what is registered is documented."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import undertow
from undertow import plugins

ROOT = Path(__file__).parents[2]


def test_the_list_is_sorted_and_whole():
    """Every public name can be fetched, and the list is in order."""
    assert undertow.__all__ == sorted(undertow.__all__)
    assert all(getattr(undertow, name) is not None for name in undertow.__all__)
    assert dir(undertow) == undertow.__all__


def test_importing_undertow_loads_nothing_heavy():
    """`import undertow` in a serving process loads neither numpy nor pyarrow nor anything slower."""
    heavy = [
        "numpy",
        "pyarrow",
        "scipy",
        "sklearn",
        "duckdb",
        "rich",
        "jinja2",
        "click",
        "pandas",
        "polars",
    ]
    code = f"import undertow, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_check_of_plain_columns_loads_no_optional_library():
    """Numbers and categories are compared without scipy, scikit-learn, DuckDB, rich or jinja2."""
    code = """
import sys, pyarrow as pa, undertow as ut
ut.check(pa.table({"x": [1.0, 2.0], "c": ["a", "b"]}), pa.table({"x": [1.0], "c": ["a"]})).to_json()
print([m for m in ("scipy", "sklearn", "duckdb", "rich", "jinja2", "polars") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_documented():
    """Each name of the public list stands in the reference, and nothing else does."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith("## `")}
    assert documented == set(undertow.__all__)


def test_every_check_is_documented_and_registered_under_its_name():
    """An entry point's name is the check's own, and the page of checks has a heading for each."""
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    headings = {line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")}
    names = {check.name for check in plugins.checks()}
    ours = importlib.metadata.distribution("undertow").entry_points.select(group=plugins.CHECKS)
    assert headings == {entry.load()().name for entry in ours}
    assert {entry.name for entry in ours} <= names


def test_no_file_is_longer_than_400_lines():
    """One thing a file: a longer one asks whether two things live in one room."""
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    ]
    assert long == []

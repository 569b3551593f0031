"""The price of one more check: one file with the check, one with its test, one line to register it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

CHECK = '''
from dataclasses import dataclass
from typing import ClassVar

from undertow.core.finding import Finding, Rows
from undertow.core.schema import Kind
from undertow.stats.difference import difference
from undertow.summaries.moments import Moments


@dataclass(frozen=True)
class Spread:
    """How much wider or narrower a number has become, against its spread before."""

    name: ClassVar[str] = "drift.spread"
    tolerance: float = 0.10

    def needs(self, schema):
        for column in schema.of(kind=Kind.NUMBER):
            yield (column.name,), Moments

    def __call__(self, history):
        for column in history.shared(kind=Kind.NUMBER):
            before = history.reference.get(Moments, column.name)
            now = history.now.get(Moments, column.name)
            error = (0.5 / before.rows + 0.5 / now.rows) ** 0.5 * now.std / before.std
            effect = difference(1.0, 0.0, now.std / before.std, error, tolerance=self.tolerance)
            says = f"{now.std / before.std:.2f} times as wide"
            rows = Rows(before.rows, now.rows)
            yield Finding(self.name, column.name, says, effect, rows, column=column.name)
'''

RUN = """
import numpy as np, pyarrow as pa, undertow as ut
random = np.random.default_rng(0)
sides = [pa.table({"x": random.normal(0, width, 2000)}) for width in (1, 2)]
print(ut.check(*sides).to_json())
"""


def test_a_check_is_two_files_and_a_line(tmp_path):
    """A package with one module and one entry point adds a check that is judged like our own."""
    (tmp_path / "spread.py").write_text(CHECK, encoding="utf-8")
    info = tmp_path / "spread-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spread\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent("""\
        [undertow.checks]
        drift.spread = spread:Spread
        """)
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True
    )
    found = {row["check"]: row for row in json.loads(done.stdout)["findings"]}
    assert found["drift.spread"]["verdict"] == "changed"
    assert found["drift.spread"]["says"].endswith("times as wide")
    assert found["drift.number"]["verdict"] == "changed"

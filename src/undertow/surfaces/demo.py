"""`undertow demo`: a real model, a failure planted where nobody looks, and what undertow says of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow.parquet as pq

from undertow.config import write_file
from undertow.surfaces.demo_digits import Story, digits
from undertow.surfaces.demo_feedback import feedback
from undertow.surfaces.progress import console_for
from undertow.surfaces.terminal import show
from undertow.verbs.check import check

STORIES = {"digits": digits, "feedback": feedback}


def run(folder: str | os.PathLike[str], story: str) -> int:
    """Play a story into a folder: two tables, the report in the terminal, as HTML and as JSON."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    sys.stderr.write("training a model ...\n")
    told: Story = STORIES[story]()
    sides = [place / "reference.parquet", place / "production.parquet"]
    for path, table in zip(sides, (told.reference, told.production), strict=True):
        pq.write_table(table, path)
    report = check(*sides, **told.options)  # type: ignore[arg-type]  # names of columns
    page = place / "report.html"
    write_file(page, report.to_html())
    write_file(place / "report.json", report.to_json())
    flags = " ".join(
        f"--{name.replace('_', '-')} {column}" for name, column in told.options.items()
    )
    out = console_for(sys.stdout)
    for line in (
        f"Before:  {told.before}.",
        f"Since:   {told.planted}.",
        f"$ undertow check {sides[0]} {sides[1]} {flags}",
    ):
        out.print(line, style="dim", markup=False, highlight=False)
    out.print()
    show(report, out)
    out.print(f"What was planted: {told.truth}.", style="dim", markup=False, highlight=False)
    out.print(f"The whole report: {page.resolve()}", markup=False, highlight=False, soft_wrap=True)
    return 0

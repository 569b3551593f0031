"""Columns that nothing looks at: said, because silence about them is no news."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from undertow.core.check import History
from undertow.core.finding import Finding, Rows
from undertow.core.schema import Kind, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Verdict

SHOWN = 8


@dataclass(frozen=True)
class Uncompared:
    """Lists of words, bytes and other types that no check compares: `unknown`, in one finding.

    A vector or an image is compared through the columns that a lens makes of it; without one (a
    reference too small to fit it) it is listed here too. Whether a column is there, and how many
    values are missing, is compared like that of any column. Leave a column out with `--ignore` to
    say that it does not matter.
    """

    name: ClassVar[str] = "schema.uncompared"

    def needs(self, schema: Schema) -> Iterator[Need]:  # noqa: ARG002 - every check has it
        """Ask for nothing."""
        yield from ()

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding where there is such a column on both sides."""
        lenses, derived = history.reference.lenses, history.reference.derived
        seen = {column.origin for column in derived if column.origin in lenses}
        seen |= {column.origin for column in history.reference.schema}  # images, made plain
        blind = [
            column
            for column in history.shared(kind=(Kind.VECTOR, Kind.IMAGE, Kind.OTHER))
            if not column.origin and column.name not in seen
        ]
        if not blind:
            return
        told = ", ".join(f"{each.name!r} ({each.arrow or each.kind})" for each in blind[:SHOWN])
        more = f" and {len(blind) - SHOWN} more" if len(blind) > SHOWN else ""
        yield Finding(
            self.name,
            "columns",
            f"no check compares {told}{more}",
            rows=Rows(history.reference.rows, history.now.rows),
            verdict=Verdict.UNKNOWN,
            evidence={"columns": [each.name for each in blind]},
            next=("leave a column out that does not matter: --ignore COLUMN",),
        )

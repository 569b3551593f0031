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
    """Vectors, lists and bytes, which no check compares yet: `unknown`, in one finding for all.

    Whether they are there, and how many values are missing, is compared like that of any column.
    Leave such a column out with `--ignore` to say that it does not matter.
    """

    name: ClassVar[str] = "schema.uncompared"

    def needs(self, schema: Schema) -> Iterator[Need]:  # noqa: ARG002 - every check has it
        """Ask for nothing."""
        yield from ()

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding where there is such a column on both sides."""
        blind = [
            column
            for column in history.shared(kind=(Kind.VECTOR, Kind.IMAGE, Kind.OTHER))
            if not column.origin and column.name not in history.reference.lenses
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

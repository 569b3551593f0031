"""What a person sees while work runs: a bar on standard error once it has taken two seconds.

Where standard error is no terminal nothing is drawn, so that logs hold no bars.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from undertow.surfaces.safe import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PATIENCE = 2.0
"""Seconds of work before a bar appears."""


class Progress:
    """A callback `(stage, rows done, rows in all or None)` that draws a bar when work is slow.

    >>> import io
    >>> quiet = io.StringIO()
    >>> with Progress(quiet) as progress:
    ...     progress("reading", 10, 100)
    >>> quiet.getvalue()
    ''
    """

    def __init__(
        self,
        file: IO[str],
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._clock = clock
        self._began = clock()
        self._shown = not quiet and file.isatty() and os.environ.get("TERM") != "dumb"
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Tell how far a stage is; cheap while nothing is drawn."""
        if not self._shown or (self._bars is None and self._clock() - self._began < PATIENCE):
            return
        bars = self._bars or self._start()
        if stage not in self._tasks:
            self._tasks[stage] = bars.add_task(safe(stage, 30), total=None)
        bars.update(self._tasks[stage], completed=done, total=total)

    def __enter__(self) -> Self:
        """Start the clock."""
        self._began = self._clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away, whatever ended the work."""
        self._shown = False
        if self._bars is not None:
            with suppress(OSError):
                self._bars.stop()

    def _start(self) -> Bars:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24, complete_style="#5fb4ec", finished_style="#5fb4ec"),
            TextColumn("{task.completed:,.0f} rows", markup=False),
            TimeElapsedColumn(),
            console=console_for(self._file),
            transient=True,
            refresh_per_second=8,
        )
        self._bars.start()
        return self._bars


def console_for(file: IO[str], environ: Mapping[str, str] | None = None) -> Console:
    """Return a console for the file: colour only on a terminal that wants it, COLUMNS honoured.

    NO_COLOR wins over FORCE_COLOR, and FORCE_COLOR over TERM=dumb and over not being a terminal.
    """
    from rich.console import Console

    env = os.environ if environ is None else environ
    terminal = file.isatty()
    forced = env.get("FORCE_COLOR", "0") not in {"", "0"}
    colour = not env.get("NO_COLOR") and (forced or (terminal and env.get("TERM") != "dumb"))
    columns = env.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else 0
    if not width:
        width = shutil.get_terminal_size((80, 24)).columns if terminal else 120
    depth = "truecolor" if env.get("COLORTERM") in {"truecolor", "24bit"} else "256"
    if "256" not in env.get("TERM", "") and depth == "256":
        depth = "standard"
    return Console(
        file=file,
        width=max(width, 40),
        force_terminal=colour,
        color_system=depth if colour else None,  # type: ignore[arg-type]
        no_color=not colour,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )

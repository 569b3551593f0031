"""Where a command's words go: standard output, standard error, files; and when they cannot."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from undertow.core.errors import DataError

if TYPE_CHECKING:
    from undertow.core.report import Report

FORMS = ("json", "html", "markdown", "junit")
STDOUT = "-"
alone = False
"""True where the process is the command line's own, and not somebody's who called `main`."""


def deliver(stream: IO[str], text: str | bytes) -> None:
    """Write to a standard stream and flush it; a reader that has left is no error.

    Text goes in the stream's encoding, bytes as they are. Raises DataError where the disk is full.
    """
    try:
        if isinstance(text, str):
            stream.write(text)
        else:
            stream.flush()
            stream.buffer.write(text)  # type: ignore[attr-defined]
        stream.flush()
    except BrokenPipeError:
        _forget(stream)
    except OSError as error:
        _forget(stream)
        why = (error.strerror or type(error).__name__).lower()
        raise DataError(f"cannot write to standard output: {why}") from None


def note(message: str) -> None:
    """Write one line to standard error, whatever is in the message."""
    from undertow.surfaces.safe import safe
    from undertow.surfaces.terminal import defused

    try:
        deliver(sys.stderr, f"undertow: {defused(safe(message, 2000))}\n")
    except DataError:
        return  # standard error is full: the exit code has to say it


def _forget(stream: IO[str]) -> None:
    """Point a broken stream nowhere, so that leaving the interpreter does not fail on it again."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return


@dataclass(frozen=True)
class Outputs:
    """The forms of a report a user asked for, and the file of each ("-" is standard output)."""

    files: Mapping[str, str]
    github: bool = False
    quiet: bool = False
    full: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Outputs:
        """Take the output options out of a command's options."""
        files = {form: given[form] for form in FORMS if given[form] is not None}
        return cls(files, given["github"], given["quiet"], given["all"])

    @property
    def piped(self) -> bool:
        """True where standard output belongs to one of the forms alone."""
        return STDOUT in self.files.values()

    def verify(self, inputs: Iterable[str]) -> None:
        """Raise a usage error for what cannot be written, before any row is read."""
        taken: dict[str, str] = {os.path.realpath(each): "the data" for each in inputs}
        for form, path in self.files.items():
            piped = path == STDOUT
            name = path if piped else os.path.realpath(verified(path, f"--{form}"))
            if name in taken and not _special(path):
                place = "standard output" if piped else path
                raise click.UsageError(f"--{form} and {taken[name]} are both {place}")
            taken[name] = f"--{form}"

    def publish(self, report: Report, exit_code: int) -> None:
        """Write every form, the terminal report last; all are made before the first is written."""
        rendered = {form: report.render(form, **self._more(form)) for form in self.files}
        annotations = report.render("github") if self.github else ""
        from undertow.config import write_file

        written = [path for path in self.files.values() if path != STDOUT]
        for form, path in self.files.items():
            if path != STDOUT:
                write_file(path, rendered[form])
        for form, path in self.files.items():
            if path == STDOUT:
                deliver(sys.stdout, rendered[form].encode("utf-8", "backslashreplace"))
        stream = sys.stderr if self.piped else sys.stdout
        if not self.quiet:
            deliver(stream, self._shown(report, stream, written, exit_code))
        deliver(stream, annotations)

    def _more(self, form: str) -> dict[str, Any]:
        return {"all": self.full} if form == "markdown" else {}

    def _shown(self, report: Report, stream: IO[str], written: list[str], exit_code: int) -> str:
        from undertow.surfaces.progress import console_for
        from undertow.surfaces.terminal import show

        kept = _Kept(stream)
        show(report, console_for(kept), all=self.full, written=written, exit_code=exit_code)
        return kept.getvalue()


class _Kept(io.StringIO):
    """Keeps what is meant for a stream: rich would end the program when a reader has left."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return self._stream.isatty()


def verified(path: str, option: str) -> str:
    """Return a path that can be written, or raise a usage error that says why it cannot."""
    target = Path(path)
    try:
        if target.is_dir():
            raise click.UsageError(f"{option} {path} is a folder; give the name of a file")
        if not target.parent.is_dir():
            raise click.UsageError(f"{option} {path}: there is no folder {str(target.parent)!r}")
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{option} {path!r}: {error}") from None
    return path


def _special(path: str) -> bool:
    """True for what is no file, such as /dev/null, which two forms may share."""
    return path != STDOUT and Path(path).exists() and not Path(path).is_file()

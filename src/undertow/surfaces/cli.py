"""The command line: a verb of the loop a command, one line for every error, and an exit code.

Slow libraries are imported by the command that needs them, so that `undertow --help` is at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from undertow.core.errors import UndertowError, did_you_mean
from undertow.surfaces import cli_output
from undertow.surfaces.cli_accept import accept
from undertow.surfaces.cli_check import check, skew
from undertow.surfaces.cli_data import profile, schema
from undertow.surfaces.cli_demo import demo, version
from undertow.surfaces.cli_encoders import compare_encoders
from undertow.surfaces.cli_evaluate import evaluate
from undertow.surfaces.cli_feedback import feedback
from undertow.surfaces.cli_forecast import forecast
from undertow.surfaces.cli_index import index
from undertow.surfaces.cli_meaning import meaning
from undertow.surfaces.cli_ood import ood
from undertow.surfaces.cli_output import deliver, note
from undertow.surfaces.cli_retrieval import retrieval
from undertow.surfaces.cli_senses import senses
from undertow.surfaces.cli_tokens import tokens

USAGE = 2
INTERRUPTED = 130
AGAIN = 0.5
"""Seconds after which a Ctrl-C that nobody heard is said again; longer than any clean-up takes."""


class Verbs(click.Group):
    """The commands in the order people need them, with the closest name for a wrong one."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the commands in the order they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or raise a usage error that names the closest."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"no command {args[0]!r}{did_you_mean(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.option("--version", "show_version", is_flag=True, help="Print the version and leave.")
@click.pass_context
def undertow(ctx: click.Context, show_version: bool) -> int | None:
    """Tell what has changed in a model that still runs, how sure that is, and what to do next.

    Start with `undertow demo`, or with your own files: `undertow check train.csv live.csv`.

    Exit codes: 0 nothing at or above --fail-on, 1 something is, 2 a usage or data error,
    3 every finding is unknown.
    """
    if show_version:
        return int(ctx.invoke(version))
    if ctx.invoked_subcommand is None:
        deliver(sys.stdout, ctx.get_help() + "\n")
    return None


index.add_command(forecast)
for _verb in (
    *(check, skew, ood, tokens, meaning, senses),
    *(retrieval, index, compare_encoders, evaluate, feedback),
    *(profile, schema, accept, demo, version),
):
    undertow.add_command(_verb)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but a debugger's wish shows a traceback."""
    debug = os.environ.get("UNDERTOW_DEBUG") == "1"
    cli_output.alone = argv is None
    try:
        with _stoppable():
            return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        note("stopped")
        return INTERRUPTED
    except click.ClickException as error:
        note(_usage(error))
    except UndertowError as error:
        if debug:
            _traceback()
        note(str(error))
    except MemoryError:
        note("out of memory; give fewer columns with --ignore, or fewer rows with --where")
    except Exception as error:  # noqa: BLE001 - whatever it is, the user sees one line
        if debug:
            _traceback()
        note(_unexpected(error, debug=debug))
    return USAGE


def _run(args: list[str]) -> int:
    try:
        with undertow.make_context("undertow", args) as ctx:
            outcome = undertow.invoke(ctx)
    except click.exceptions.Exit as leave:
        outcome = leave.exit_code
    deliver(sys.stdout, "")
    return outcome if isinstance(outcome, int) else 0


@contextmanager
def _stoppable() -> Iterator[None]:
    """Repeat Ctrl-C until it is heard.

    Python drops it in callbacks that no exception can leave, and libraries drop it where they drop
    every exception (pyarrow does, while it looks for pandas): such a run would just go on.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    hook, alarmed = sys.unraisablehook, hasattr(signal, "setitimer")

    def stop(*_: object) -> None:
        if alarmed:
            signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt

    def quiet(dropped: Any) -> None:
        if dropped.exc_type is not KeyboardInterrupt:
            hook(dropped)

    before = signal.getsignal(signal.SIGALRM) if alarmed else None
    signal.signal(signal.SIGINT, stop)
    sys.unraisablehook = quiet
    try:
        yield
    finally:
        if alarmed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = hook


def _usage(error: click.ClickException) -> str:
    """Return a click error as one line: what is wrong, the closest name, where the help is."""
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        params = ctx.command.get_params(ctx) if ctx is not None else []
        known = [name for each in params for name in each.opts if name.startswith("--")]
        told = f"no option {error.option_name!r}{did_you_mean(error.option_name, known)}"
    else:
        told = error.format_message().strip().rstrip(".")
        told = told[:1].lower() + told[1:]
    command = ctx.command_path if ctx is not None else "undertow"
    return told if told.endswith("?") else f"{told}; see `{command} --help`"


def _unexpected(error: Exception, *, debug: bool) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    more = "" if debug else "; UNDERTOW_DEBUG=1 shows where"
    return f"this is a bug in undertow, please report it: {type(error).__name__}: {error}{more}"


def _traceback() -> None:
    import traceback

    sys.stderr.write(traceback.format_exc())


if __name__ == "__main__":
    sys.exit(main())

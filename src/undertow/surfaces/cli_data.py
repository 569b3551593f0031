"""`undertow profile` and `undertow schema`: what is computed or decided once and kept in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from undertow.surfaces.cli_options import (
    Verb,
    column_options,
    encoder_option,
    loop_options,
    option,
    schema_option,
    where_option,
)
from undertow.surfaces.cli_output import STDOUT, deliver, verified


@click.command(cls=Verb, short_help="Summarise DATA once, into a file.")
@click.argument("data")
@option("-o", "--out", required=True, metavar="FILE", help="Where the profile goes; - for a pipe.")
@option(
    "--like", metavar="PROFILE", help="Share this profile's plan, so that both can be compared."
)
@option("--quiet", is_flag=True, help="No progress bar.")
@column_options
@encoder_option
@schema_option
@where_option
def profile(data: str, out: str, like: str | None, quiet: bool, **given: Any) -> int:
    """Summarise DATA once, into a file that `undertow check` takes wherever data can stand.

    A profile holds counts and a small sample, and is computed in one pass.
    """
    options = loop_options(given)
    if like is not None:
        options["like"] = like
    if out != STDOUT:
        _apart(verified(out, "--out"), [data, *([like] if like is not None else [])])
    elif sys.stdout.isatty():
        raise click.UsageError("a profile is no text; give -o FILE, or send it into a pipe")
    from undertow.opening import save
    from undertow.surfaces.progress import Progress
    from undertow.verbs.profile import profile as summarise

    with Progress(sys.stderr, quiet=quiet) as progress:
        made = summarise(data, **options, progress=progress)
    if out != STDOUT:
        save(made, out)
        return 0
    import tempfile

    with tempfile.TemporaryDirectory(prefix="undertow-") as folder:
        saved = Path(folder) / "profile"
        save(made, saved)
        deliver(sys.stdout, saved.read_bytes())
    return 0


@click.command(cls=Verb, short_help="Write how the columns of DATA are read.")
@click.argument("data")
@option("-o", "--out", default=STDOUT, metavar="FILE", help="Where it goes.  [default: -]")
@column_options
@where_option
def schema(data: str, out: str, **given: Any) -> int:
    """Write how the columns of DATA are read, as a small TOML file to look at and edit.

    Give it back with `undertow check --schema FILE`.
    """
    options = loop_options(given)
    if out != STDOUT:
        _apart(verified(out, "--out"), [data])
    from undertow.config import schema_toml, write_file
    from undertow.verbs.profile import infer_schema

    written = schema_toml(infer_schema(data, **options))
    if out == STDOUT:
        deliver(sys.stdout, written.encode())
    else:
        write_file(out, written)
    return 0


def _apart(out: str, inputs: list[str]) -> None:
    for each in inputs:
        if os.path.realpath(each) == os.path.realpath(out):
            raise click.UsageError(f"--out {out} would overwrite what is read; give another name")

"""`undertow accept`: write down that the team knows about a finding, until when, and why."""

from __future__ import annotations

import sys

import click

from undertow.core.errors import UsageError
from undertow.surfaces.cli_options import Verb, option
from undertow.surfaces.cli_output import deliver


@click.command(cls=Verb, short_help="Accept a finding that the team knows about.")
@click.argument("key")
@option("--until", required=True, metavar="DATE", help="The last day it is fine, as 2027-01-31.")
@option(
    "--reason", required=True, metavar="TEXT", help="Why it is fine, for whoever reads it later."
)
@option(
    "--file",
    "path",
    default="undertow-accept.toml",
    show_default=True,
    metavar="FILE",
    help="The file to write; keep it in git.",
)
def accept(key: str, until: str, reason: str, path: str) -> int:
    """Accept the finding KEY: it stays listed, and fails no run until that date.

    Keys stand at the end of a report. An entry of the same key is renewed, the others are kept.
    """
    from undertow.config import write_acceptance
    from undertow.core.finding import Acceptance
    from undertow.surfaces import cli_check
    from undertow.surfaces.safe import safe

    if len(until) == 10 and until < cli_check.today().isoformat():
        raise UsageError(f"--until {until} is past; give a day from today on")
    write_acceptance(path, Acceptance(key, until, reason))
    deliver(sys.stdout, f"{key} is accepted until {until}, written to {safe(path, None)}\n")
    return 0

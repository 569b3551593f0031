"""`undertow demo` and `undertow version`."""

from __future__ import annotations

import sys

import click

from undertow.surfaces.cli_options import Verb, option
from undertow.surfaces.cli_output import deliver


@click.command(cls=Verb, short_help="Plant a silent failure, and find it.")
@option(
    "--story",
    type=click.Choice(["digits", "feedback"]),
    default="digits",
    show_default=True,
    help="A scanner is replaced, or a product is launched.",
)
@option(
    "--out",
    default="undertow-demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where its files go.",
)
def demo(story: str, out: str) -> int:
    """Plant a silent failure in a real model's data, and find it.

    Needs no data of yours and no network.
    """
    from undertow.surfaces.demo import run

    outcome = run(out, story)
    return outcome if isinstance(outcome, int) else 0


@click.command(cls=Verb)
def version() -> int:
    """Print the version."""
    from importlib.metadata import version as installed

    deliver(sys.stdout, f"undertow {installed('undertow')}\n")
    return 0

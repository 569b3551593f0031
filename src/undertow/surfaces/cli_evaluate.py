"""`undertow evaluate`: an encoder scored on tasks of one's own, and against an earlier report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    judged_by,
    one_tolerance,
    option,
    output_options,
)
from undertow.surfaces.cli_output import Outputs

if TYPE_CHECKING:
    from undertow.core.report import Report


@click.command(cls=Verb, short_help="Score an encoder on your own tasks, now and against earlier.")
@click.argument("encoder")
@option(
    "--tasks",
    section="Tasks",
    required=True,
    metavar="DIR",
    help="A folder of tasks, each a folder of tables: retrieval, classification, clustering, sts or "
    "pair_classification, told in its task.toml or by its files.",
)
@option(
    "--reference",
    section="Tasks",
    metavar="EARLIER.json",
    help="An earlier report of this command, written by --json.",
)
@option(
    "--library",
    section="Tasks",
    type=click.Choice(["mteb", "builtin"]),
    default="mteb",
    help="Who scores: mteb, or the same protocol without it.  [default: mteb]",
)
@judged_by("The smallest fall of a score that matters.  [default: 0.02]", "X")
@output_options
def evaluate(encoder: str, **given: Any) -> int:
    """Score ENCODER on the tasks of a folder, offline, and tell what moved since an earlier report.

    ENCODER is tfidf, minilm, module:callable, an address of the OpenAI shape, or a path. The first
    run keeps a baseline and leaves with 0; give its JSON to the next as --reference.
    """
    outputs = Outputs.of(given)
    reference = given["reference"]
    outputs.verify([each for each in (given["tasks"], reference) if each is not None])
    known = accepted(given["accepted"])
    tolerance = one_tolerance(given["tolerance"])
    from undertow.verbs.evaluate import evaluate as score

    with progress_bar(outputs) as progress:
        report: Report = score(
            encoder,
            given["tasks"],
            reference=reference,
            library=given["library"],
            tolerance=tolerance,
            progress=progress,
        )
    return conclude(report, outputs, known, given, baseline=reference is None)

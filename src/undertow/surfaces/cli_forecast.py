"""`undertow index forecast`: what a search will find after a re-index, told before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    golden_column_option,
    golden_columns,
    judged_by,
    one_tolerance,
    option,
    output_options,
)
from undertow.surfaces.cli_output import Outputs

if TYPE_CHECKING:
    from undertow.core.report import Report

_NEW, _GOLDEN, _NOW = "After the re-index", "Golden set", "Today"


@click.command("forecast", cls=Verb, short_help="Tell what a re-index will do to a search.")
@click.argument("index", required=False, metavar="[DIR]")
@option(
    "--encoder",
    section=_NEW,
    required=True,
    metavar="NEW",
    help="What is to embed the documents: tfidf, minilm, module:callable, an address, or a path.",
)
@option(
    "--sample",
    section=_NEW,
    type=click.IntRange(1),
    default=300,
    metavar="N",
    help="Documents that are embedded beside the judged ones.  [default: 300]",
)
@option("--queries", section=_GOLDEN, metavar="FILE", help="The queries.")
@option(
    "--judgements",
    section=_GOLDEN,
    metavar="FILE",
    help="Which documents answer which query; without them, only what will be replaced is told.",
)
@option("--golden", section=_GOLDEN, metavar="DIR", help="A folder with all three instead.")
@golden_column_option
@option(
    "--docs",
    section=_NOW,
    metavar="FILE",
    help="The documents, where there is no index, or it keeps no texts.",
)
@option(
    "--from",
    "old",
    section=_NOW,
    metavar="OLD",
    help="The encoder of today, where there is no index, or it does not say.",
)
@judged_by("The smallest fall of nDCG@10 that matters.  [default: 0.02]", "X")
@output_options
def forecast(index: str | None, **given: Any) -> int:
    """Tell what a search will find once the index in DIR is embedded with another encoder.

    Only the queries, their judged documents and a sample of the others are embedded. Tells nDCG@10,
    MRR@10 and recall@10 after the re-index, with intervals, and the documents most at risk.
    """
    if index is None and given["old"] is None:
        raise click.UsageError("give the folder of an index, or --docs FILE --from ENCODER")
    outputs = Outputs.of(given)
    files = ("docs", "queries", "judgements")
    outputs.verify([given[name] for name in files if given[name] is not None])
    names = (*files, "golden", "old", "encoder", "sample")
    options = {name: given[name] for name in names if given[name] is not None}
    options["columns"] = golden_columns(given["golden_column"])
    options["tolerance"] = one_tolerance(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.forecast import forecast as tell

    with progress_bar(outputs) as progress:
        report: Report = tell(index, **options, progress=progress)
    return conclude(report, outputs, known, given)

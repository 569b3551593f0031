"""`undertow feedback`: whether a system feeds on what it served, and on what it wrote."""

from __future__ import annotations

from typing import Any

import click

from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    by_effect,
    judged_by,
    option,
    output_options,
    where_option,
)
from undertow.surfaces.cli_output import Outputs

_ITEM = "What was served: an id a row, such as a product, a song or a document."
_TEXT = "The texts that were served, looked through for near copies and for own outputs."
_VECTOR = "Their vectors: a list of numbers of one length, or a pattern such as 'emb_*'."
_ENCODER = "Make the vectors of --text by tfidf, minilm, module:callable, an address, or a path."
_TIME = "When a row was served; with one set alone, what splits it."
_SESSION = "The visit or user of a row: rows of one session are not independent."
_CATALOG = "All items that could be served: a file with a column of ids."
_OUTPUTS = "The system's own outputs: a file with a row an output."
_OUTPUT_TEXT = "The column of their texts.  [default: as --text]"
_OUTPUT_TIME = "When an output was written: only rows after it are counted."
_TOLERANCE = (
    "The smallest change that matters, for Gini and coverage, or by measure: gini=X (0.08), "
    "coverage=X (0.1), similarity=X (0.05); copies=X and own_output=X, in Cohen's h (0.2)."
)
_NAMES = (
    *("item", "text", "vector", "encoder", "time", "session", "catalog", "outputs"),
    *("output_text", "output_time", "where", "reference_where", "current_where"),
)


@click.command(cls=Verb, short_help="Tell whether a system feeds on its own output.")
@click.argument("reference")
@click.argument("current", required=False)
@option("--item", metavar="COLUMN", section="Columns", help=_ITEM)
@option("--text", metavar="COLUMN", section="Columns", help=_TEXT)
@option("--vector", metavar="COLUMN", section="Columns", help=_VECTOR)
@option("--encoder", metavar="ENCODER", section="Columns", help=_ENCODER)
@option("--time", metavar="COLUMN", section="Columns", help=_TIME)
@option("--session", metavar="COLUMN", section="Columns", help=_SESSION)
@option("--catalog", metavar="FILE", section="Own output and catalogue", help=_CATALOG)
@option("--outputs", metavar="FILE", section="Own output and catalogue", help=_OUTPUTS)
@option("--output-text", metavar="COLUMN", section="Own output and catalogue", help=_OUTPUT_TEXT)
@option("--output-time", metavar="COLUMN", section="Own output and catalogue", help=_OUTPUT_TIME)
@where_option
@option("--reference-where", metavar="SQL", section="Rows", help="The same, for the reference.")
@option("--current-where", metavar="SQL", section="Rows", help="The same, for the current rows.")
@judged_by(_TOLERANCE, "[MEASURE=]X")
@output_options
def feedback(reference: str, current: str | None, **given: Any) -> int:
    """Tell whether what a system served or wrote shapes what it serves next.

    REFERENCE and CURRENT are files, folders or globs (Parquet, CSV, JSON lines, Arrow), a row a
    serving. With one set alone and --time, its last part is compared with what came before. Give at
    least one of --item (exposure), --text (near copies) and --outputs (own output that comes back).
    """
    outputs = Outputs.of(given)
    read = [reference, current, given["catalog"], given["outputs"]]
    outputs.verify([each for each in read if each is not None])
    options = {name: given[name] for name in _NAMES if given[name] is not None}
    tolerance = by_effect(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.feedback import feedback as tell

    with progress_bar(outputs) as progress:
        report = tell(reference, current, tolerance=tolerance, progress=progress, **options)
    return conclude(report, outputs, known, given)

"""`undertow senses`: whether vectors keep the senses of one word apart, and which rows they mix."""

from __future__ import annotations

from typing import Any

import click

from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    judged_by,
    one_tolerance,
    option,
    output_options,
    where_option,
)
from undertow.surfaces.cli_output import Outputs

_TEXT = "The texts; the encoder makes vectors of them."
_WORD = "The word, such as apple; its case does not matter."
_VECTOR = (
    "An embedding of each text: a list of numbers of one length, or a pattern such as 'emb_*'."
)
_LABEL = "The sense of each row.  [default: by the capital, as in Apple and apple]"
_ENCODER = (
    "What makes the vectors: tfidf, minilm, module:callable, an address of the OpenAI shape, or a "
    "path.  [default: tfidf]"
)
_MIX = (
    "The mix that matters, as a part of what chance gives: 0 is apart, 1 as mixed as chance.  "
    "[default: 0.2]"
)


@click.command(cls=Verb, short_help="Tell whether the senses of one word are kept apart.")
@click.argument("data")
@option("--text", required=True, metavar="COLUMN", section="Columns", help=_TEXT)
@option("--word", required=True, metavar="WORD", section="Columns", help=_WORD)
@option("--encoder", metavar="ENCODER", section="Columns", help=_ENCODER)
@option("--vector", metavar="COLUMN", section="Columns", help=_VECTOR)
@option("--label", metavar="COLUMN", section="Columns", help=_LABEL)
@where_option
@judged_by(_MIX, "X")
@output_options
def senses(data: str, **given: Any) -> int:
    """Tell whether the nearest texts of a text with a word are of its own sense.

    DATA is a file, a folder or a glob (Parquet, CSV, JSON lines, Arrow). `changed` says that the
    vectors mix the senses of the word (Apple, apple), `steady` that they keep them apart.
    """
    outputs = Outputs.of(given)
    outputs.verify([data])
    names = ("text", "word", "encoder", "vector", "label", "where")
    options = {name: given[name] for name in names if given[name] is not None}
    tolerance = one_tolerance(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.senses import senses as tell

    with progress_bar(outputs) as progress:
        report = tell(data, tolerance=tolerance, progress=progress, **options)
    return conclude(report, outputs, known, given)

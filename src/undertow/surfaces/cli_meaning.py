"""`undertow meaning`: whether words are used otherwise than before."""

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

_TEXT = "The texts."
_TERM = (
    "A term of one word or more, such as 'machine learning' (repeatable).  [default: the 60 most used "
    "words are tested, and the 20 with the strongest evidence listed]"
)
_ENCODER = (
    "What makes vectors of the contexts: tfidf, minilm, module:callable, an address of the OpenAI "
    "shape, or a path.  [default: tfidf]"
)
_WINDOW = "How many words before and after a use are its context.  [default: 10]"
_LEAST = "Uses on each side below which nothing is told.  [default: 20]"
_DOCUMENT = "What rows belong together, such as a user or a thread.  [default: each text]"
_SHARE = (
    "The share of uses that matters: 0.2 is as if a fifth were now of another word.  [default: 0.2]"
)


@click.command(cls=Verb, short_help="Tell whether words are used otherwise than before.")
@click.argument("reference")
@click.argument("current")
@option("--text", required=True, metavar="COLUMN", section="Columns", help=_TEXT)
@option("--document", metavar="COLUMN", section="Columns", help=_DOCUMENT)
@option("--term", multiple=True, metavar="TERM", section="Words", help=_TERM)
@option("--case", is_flag=True, section="Words", help="Apple is another word than apple.")
@option("--window", type=int, metavar="WORDS", section="Words", help=_WINDOW)
@option("--min-count", type=int, metavar="USES", section="Words", help=_LEAST)
@option("--encoder", metavar="ENCODER", section="Words", help=_ENCODER)
@where_option
@judged_by(_SHARE, "X")
@output_options
def meaning(reference: str, current: str, **given: Any) -> int:
    """Tell whether words are used otherwise in CURRENT than in REFERENCE.

    Each is a file, a folder or a glob (Parquet, CSV, JSON lines, Arrow). `changed` says that a word
    stands among other words than before, by more than the tolerance, and which those are.
    """
    outputs = Outputs.of(given)
    outputs.verify([reference, current])
    names = ("text", "document", "window", "min_count", "encoder", "where")
    options = {name: given[name] for name in names if given[name] is not None}
    if given["term"]:
        options["term"] = given["term"]
    tolerance = one_tolerance(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.meaning import meaning as tell

    with progress_bar(outputs) as progress:
        report = tell(
            reference,
            current,
            case=given["case"],
            tolerance=tolerance,
            progress=progress,
            **options,
        )
    return conclude(report, outputs, known, given)

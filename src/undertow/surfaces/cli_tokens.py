"""`undertow tokens`: what a tokenizer makes of the texts, before and now, and by another tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from undertow.core.report import Report


@click.command(cls=Verb, short_help="Tell what a tokenizer makes of the texts, before and now.")
@click.argument("reference")
@click.argument("current", required=False)
@option("--text", section="Texts", required=True, metavar="COLUMN", help="The column of the texts.")
@option(
    "--id",
    section="Texts",
    metavar="COLUMN",
    help="What names a row: texts of one id are compared row by row too.",
)
@option(
    "--document",
    section="Texts",
    metavar="COLUMN",
    help="The document of each row: rows are its chunks, in their order.",
)
@option("--order", section="Texts", metavar="COLUMN", help="The place of a chunk in its document.")
@option(
    "--tokenizer",
    section="Tokenizer",
    default="words",
    metavar="NAME|FILE",
    help="words, minilm, a tokenizer.json, a folder with one, a vocab.txt, or module:callable.  "
    "[default: words]",
)
@option(
    "--other-tokenizer",
    section="Tokenizer",
    metavar="NAME|FILE",
    help="The tokenizer in serving: on which texts does it read otherwise, and why?",
)
@option(
    "--max-length",
    section="Tokenizer",
    type=click.IntRange(1),
    metavar="N",
    help="How many pieces of a text the model reads, instead of what the tokenizer says.",
)
@option(
    "--other-max-length",
    section="Tokenizer",
    type=click.IntRange(1),
    metavar="N",
    help="The same in serving, where it differs.",
)
@where_option
@judged_by(
    "The smallest change that matters, by effect: cdf_gap=X, the share of texts whose number "
    "moved (0.1); cohens_h=X, of a share (0.2); moved_share=X, of texts read otherwise (0.02)."
)
@output_options
def tokens(reference: str, current: str | None, **given: Any) -> int:
    """Tell what changed in what a model reads: the pieces a tokenizer makes of the texts.

    Pieces a word, pieces that go on a word, texts that are cut, unknown pieces, the case and the
    damage of the texts, new terms that are split. With --other-tokenizer, the texts that it reads
    otherwise, named by the cause; CURRENT may then be left out.
    """
    outputs = Outputs.of(given)
    if current is None and given["other_tokenizer"] is None:
        raise click.UsageError(
            f"nothing to compare {reference} with: give CURRENT, or --other-tokenizer"
        )
    outputs.verify([each for each in (reference, current) if each is not None])
    names = (
        "text",
        "id",
        "document",
        "order",
        "tokenizer",
        "other_tokenizer",
        "max_length",
        "other_max_length",
        "where",
    )
    options = {name: given[name] for name in names if given[name] is not None}
    options["tolerance"] = by_effect(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.tokens import tokens as compare

    with progress_bar(outputs) as progress:
        report: Report = compare(reference, current, **options, progress=progress)
    return conclude(report, outputs, known, given)

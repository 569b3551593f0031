"""`undertow compare-encoders`: two encoders on the same texts, and what to do about the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    by_effect,
    golden_column_option,
    golden_columns,
    judged_by,
    option,
    output_options,
    where_option,
)
from undertow.surfaces.cli_output import Outputs, verified

if TYPE_CHECKING:
    from undertow.core.report import Report


@click.command(cls=Verb, short_help="Compare two encoders on the same texts.")
@click.argument("a")
@click.argument("b")
@option(
    "--anchors",
    section="Texts",
    required=True,
    metavar="FILE",
    help="Rows with the texts that both encode.",
)
@option("--text", section="Texts", required=True, metavar="COLUMN", help="The column of the texts.")
@option("--label", section="Texts", metavar="COLUMN", help="Texts of one label answer each other.")
@option(
    "--vector",
    section="Texts",
    metavar="COLUMN",
    help="The vectors in a saved file, where it has several.",
)
@option(
    "--golden",
    section="Golden set",
    metavar="DIR",
    help="A folder with documents, queries and judgements.",
)
@golden_column_option
@option(
    "--bridge", metavar="FILE", help="Save the map from B to A here, if its gate lets it through."
)
@where_option
@judged_by(
    "The smallest part of retrieval quality that matters (0.05), or by effect: relative_change=X and "
    "moved_share=X, the share of vectors of another space (0.02)."
)
@output_options
def compare_encoders(a: str, b: str, **given: Any) -> int:
    """Compare encoder A (old) with encoder B (new) on the same texts.

    Each is the name of an encoder (tfidf, minilm, module:function, https://...) or a file of saved
    vectors, a row for each row of the anchors. Says one of: same space; moved, harmless; mixed;
    bridgeable by an orthogonal map; incompatible: re-index.
    """
    outputs = Outputs.of(given)
    read = [each for each in (a, b, given["anchors"]) if each is not None]
    outputs.verify(read)
    if given["bridge"] is not None:
        _apart(verified(given["bridge"], "--bridge"), [*read, *outputs.files.values()])
    options = {
        name: given[name]
        for name in ("text", "label", "vector", "golden", "bridge", "where", "anchors")
        if given[name] is not None
    }
    options["golden_columns"] = golden_columns(given["golden_column"])
    options["tolerance"] = by_effect(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.encoders import compare_encoders as compare

    with progress_bar(outputs) as progress:
        report: Report = compare(a, b, **options, progress=progress)
    return conclude(report, outputs, known, given)


def _apart(out: str, others: Sequence[str]) -> None:
    import os

    if any(os.path.realpath(each) == os.path.realpath(out) for each in others):
        raise click.UsageError(f"--bridge {out} would overwrite another file; give another name")

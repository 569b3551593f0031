"""`undertow retrieval`: what a search finds of a golden set, and what it has lost since."""

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
)
from undertow.surfaces.cli_output import Outputs, verified

if TYPE_CHECKING:
    from undertow.core.report import Report

_GOLDEN, _SEARCH = "Golden set", "Search"
_PLAIN = ("doc_id", "doc_text", "query_id", "query_text")


@click.command(cls=Verb, short_help="Tell what a search finds of a golden set.")
@option("--docs", section=_GOLDEN, metavar="FILE", help="The documents that are searched.")
@option("--queries", section=_GOLDEN, metavar="FILE", help="The queries.")
@option(
    "--judgements",
    section=_GOLDEN,
    metavar="FILE",
    help="Which documents answer which query: the ids of both, and a relevance.",
)
@option("--golden", section=_GOLDEN, metavar="DIR", help="A folder with all three instead.")
@option("--doc-id", section=_GOLDEN, metavar="COLUMN", help="The documents' ids, if not found.")
@option("--text", "doc_text", section=_GOLDEN, metavar="COLUMN", help="The documents' texts.")
@option("--query-id", section=_GOLDEN, metavar="COLUMN", help="The queries' ids.")
@option("--query-text", section=_GOLDEN, metavar="COLUMN", help="What the queries ask.")
@golden_column_option
@option(
    "--slice",
    "slices",
    section=_GOLDEN,
    multiple=True,
    metavar="COLUMN",
    help="A column of the queries to tell apart, such as a topic (repeatable).",
)
@option(
    "--write-hashes",
    section=_GOLDEN,
    metavar="FILE",
    help="Write the judgements with the hash of each document's text: stale ones are told from it.",
)
@option(
    "--encoder",
    section=_SEARCH,
    metavar="ENCODER",
    help="What makes the vectors: tfidf, minilm, module:callable, an address, or a path. An index "
    "remembers its own.",
)
@option(
    "--index",
    section=_SEARCH,
    metavar="DIR",
    help="Search the vectors of this index instead, and verify what it holds.",
)
@option(
    "--vector",
    section=_SEARCH,
    metavar="COLUMN",
    help="The column of documents and queries that holds their vectors; then no encoder is needed.",
)
@option(
    "--k",
    section=_SEARCH,
    type=int,
    default=10,
    metavar="N",
    help="How many documents are looked at.  [default: 10]",
)
@option(
    "--reference",
    section=_SEARCH,
    metavar="JSON",
    help="An earlier run, as --json wrote it: what is lost since is judged.",
)
@judged_by(
    "The smallest drop of nDCG, MRR or recall that matters (0.02), or by effect: difference=X "
    "and moved_share=X, the share of queries whose judgements are those of another (0.1)."
)
@output_options
def retrieval(**given: Any) -> int:
    """Tell what a search finds of a golden set: hit rate, recall, MRR and nDCG at 10.

    Tells judgements that are stale, gone, there twice or of other queries, and, with --reference, what
    is lost since an earlier run, the same queries side by side. Without --judgements it tells what
    needs none.
    """
    outputs = Outputs.of(given)
    files = ("docs", "queries", "judgements", "reference")
    read = [given[name] for name in files if given[name] is not None]
    outputs.verify(read)
    if given["write_hashes"] is not None:
        verified(given["write_hashes"], "--write-hashes")
        _apart(given["write_hashes"], [*read, *outputs.files.values()])
    names = (*files, "golden", "encoder", "index", "vector", "k", "write_hashes")
    options = {name: given[name] for name in names if given[name] is not None}
    if given["slices"]:
        options["slices"] = given["slices"]
    plain = {name: given[name] for name in _PLAIN if given[name] is not None}
    options["columns"] = golden_columns(given["golden_column"]) | plain
    options["tolerance"] = by_effect(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.retrieval import retrieval as tell

    with progress_bar(outputs) as progress:
        report: Report = tell(**options, progress=progress)
    alone = given["reference"] is None and given["judgements"] is None and given["golden"] is None
    return conclude(report, outputs, known, given, baseline=alone)


def _apart(out: str, others: Sequence[str]) -> None:
    import os

    if any(os.path.realpath(each) == os.path.realpath(out) for each in others):
        raise click.UsageError(
            f"--write-hashes {out} would overwrite another file; give another name"
        )

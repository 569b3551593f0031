"""`undertow ood`: a score a row for how unfamiliar it is, and a verdict on how many rows are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    encoder_option,
    option,
    output_options,
    tolerances,
    verdict_options,
    where_option,
)
from undertow.surfaces.cli_output import STDOUT, Outputs, verified

_COLUMNS = {
    "text": "Texts; the encoder makes vectors of them.",
    "vector": "An embedding: a list of numbers of one length.",
    "score": "A classifier's logits or probabilities, a list each.",
    "label": "The class of each reference row; the scores get better by it.",
    "time": "When a row happened; the share is then told over time too.",
    "id": "What names a row; it is copied into the scores.",
}
_SCORES = "Write row, score, is_ood and p of every current row here, as Parquet."
_METHOD = (
    "local, knn; with --label blend, mahalanobis; with --score energy, max-logit.  [default: the "
    "first that fits]"
)
_RATE = "Share of the reference's held-out rows that lie beyond the threshold."
_HELD = (
    "Reference rows that set the threshold, such as \"split = 'val'\"; the others are what is "
    "known.  [default: a fifth of the rows]"
)


def _columns(function: Any) -> Any:
    for name, words in reversed(_COLUMNS.items()):
        function = option(f"--{name}", metavar="COLUMN", section="Columns", help=words)(function)
    return function


@click.command(cls=Verb, short_help="Score how unfamiliar each row of CURRENT is.")
@click.argument("reference")
@click.argument("current")
@_columns
@encoder_option
@option("--scores", metavar="FILE", section="Scores", help=_SCORES)
@option("--method", metavar="METHOD", section="Scores", help=_METHOD)
@option("--rate", type=float, default=0.05, show_default=True, section="Scores", help=_RATE)
@option("--held-out", metavar="SQL", section="Rows", help=_HELD)
@where_option
@option("--reference-where", metavar="SQL", section="Rows", help="The same, for the reference.")
@option("--current-where", metavar="SQL", section="Rows", help="The same, for the current rows.")
@verdict_options
@output_options
def ood(reference: str, current: str, **given: Any) -> int:
    """Score how unlike REFERENCE each row of CURRENT is, and tell how many are out of distribution.

    Each is a file, a folder or a glob (Parquet, CSV, JSON lines, Arrow). A row is out of
    distribution where it scores higher than all but a few of the reference's own rows.
    """
    outputs = Outputs.of(given)
    outputs.verify([reference, current])
    if given["scores"] is not None:
        _apart(given["scores"], [reference, current], list(outputs.files.values()))
    options = {
        name: given[name]
        for name in (*_COLUMNS, "encoder", "scores", "method", "held_out")
        if given[name] is not None
    }
    for name in ("where", "reference_where", "current_where"):
        if given[name] is not None:
            options[name] = given[name]
    tolerance = _tolerance(given["tolerance"])
    known = accepted(given["accepted"])
    from undertow.verbs.ood import ood as score

    with progress_bar(outputs) as progress:
        report = score(
            reference,
            current,
            rate=given["rate"],
            tolerance=tolerance,
            progress=progress,
            **options,
        )
    return conclude(report, outputs, known, given)


def _tolerance(words: Sequence[str]) -> float | None:
    """Return the one tolerance there is here, a difference of two shares."""
    told = tolerances(words)
    if isinstance(told, dict):
        if len(told) != 1:
            raise click.UsageError("--tolerance: there is one share to judge, so give one number")
        (told,) = told.values()
    if told == "auto":
        raise click.UsageError("--tolerance auto learns from one set over time; give a number")
    return None if told is None else float(told)


def _apart(scores: str, inputs: list[str], outputs: list[str]) -> None:
    if scores == STDOUT:
        raise click.UsageError("--scores -: Parquet is no text; give the name of a file")
    target = os.path.realpath(verified(scores, "--scores"))
    if any(os.path.realpath(each) == target for each in inputs):
        raise click.UsageError(f"--scores {scores} would overwrite what is read; give another name")
    if any(each != STDOUT and os.path.realpath(each) == target for each in outputs):
        raise click.UsageError(f"--scores and a form of the report are both {scores}")

"""`undertow check` and `undertow skew`: compare sets of rows and leave with a verdict."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.surfaces.cli_options import (
    Verb,
    column_options,
    loop_options,
    option,
    output_options,
    schema_option,
    vector_options,
    verdict_options,
    where_option,
)
from undertow.surfaces.cli_output import Outputs, note

if TYPE_CHECKING:
    from undertow.core.report import Report
    from undertow.surfaces.progress import Progress


@click.command(cls=Verb, short_help="Tell what changed from REFERENCE to CURRENT.")
@click.argument("reference")
@click.argument("current", required=False)
@column_options
@vector_options
@schema_option
@where_option
@option("--reference-where", metavar="SQL", section="Rows", help="The same, for the reference.")
@option("--current-where", metavar="SQL", section="Rows", help="The same, for the current rows.")
@verdict_options
@output_options
def check(reference: str, current: str | None, **given: Any) -> int:
    """Tell what changed from REFERENCE to CURRENT, and how sure that is.

    Each is a file, a folder or a glob (Parquet, CSV, JSON lines, Arrow) or a saved profile. With
    one set alone and --time, its last part is compared with what came before.
    """
    outputs = Outputs.of(given)
    options = loop_options(given)
    if current is None and "time" not in options:
        hint = "give CURRENT, or --time COLUMN to compare the last part of one set with the rest"
        raise click.UsageError(f"nothing to compare {reference} with: {hint}")
    outputs.verify([each for each in (reference, current) if each is not None])
    known = accepted(given["accepted"])
    from undertow.verbs.check import check as compare

    with progress_bar(outputs) as progress:
        report = compare(reference, current, **options, progress=progress)
    if current is not None:
        report = _pasteable(report, reference, current, given)
    return conclude(report, outputs, known, given)


@click.command(cls=Verb, short_help="Compare named sets pairwise.")
@click.argument("sets", nargs=-1, required=True, metavar="NAME=DATA NAME=DATA ...")
@column_options
@vector_options
@schema_option
@where_option
@verdict_options
@output_options
def skew(sets: tuple[str, ...], **given: Any) -> int:
    """Compare named sets pairwise, such as train=A val=B test=C.

    Tells where they differ, which rows leak from one into another, and what tells them apart.
    """
    named: dict[str, str] = {}
    for word in sets:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise click.UsageError(f"{word!r}: write a set as NAME=DATA, such as train=train.csv")
        if name in named:
            raise click.UsageError(f"two sets are named {name!r}; give each its own name")
        named[name] = path
    if len(named) < 2:
        raise click.UsageError("skew compares sets: give two or more, as NAME=DATA")
    outputs = Outputs.of(given)
    options = loop_options(given)
    outputs.verify(named.values())
    known = accepted(given["accepted"])
    from undertow.verbs.check import skew as compare

    with progress_bar(outputs) as progress:
        report = compare(named, **options, progress=progress)
    return conclude(report, outputs, known, given)


def exit_code(report: Report, fail_on: str) -> int:
    """Return 3 where nothing could be told, 1 at or above `fail_on`, else 0.

    Nothing could be told where every comparison is unknown: that the columns are all there is no
    news. With `fail_on` "unknown", such a report is 1. What a team has accepted fails nothing.
    """
    from undertow.core.verdict import Verdict

    measured = [each for each in report.findings if each.effect is not None]
    undecided = all(each.verdict is Verdict.UNKNOWN for each in measured)
    undecided = undecided and report.verdict is Verdict.UNKNOWN
    if undecided and fail_on != "unknown":
        return 3
    if fail_on == "never":
        return 0
    return int(report.verdict.severity >= Verdict(fail_on).severity)


def _pasteable(report: Report, reference: str, current: str, given: Mapping[str, Any]) -> Report:
    """Return the report whose next steps name the data as it was given, its conditions included."""
    from undertow.core import sql

    every, *sides = (given[f"{side}where"] for side in ("", "reference_", "current_"))
    ours, theirs = (f"({every}) AND ({own})" if every and own else every or own for own in sides)
    a, b = shlex.quote(reference), shlex.quote(current)
    told = {
        f"undertow check {name} {name}": f"undertow check {path} {path}"
        + (f" --where {sql.word(only)}" if only else "")
        for name, path, only in (("REFERENCE", a, ours), ("CURRENT", b, theirs))
    }
    if every is None:  # such a step has a --where of its own
        names = ("--reference-where", "--current-where")
        own = (f" {n} {sql.word(each)}" for n, each in zip(names, sides, strict=True) if each)
        told["undertow check REFERENCE CURRENT"] = f"undertow check {a} {b}{''.join(own)}"
        made = f" --encoder {shlex.quote(given['encoder'])}" if given.get("encoder") else ""
        told["undertow ood REFERENCE CURRENT"] = f"undertow ood {a} {b}{made}"

    def named(step: str) -> str:
        for words, command in told.items():
            step = step.replace(words, command, 1)
        return step

    found = (replace(each, next=tuple(map(named, each.next))) for each in report.findings)
    return replace(report, findings=tuple(found))


def conclude(
    report: Report,
    outputs: Outputs,
    known: tuple[Any, ...],
    given: Mapping[str, Any],
    *,
    baseline: bool = False,
) -> int:
    """Write the report wherever it was asked for, and return the exit code.

    Where a `baseline` was asked for and is there, that nothing could be compared yet fails nobody.
    """
    from undertow.core.verdict import Verdict

    report = report.accepting(known)
    if given["redact"]:
        report = report.redact()
    kept = baseline and report.verdict is Verdict.UNKNOWN
    code = 0 if kept else exit_code(report, given["fail_on"])
    outputs.publish(report, code)
    return code


def accepted(given: str | None) -> tuple[Any, ...]:
    """Return the acceptances that count, and name on standard error those that no longer do."""
    from undertow.config import ACCEPTED, read_acceptances

    path = ACCEPTED if given is None else given
    if given is None and not Path(path).exists():
        return ()
    active, expired = read_acceptances(path, today())
    if expired:
        told = ", ".join(f"{each.key} (until {each.until}: {each.reason})" for each in expired)
        note(f"no longer accepted: {told}; renew with `undertow accept`, or take it out of {path}")
    return active


def today() -> dt.date:
    """Return the date where the command runs."""
    return dt.datetime.now().astimezone().date()


def progress_bar(outputs: Outputs) -> Progress:
    """Return the bar on standard error, silent where nobody looks at it."""
    from undertow.surfaces.progress import Progress

    return Progress(sys.stderr, quiet=outputs.quiet)

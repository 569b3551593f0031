"""`undertow index`: an index of vectors with versions, to switch, roll back and verify."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from undertow.core.errors import did_you_mean
from undertow.surfaces.cli_check import accepted, conclude, progress_bar
from undertow.surfaces.cli_options import (
    Verb,
    option,
    output_options,
    verdict_options,
    where_option,
)
from undertow.surfaces.cli_output import STDOUT, Outputs, deliver, note, verified
from undertow.surfaces.index_shown import counted, found_json, shown, size, table, write_json
from undertow.surfaces.safe import safe

if TYPE_CHECKING:
    from undertow.verbs.index import Written

F = TypeVar("F", bound=Callable[..., Any])


class Steps(click.Group):
    """Commands in the order people need them, with the closest name for a wrong one."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the commands in the order they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or raise a usage error that names the closest."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            hint = did_you_mean(args[0], self.commands)
            raise click.UsageError(f"no command {args[0]!r} of index{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Steps,
    short_help="An index of vectors with versions.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def index() -> None:
    """Keep an index of vectors in a folder, with versions that can be switched and rolled back.

    A switch is whole or did not happen, whatever stops it. What is stored are Parquet files, and a
    query of another encoder is refused or bridged, never answered in silence.
    """


def document_options(function: F) -> F:
    """Add the options that say what documents are."""
    section = "Documents"
    made = (
        option("--docs", section=section, required=True, metavar="FILE", help="The documents."),
        option("--id", section=section, metavar="COLUMN", help="What names a document."),
        option("--text", section=section, metavar="COLUMN", help="The texts."),
        option(
            "--vector",
            section=section,
            metavar="COLUMN",
            help="Vectors that are there already, or a pattern such as 'emb_*'.",
        ),
        option(
            "--space",
            section=section,
            metavar="NAME",
            help="A name for what made the vectors, where no --encoder does.",
        ),
    )
    for each in reversed(made):
        function = each(function)
    return where_option(function)


def encoder(words: str) -> Callable[[F], F]:
    """Return the option that names an encoder."""
    return option("--encoder", metavar="ENCODER", help=words)


quiet = option("--quiet", is_flag=True, help="No progress bar, and nothing but errors.")
as_json = option("--json", "json_", metavar="FILE", help="Write JSON here; - for standard output.")


@index.command(cls=Verb, short_help="Build a version of some documents.")
@click.argument("folder", metavar="DIR")
@document_options
@encoder("What makes vectors of texts: tfidf, minilm, module:callable, an address, or a path.")
@option("--tag", metavar="NAME", help="Give the version a name, such as prod.")
@option("--no-switch", is_flag=True, help="Build it beside the version that answers.")
@quiet
def build(folder: str, **given: Any) -> int:
    """Build a version of these documents alone, in a new folder or beside the versions there."""
    from undertow.verbs.index import build_index

    options = _given(given, "encoder", "space", "tag", "id", "text", "vector", "where")
    options["switch"] = not given["no_switch"]
    return _written(folder, build_index, given, options)


@index.command(cls=Verb, short_help="Add documents, or replace some.")
@click.argument("folder", metavar="DIR")
@document_options
@encoder("What makes vectors of texts, where the index does not say.  [default: the index's]")
@quiet
def add(folder: str, **given: Any) -> int:
    """Add documents, or replace those of the same id; only they are written."""
    from undertow.verbs.index import add_to_index

    options = _given(given, "encoder", "space", "id", "text", "vector", "where")
    return _written(folder, add_to_index, given, options)


@index.command(cls=Verb, short_help="Show the documents nearest to texts.")
@click.argument("folder", metavar="DIR")
@click.argument("queries", nargs=-1, metavar="[QUERY]...")
@option("--queries", "file", metavar="FILE", help="Read the queries from this file.")
@option("--text", metavar="COLUMN", help="The column of the queries in that file.")
@option("-k", "k", type=int, default=10, help="Documents a query.  [default: 10]")
@encoder("What makes vectors of the queries.  [default: the index's]")
@option("--bridge", metavar="FILE", help="Lay queries of a new encoder over by this bridge.")
@as_json
@quiet
def search(folder: str, queries: tuple[str, ...], **given: Any) -> int:
    """Show the documents nearest to each QUERY, by cosine."""
    from undertow.verbs.index import search_index

    asked = [*queries, *_texts(given["file"], given["text"])]
    if not asked:
        raise click.UsageError("give a QUERY, or a file of them with --queries")
    target = _target(given["json_"])
    found = search_index(folder, asked, k=given["k"], **_given(given, "encoder", "bridge"))
    for each in found.notes:
        note(each)
    if target is not None:
        write_json(target, {"path": folder, "k": given["k"], **found_json(found)})
    if target is None or (target != STDOUT and not given["quiet"]):
        deliver(sys.stdout, shown(found))
    return 0


@index.command(cls=Verb, short_help="Give a version a name.")
@click.argument("folder", metavar="DIR")
@click.argument("name")
@click.argument("version", required=False)
def tag(folder: str, name: str, version: str | None) -> int:
    """Give VERSION, or the one that answers, a NAME."""
    from undertow.verbs.index import open_index

    opened = open_index(folder)
    opened.tag(name, version)
    _say(f"{opened.version(name).name} is {name} now")
    return 0


@index.command(cls=Verb, short_help="Let another version answer.")
@click.argument("folder", metavar="DIR")
@click.argument("version", metavar="VERSION|TAG")
def switch(folder: str, version: str) -> int:
    """Let another version answer, from the next query on."""
    from undertow.verbs.index import switch_index

    before, now = switch_index(folder, version)
    if before == now:
        _say(f"{now} answers already")
    else:
        _say(f"{now} answers now (before: {before or 'a damaged pointer'})")
    return 0


@index.command(cls=Verb, short_help="Let the version before answer again.")
@click.argument("folder", metavar="DIR")
def rollback(folder: str) -> int:
    """Let the version answer that did before the last switch; again, the one before that."""
    from undertow.verbs.index import rollback_index

    before, now = rollback_index(folder)
    _say(f"{now} answers again (before: {before})")
    return 0


@index.command(cls=Verb, short_help="Keep a bridge for a new encoder's queries.")
@click.argument("folder", metavar="DIR")
@click.argument("file", metavar="BRIDGE")
def bridge(folder: str, file: str) -> int:
    """Keep a BRIDGE beside the index, so that queries of a new encoder are answered.

    `undertow compare-encoders OLD NEW --bridge FILE` makes one.
    """
    from undertow.verbs.index import keep_bridge

    _say(keep_bridge(folder, file))
    return 0


@index.command(cls=Verb, short_help="Tell whether it is what was written.")
@click.argument("folder", metavar="DIR")
@option("--docs", metavar="FILE", section="Documents", help="The documents that should be in it.")
@option("--id", metavar="COLUMN", section="Documents", help="What names a document.")
@option("--text", metavar="COLUMN", section="Documents", help="The texts.")
@encoder("What encodes texts again.  [default: the index's]")
@option("-m", "m", type=int, default=60, help="Documents that are encoded again.  [default: 60]")
@option(
    "--allowed",
    multiple=True,
    metavar="SPACE",
    help="A space that may stand beside another, such as weights of 8 bits (repeatable).",
)
@option("--bridge", metavar="FILE", help="Leads from the encoder's space to that of the index.")
@verdict_options
@output_options
def verify(folder: str, **given: Any) -> int:
    """Tell whether an index is what was written, and its vectors those of its texts.

    Reads every file, encodes some documents again, and removes what a cut-off writer left.
    """
    outputs = Outputs.of(given)
    outputs.verify([each for each in (folder, given["docs"]) if each is not None])
    known = accepted(given["accepted"])
    options = _given(given, "encoder", "bridge", "id", "text", "m")
    from undertow.surfaces.cli_options import tolerances
    from undertow.verbs.index_verify import verify_index

    tolerance = tolerances(given["tolerance"])
    if tolerance is not None:
        if not isinstance(tolerance, float):
            raise click.UsageError("--tolerance: give one number, the share of wrong vectors")
        options["tolerance"] = tolerance
    with progress_bar(outputs) as progress:
        report = verify_index(
            folder,
            documents=given["docs"],
            allowed=given["allowed"],
            progress=progress,
            **options,
        )
    return conclude(report, outputs, known, given)


@index.command(cls=Verb, short_help="List versions and tags.")
@click.argument("folder", metavar="DIR")
@as_json
def stats(folder: str, json_: str | None) -> int:
    """List the versions, the tags, and what they hold."""
    target = _target(json_)
    from undertow.verbs.index import open_index

    found = open_index(folder).stats()
    if found["cut_off"] is not None:
        note(f"{found['cut_off']}: run `undertow index verify {folder}`")
    if target is not None:
        write_json(target, found)
    if target != STDOUT:
        deliver(sys.stdout, table(found))
    return 0


@index.command(cls=Verb, short_help="Remove old versions.")
@click.argument("folder", metavar="DIR")
@option("--keep", type=int, required=True, metavar="N", help="How many versions stay.")
def prune(folder: str, keep: int) -> int:
    """Remove all but the last N versions; one that answers or has a tag stays."""
    from undertow.verbs.index import open_index

    opened = open_index(folder)
    before = sum(opened.stats()["bytes"].values())
    lost = opened.prune(keep)
    freed = before - sum(opened.stats()["bytes"].values())
    if lost:
        _say(f"{counted(len(lost), 'version')} removed, {size(freed)} freed")
    else:
        _say("nothing to remove")
    return 0


def _given(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if given[name] is not None}


def _written(
    folder: str,
    verb: Callable[..., Written],
    given: Mapping[str, Any],
    options: Mapping[str, Any],
) -> int:
    from undertow.surfaces.progress import Progress
    from undertow.verbs.index import open_index

    with Progress(sys.stderr, quiet=given["quiet"]) as progress:
        made = verb(folder, given["docs"], progress=progress, **options)
    for each in made.notes:
        note(each)
    if not given["quiet"]:
        opened = open_index(folder)
        version = opened.version(made.version)
        answers = opened.version().name
        numbers = counted(version.dimension, "number")
        held = f"{counted(version.documents, 'document')}, {numbers} a vector"
        if answers == made.version:
            _say(f"{made.version} answers now: {held}")
        else:
            _say(f"{made.version} is there: {held}; {answers} still answers")
    return 0


def _say(line: str) -> None:
    deliver(sys.stdout, safe(line, 2000) + "\n")


def _texts(path: str | None, column: str | None) -> list[str]:
    if path is None:
        return []
    from undertow.verbs.index import read_queries

    return read_queries(path, column)


def _target(path: str | None) -> str | None:
    return path if path is None or path == STDOUT else verified(path, "--json")

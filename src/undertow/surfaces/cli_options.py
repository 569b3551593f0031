"""The options that commands share, and what their words mean to the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

MANY = ("text", "vector", "image", "prediction", "score", "label", "segment", "ignore")
ONCE = ("time", "id")
READERS = frozenset(
    {
        *("check", "compare-encoders", "feedback", "forecast", "meaning", "ood", "profile"),
        *("retrieval", "schema", "senses", "skew", "tokens"),
    }
)
_COLUMNS = {
    "text": "Free text, compared by its words and lengths.",
    "vector": "An embedding: a list of numbers of one length, or a pattern such as 'emb_*'.",
    "image": "Images: bytes, or paths to files. Needs the extra `images`.",
    "prediction": "What the model answered.",
    "score": "The model's confidence or probability.",
    "label": "The right answer, where it is known.",
    "time": "When the row happened; with one set alone, what splits it.",
    "id": "What names a row; such as an order number.",
    "segment": "A group to tell apart, such as a country or a product.",
    "ignore": "Leave the column out.",
}


class Option(click.Option):
    """An option that stands under a heading of its own in the help."""

    def __init__(self, *args: Any, section: str = "Options", **attrs: Any) -> None:
        self.section = section
        super().__init__(*args, **attrs)


class Verb(click.Command):
    """A command whose help lists its options under headings."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        attrs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **attrs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; one that reads rows keeps pandas out of a process of its own."""
        from undertow.surfaces import cli_output

        if cli_output.alone and self.name in READERS:
            from undertow.surfaces.quick import leave_pandas_out

            leave_pandas_out()
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a heading a group, the help option last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                groups.setdefault(getattr(param, "section", "Options"), []).append(record)
        groups["Options"] = groups.pop("Options")  # the plain ones, with --help, come last
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def option(*names: str, section: str = "Options", **attrs: Any) -> Callable[[F], F]:
    """Return a click option under a heading."""
    return click.option(*names, cls=Option, section=section, **attrs)


def _stack(decorators: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def wrap(function: F) -> F:
        for each in reversed(decorators):
            function = each(function)
        return function

    return wrap


def column_options(function: F) -> F:
    """Add the options that say what a column is."""
    made = [
        option(f"--{name}", multiple=True, metavar="COLUMN", section="Columns", help=words)
        for name, words in _COLUMNS.items()
    ]
    kind = "Read the column as number, category, text, vector, time, bool or image."
    made.append(
        option("--kind", multiple=True, metavar="COLUMN=KIND", section="Columns", help=kind)
    )
    return _stack(made)(function)


def encoder_option(function: F) -> F:
    """Add the option that names what makes vectors of texts."""
    words = (
        "Compare the text by its vectors too, made by tfidf, minilm, module:callable, an address "
        "of the OpenAI shape, or a path."
    )
    return option("--encoder", metavar="ENCODER", section="Columns", help=words)(function)


def vector_options(function: F) -> F:
    """Add the options of a comparison of vectors."""
    by = "Compare vectors within each value of this column too, as within a segment."
    pictures = "Compare images by the vectors that this makes of a list of Pillow images too."
    maps = "How the map of vectors is drawn: pca, umap or tsne.  [default: pca]"
    more = "Measure this two-sample test of vectors too: mmd, c2st. It decides nothing."
    return _stack(
        [
            encoder_option,
            option("--image-encoder", metavar="MODULE:CALLABLE", section="Columns", help=pictures),
            option("--by", multiple=True, metavar="COLUMN", section="Columns", help=by),
            option("--map", metavar="MAP", section="Columns", help=maps),
            option("--evidence", multiple=True, metavar="TEST", section="Verdict", help=more),
        ]
    )(function)


def golden_column_option(function: F) -> F:
    """Add the option that says how the columns of a golden set are called."""
    words = "How a column of the golden set is called, such as doc_text=abstract (repeatable)."
    return option(
        "--golden-column",
        multiple=True,
        metavar="WHAT=COLUMN",
        section="Golden set",
        help=words,
    )(function)


def schema_option(function: F) -> F:
    """Add the option that reads a saved schema."""
    words = "Read the columns as this file says; `undertow schema` writes it."
    return option("--schema", metavar="FILE", section="Columns", help=words)(function)


def where_option(function: F) -> F:
    """Add the condition on rows."""
    words = "Only rows for which this SQL condition holds."
    return option("--where", metavar="SQL", section="Rows", help=words)(function)


_TOLERANCE = (
    "The smallest change that matters, for all columns or for one (repeatable); `auto` learns "
    "it from the reference over time."
)


def verdict_options(function: F) -> F:
    """Add the options that say what counts as a change, and what fails the run."""
    return judged_by(_TOLERANCE, "[COLUMN=]X")(function)


def judged_by(tolerance: str, metavar: str = "[EFFECT=]X") -> Callable[[F], F]:
    """Add the options of a verdict whose tolerance is not one of columns: `tolerance` says what of."""
    section = "Verdict"
    fail = "The mildest verdict that makes the exit code 1.  [default: changed]"
    accepted = "Findings the team knows about.  [default: undertow-accept.toml where it is there]"
    levels = click.Choice(["changed", "watch", "unknown", "never"])
    return _stack(
        [
            option("--tolerance", multiple=True, metavar=metavar, section=section, help=tolerance),
            option("--fail-on", type=levels, default="changed", section=section, help=fail),
            option("--accepted", metavar="FILE", section=section, help=accepted),
        ]
    )


def output_options(function: F) -> F:
    """Add the options that say where the report goes."""
    section = "Output (FILE may be - for standard output)"
    forms = {"json": "JSON, version 1", "html": "one HTML file", "markdown": "Markdown"}
    forms["junit"] = "JUnit XML"
    made = [
        option(f"--{form}", metavar="FILE", section=section, help=f"Write the report as {words}.")
        for form, words in forms.items()
    ]
    flags = {
        "github": "Print annotations for GitHub Actions.",
        "all": "List what is steady too, and how columns were read.",
        "redact": "Leave example rows out of every form.",
        "quiet": "No terminal report and no progress bar.",
    }
    made += [
        option(f"--{name}", is_flag=True, section=section, help=words)
        for name, words in flags.items()
    ]
    return _stack(made)(function)


def loop_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the loop knows, as it wants them; those not given are left out."""
    wanted: dict[str, Any] = {name: given[name] for name in MANY}
    wanted |= {name: given.get(name) for name in ("by", "evidence")}
    wanted |= {name: _once(name, given[name]) for name in ONCE}
    wanted["kinds"] = dict(_pair("--kind", each, "COLUMN=KIND") for each in given["kind"])
    for name in (
        "schema",
        "encoder",
        "image_encoder",
        "map",
        "where",
        "reference_where",
        "current_where",
    ):
        wanted[name] = given.get(name)
    wanted["tolerance"] = tolerances(given.get("tolerance", ()))
    return {name: value for name, value in wanted.items() if value not in (None, (), {})}


def tolerances(words: Sequence[str]) -> Any:
    """Return --tolerance as the loop takes it: one for all, or by column and "*" for the others.

    >>> tolerances(["0.05"]), tolerances(["age=0.2", "a=b=auto", "0.1"]), tolerances([])
    (0.05, {'*': 0.1, 'age': 0.2, 'a=b': 'auto'}, None)
    """
    found: dict[str, Any] = {}
    for word in words:
        column, value = _pair("--tolerance", word, "COLUMN=X") if "=" in word else ("*", word)
        if column in found:
            told = "all columns" if column == "*" else f"column {column!r}"
            raise click.UsageError(f"--tolerance for {told} is given twice")
        found[column] = _amount(value, word)
    if "*" in found:
        found = {"*": found.pop("*"), **found}
    return found["*"] if list(found) == ["*"] else found or None


def by_effect(words: Sequence[str]) -> float | Mapping[str, float] | None:
    """Return --tolerance where it is of effects: one number, or several by the effect's name.

    >>> by_effect(["0.05", "moved_share=0.02"])
    {'*': 0.05, 'moved_share': 0.02}
    """
    made: Any = tolerances(words)
    if made == "auto" or (isinstance(made, dict) and "auto" in made.values()):
        raise click.UsageError("--tolerance auto learns from a reference over time; give a number")
    told: float | Mapping[str, float] | None = made
    return told


def one_tolerance(words: Sequence[str]) -> float | None:
    """Return --tolerance where there is one thing to judge, and so one number.

    >>> one_tolerance(["0.05"]), one_tolerance([])
    (0.05, None)
    """
    told = by_effect(words)
    if isinstance(told, Mapping):
        raise click.UsageError("--tolerance: there is one thing to judge here, so give one number")
    return told


def golden_columns(words: Sequence[str]) -> dict[str, str]:
    """Return --golden-column as the golden set takes it.

    >>> golden_columns(["doc_text=abstract"])
    {'doc_text': 'abstract'}
    """
    made: dict[str, str] = {}
    for word in words:
        what, equals, column = word.partition("=")
        if not equals or not what or not column:
            raise click.UsageError(
                f"--golden-column {word!r}: write it as WHAT=COLUMN, such as doc_text=abstract"
            )
        made[what] = column
    return made


def _amount(word: str, given: str) -> Any:
    if word == "auto":
        return word
    try:
        return float(word)
    except ValueError:
        hint = "write a number such as 0.1, or auto"
        raise click.UsageError(f"--tolerance {given!r} is not a number; {hint}") from None


def _pair(name: str, word: str, form: str) -> tuple[str, str]:
    """Split at the last "=": a column's name may hold one, what follows it never does."""
    column, equals, value = word.rpartition("=")
    if not equals or not value:
        raise click.UsageError(f"{name} {word!r}: write it as {form}")
    return column, value


def _once(name: str, given: Sequence[str]) -> str | None:
    if len(given) > 1:
        raise click.UsageError(f"--{name} takes one column, not {len(given)}")
    return given[0] if given else None

"""Write the pages of the documentation that come from the program itself.

python docs/generate.py            write them
python docs/generate.py --check    exit 1, and name those that are not current
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pyarrow.parquet as pq

import undertow as undertow_api
from undertow import plugins
from undertow.surfaces.cli import undertow
from undertow.surfaces.demo_feedback import feedback

HERE = Path(__file__).parent
WIDTH = 88

INTRODUCTION = """\
# The command line

<!-- Written by docs/generate.py from `--help`: edit the help, not this page. -->

`undertow check REFERENCE CURRENT` tells what changed, how sure that is, and what to do next.

| exit code | meaning |
| --- | --- |
| 0 | no finding at or above `--fail-on` (default `changed`) |
| 1 | a finding is at or above it |
| 2 | a usage or data error: one line on standard error says what, and what to do |
| 3 | every finding is unknown: nothing could be told (with `--fail-on unknown` this is 1) |
| 130 | stopped with Ctrl-C |

Findings that `undertow accept` wrote down stay listed and do not count. `FILE` may be `-` for
standard output, for one form; the terminal report then goes to standard error. Colour follows
the terminal, `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb`, the width `COLUMNS`. `UNDERTOW_DEBUG=1`
shows the traceback of an error. [recipes.md](recipes.md) has complete examples.
"""


def cli() -> str:
    """Return the page of the command line: the help of every command."""
    parts = [INTRODUCTION, _help("undertow", undertow)]
    for name, command in undertow.commands.items():
        parts.append(_help(f"undertow {name}", command))
        for inner, each in getattr(command, "commands", {}).items():
            parts.append(_help(f"undertow {name} {inner}", each))
    return "\n".join(parts)


def _help(path: str, command: click.Command) -> str:
    settings = {**command.context_settings, "terminal_width": WIDTH, "color": False}
    with click.Context(command, info_name=path, **settings) as ctx:
        return f"## {path}\n\n```text\n{command.get_help(ctx)}\n```\n"


CHECKS = """\
# The checks

<!-- Written by docs/generate.py from the checks' own docstrings: edit those, not this page. -->

Each is registered in the entry-point group `undertow.checks`; [CONTRIBUTING.md](../CONTRIBUTING.md)
shows how to add one in two files. A column that holds a prediction or a score is reported under
`output.`, a label under `label.`, everything else under `drift.`.
"""


def checks() -> str:
    """Return the page of the checks: the docstring and the settings of each."""
    parts = [CHECKS]
    for check in sorted(plugins.checks(), key=lambda each: each.name):
        settings = [f"`{f.name}` = {f.default!r}" for f in dataclasses.fields(check)]
        told = inspect.cleandoc(type(check).__doc__ or "")
        parts.append(f"## {check.name}\n\n{told}\n")
        if settings:
            parts.append(f"Settings: {', '.join(settings)}.\n")
    return "\n".join(parts)


PYTHON = """\
# In Python

<!-- Written by docs/generate.py from the docstrings: edit those, not this page. -->

    import undertow as ut

    report = ut.check(reference, current, prediction="p")

Names are fetched when first used; `import undertow` alone loads nothing else. Every verb takes the
same options about columns: `text`, `vector`, `prediction`, `score`, `label`, `segment`, `ignore` (a
name or several), `time`, `id` (a name), `kinds` ({column: kind}), `schema` (a file or a Schema),
`tolerance` (a number, "auto", or {column: number}), `progress` (a callable).
"""


def python() -> str:
    """Return the page of the public names: the docstring of each."""
    parts = [PYTHON]
    for name in undertow_api.__all__:
        thing = getattr(undertow_api, name)
        told = inspect.getdoc(thing) or ""
        signature = ""
        if inspect.isfunction(thing):
            signature = f"```python\nundertow.{name}{_signature(thing)}\n```\n\n"
        parts.append(f"## `{name}`\n\n{signature}{_fenced(told)}\n")
    return "\n".join(parts)


def _signature(function: object) -> str:
    shown = str(inspect.signature(function, eval_str=False))  # type: ignore[arg-type]
    return shown.replace("'", "").replace("**options: Unpack[Options]", "**options")


def _fenced(told: str) -> str:
    """Set the examples of a docstring as code."""
    lines: list[str] = []
    inside = False
    for line in told.splitlines():
        if line.startswith(">>>") and not inside:
            lines.append("```python")
            inside = True
        if inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join([*lines, "```"] if inside else lines)


def readme() -> str:
    """Return README.md with the output of a real run between its markers."""
    text = (HERE.parent / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n```text\n{_story()}```\n{END}{after}"


START, END = "<!-- output of the feedback story -->", "<!-- end of output -->"


def _story() -> str:
    """Run the check of the README's first screen on the feedback story of `undertow demo`."""
    told = feedback()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        pq.write_table(told.reference, "reference.parquet")
        pq.write_table(told.production, "production.parquet")
        flags = [word for pair in told.options.items() for word in (f"--{pair[0]}", pair[1])]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "undertow",
                "check",
                "reference.parquet",
                "production.parquet",
                *flags,
            ],
            env={**os.environ, "COLUMNS": "92", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    return done.stdout


PAGES = {"cli.md": cli, "checks.md": checks, "python.md": python, "../README.md": readme}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check name those that are not current."""
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"not current: {', '.join(stale)}; run python docs/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Write the pages of the documentation that come from the program itself.

python docs/generate.py            write them
python docs/generate.py --check    exit 1, and name those that are not current
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from undertow.surfaces.cli import undertow

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
    return "\n".join(parts)


def _help(path: str, command: click.Command) -> str:
    settings = {**command.context_settings, "terminal_width": WIDTH, "color": False}
    with click.Context(command, info_name=path, **settings) as ctx:
        return f"## {path}\n\n```text\n{command.get_help(ctx)}\n```\n"


PAGES = {"cli.md": cli}


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

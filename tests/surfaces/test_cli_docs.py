"""The pages about the command line: current, complete, every example a command that exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import click

from undertow.surfaces.cli import undertow

DOCS = Path(__file__).parents[2] / "docs"


def generate():
    """Return the module that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_is_current():
    """docs/cli.md is what docs/generate.py writes today."""
    assert (DOCS / "cli.md").read_text("utf-8") == generate().cli()


def test_every_command_and_option_is_documented_and_nothing_else():
    """Each command has its heading and each option its line with words, and there are no more."""
    page = (DOCS / "cli.md").read_text("utf-8")
    verbs = {}
    for name, verb in undertow.commands.items():
        inner = getattr(verb, "commands", {})
        verbs |= {name: verb} | {f"{name} {each}": inner[each] for each in inner}
    headings = re.findall(r"^## undertow ([\w -]+)$", page, re.MULTILINE)
    assert headings == list(verbs)
    for name, verb in verbs.items():
        part = page.split(f"## undertow {name}\n")[1].split("\n## ")[0]
        told = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", part, re.MULTILINE))
        known = {opt for each in verb.params for opt in each.opts if opt.startswith("--")}
        assert told == known | {"--help"}
        assert all(each.help for each in verb.params if isinstance(each, click.Option))


def recipes():
    """Yield every undertow command on the page of recipes, as words."""
    whole = (DOCS / "recipes.md").read_text("utf-8").replace("\n          ", " ")
    page = "\n".join(re.findall(r"^```\w+\n(.*?)^```", whole, re.MULTILINE | re.DOTALL))
    for line in re.findall(
        r"(?:^|run --rm.*? )undertow (.*)$|>-  ?undertow (.*)$", page, re.MULTILINE
    ):
        yield shlex.split((line[0] or line[1]).split(" | ")[0])


def test_every_recipe_is_a_command_that_exists():
    """Each command in docs/recipes.md parses with the options there are today."""
    found = list(recipes())
    assert {words[0] for words in found} == {"check", "skew", "profile", "schema", "accept"}
    assert len(found) >= 12
    for words in found:
        undertow.commands[words[0]].make_context(words[0], words[1:])

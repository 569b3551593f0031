"""What every page is made of: templates whose values are escaped, styles, and JSON inside HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from undertow.core.finding import Finding, percent, size
from undertow.surfaces import evidence, story, svg
from undertow.surfaces.safe import picture, safe

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

TEXT = 600
"""No value on the page is longer than this; most places cut earlier."""


def source(name: str) -> str:
    """Return a file that ships beside this one."""
    return (files("undertow.surfaces") / "templates" / name).read_text(encoding="utf-8")


def minified(style: str) -> str:
    r"""Return a style sheet without comments, line breaks and indents.

    >>> minified("/* note */\n.a {\n  color: red;\n}\n")
    '.a{color: red;}'
    """
    lines = (line.strip() for line in style.splitlines() if not line.startswith("/*"))
    return "".join(lines).replace(" {", "{").replace("{ ", "{").replace(" }", "}")


def shortened(script: str) -> str:
    r"""Return a script without lines of comment and indents; its lines stay lines.

    >>> shortened("// note\nif (a) {\n  b()\n}\n")
    'if (a) {\nb()\n}'
    """
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def trusted(markup: str) -> Markup:
    """Mark text as HTML: only what this package wrote, every value in it escaped."""
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704


def inlined(value: object) -> Markup:
    r"""Return JSON that cannot end the script element it stands in.

    >>> str(inlined({"a": "</script>"}))
    '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str, allow_nan=False)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return trusted(text)


@cache
def template(name: str) -> Template:
    """Return a template whose every value is made safe and escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else safe(value, TEXT)

    world = Environment(
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    world.filters["cut"] = safe
    world.globals |= {
        "amount": story.amount,
        "between": story.between,
        "caption": svg.caption,
        "chance": _chance,
        "columns_of": _columns_of,
        "interval": story.interval,
        "percent": percent,
        "plural": story.plural,
        "size": size,
        "sized": _sized,
        "is_picture": picture,
        "picture_of": trusted,
        "tables": evidence.tables,
    }
    return world.from_string(source(name))


def _sized(finding: Finding) -> str:
    effect = finding.effect
    if effect is None:
        return "a fact"
    return story.between(effect) if effect.defined else "?"


def _chance(p: float) -> str:
    return percent(p) if p >= 1e-4 else "less than 1 in 10,000"


def _columns_of(examples: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for example in examples for key in example))[:12]

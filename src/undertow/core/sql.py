"""A condition a person can paste after --where: names and words quoted as SQL and the shell read them."""

from __future__ import annotations

import re
import shlex

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_WORDS = frozenset(
    [
        "all",
        "and",
        "as",
        "asc",
        "between",
        "by",
        "case",
        "desc",
        "distinct",
        "else",
        "end",
        "from",
        "group",
        "having",
        "in",
        "is",
        "like",
        "limit",
        "not",
        "null",
        "on",
        "or",
        "order",
        "select",
        "table",
        "then",
        "to",
        "union",
        "user",
        "using",
        "values",
        "when",
        "where",
        "with",
    ]
)


def name(column: str) -> str:
    """Return a column's name as SQL reads it.

    >>> name("age"), name("Age of x"), name("order")
    ('age', '"Age of x"', '"order"')
    """
    if _PLAIN.match(column) and column not in _WORDS:
        return column
    return '"' + column.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a value as SQL reads it.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def number(value: float) -> str:
    """Return a number as SQL reads it, whole ones without a point.

    >>> number(12.0), number(0.4545), number(1e300)
    ('12', '0.4545', '1e+300')
    """
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else repr(value)


def rest(data: str, these: str, others: str) -> str:
    """Return the command that compares some rows of a set with the others.

    >>> rest("CURRENT", "age > 52", "age <= 52")
    "undertow check CURRENT CURRENT --current-where 'age > 52' --reference-where 'age <= 52'"
    """
    return (
        f"undertow check {data} {data} --current-where {word(these)} "
        f"--reference-where {word(others)}"
    )


def word(condition: str) -> str:
    """Return the condition as one word of the shell, in double quotes where they are safe.

    >>> print(word("city = 'Rome'"))
    "city = 'Rome'"
    """
    if "'" in condition and not set(condition) & set('"$`\\!'):
        return f'"{condition}"'
    return shlex.quote(condition)

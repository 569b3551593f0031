"""A condition keeps the rows it is true for: DuckDB judges a batch at a time, Arrow keeps the rows.

The rows themselves never pass through DuckDB, so their types stay what they are; it sees only the
columns that the condition names, and no file, no other table and no second statement.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.errors import UndertowError, UsageError, did_you_mean
from undertow.sources.duck import connected, quoted, reader, said
from undertow.sources.edge import project

if TYPE_CHECKING:
    import duckdb

VOLATILE = frozenset(
    {"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "setseed", "nextval"}
)
"""Functions that give other rows at each reading; a reference is read twice."""


class Where:
    """The rows of a dataset for which a SQL condition is true."""

    def __init__(self, inner: Dataset, condition: str, needs: Sequence[str]) -> None:
        """Take a dataset, a condition, and the columns that the condition reads."""
        self.source = f"{inner.source} where {condition}"
        self.arrow: pa.Schema = inner.arrow
        self.notes: tuple[str, ...] = tuple(getattr(inner, "notes", ()))
        self.inner, self.condition, self.needs = inner, condition, list(needs)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows again from the start, in order, only these columns."""
        wanted = project(self.arrow.names, columns, self.inner.source)
        return self._read(wanted)

    def _read(self, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        import duckdb

        read = list(dict.fromkeys([*wanted, *self.needs])) or self.arrow.names[:1]
        with connected(files=False) as connection:
            for batch in self.inner.batches(read):
                try:
                    mask = _judge(connection, batch.select(self.needs), self.condition)
                except (duckdb.Error, pa.ArrowException) as error:
                    raise _refusal(self.condition, error, self.arrow.names) from error
                kept = batch.filter(mask)
                if kept.num_rows:
                    yield kept.select(wanted)

    def digest(self) -> str | None:
        """Return the digest of the dataset and the condition together."""
        inner = self.inner.digest()
        if inner is None:
            return None
        return hashlib.blake2b(f"{inner}\0{self.condition}".encode(), digest_size=16).hexdigest()


def only_where(inner: Dataset, condition: str) -> Where:
    """Return the rows for which a condition is true, or refuse what is not one condition.

    >>> from undertow.sources import open_dataset
    >>> rows = only_where(open_dataset(pa.table({"age": [31, 42]})), "age > 40")
    >>> [batch.to_pydict() for batch in rows.batches()]
    [{'age': [42]}]
    """
    import duckdb

    condition = condition.strip()
    if not condition:
        raise UsageError("condition '': is empty; write one, as age > 40, or leave it out")
    names = inner.arrow.names
    try:
        with connected(files=False) as connection:
            needs = _needs(_parse(connection, condition), names, condition)
            empty = pa.schema([inner.arrow.field(name) for name in needs]).empty_table()
            connection.register("rows", empty)
            connection.sql(f"SELECT 1 FROM rows WHERE (\n{condition}\n)").fetchall()  # noqa: S608
    except UndertowError:
        raise
    except (duckdb.Error, pa.ArrowException) as error:
        raise _refusal(condition, error, names) from error
    return Where(inner, condition, needs)


def both(one: str | None, other: str | None) -> str | None:
    """Return one condition for two, or None where there is none.

    >>> both("a > 1", None), both("a > 1", "b = 2")
    ('a > 1', '(a > 1) AND (b = 2)')
    """
    given = [each for each in (one, other) if each]
    return " AND ".join(f"({each})" for each in given) if len(given) > 1 else "".join(given) or None


def split_by(reference: str | None, current: str | None) -> frozenset[str]:
    """Return the columns, in lower case, whose values conditions make differ between two sides.

    They are those of every condition that only one side has; what both sides ask for splits
    nothing. What is no condition names no column.

    >>> sorted(split_by("year = 2008 AND age > 30", "age > 30 AND year = 2010"))
    ['year']
    """
    if reference == current:
        return frozenset()
    import duckdb

    sides: list[dict[str, Any]] = []
    try:
        with connected(files=False) as connection:
            for condition in (reference, current):
                parsed = [_parse(connection, condition.strip())] if condition else []
                sides.append({_alike(part): part for tree in parsed for part in _parts(tree)})
    except (duckdb.Error, UsageError):
        return frozenset()
    alone = [part for side in sides for key, part in side.items() if key not in _common(sides)]
    return frozenset(name for part in alone for name in _columns(part))


def _common(sides: Sequence[dict[str, Any]]) -> set[str]:
    return set(sides[0]) & set(sides[1])


def _parts(tree: Any) -> list[Any]:
    """Return the conditions that AND joins."""
    if tree.get("type") != "CONJUNCTION_AND":
        return [tree]
    return [part for child in tree["children"] for part in _parts(child)]


def _alike(tree: Any) -> str:
    """Return a condition's tree as text, without where in the text each part stood."""

    def bare(node: Any) -> Any:
        if isinstance(node, list):
            return [bare(each) for each in node]
        if isinstance(node, dict):
            return {key: bare(each) for key, each in node.items() if key != "query_location"}
        return node

    return json.dumps(bare(tree), sort_keys=True)


def _columns(tree: Any) -> set[str]:
    """Return the names a condition reads, in lower case."""
    refs = [node for node in _nodes(tree) if node.get("class") == "COLUMN_REF"]
    return {str(name).casefold() for node in refs for name in node["column_names"]}


def _parse(connection: duckdb.DuckDBPyConnection, condition: str) -> Any:
    """Return the tree of a condition, or refuse anything more or less than one expression."""
    sql = f"SELECT (\n{condition}\n)"
    rows = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        message = re.sub(r'"\)"', "its end", str(tree.get("error_message", "")))
        raise UsageError(f"condition {condition!r}: {message}; write one condition, as age > 40")
    node = tree["statements"][0]["node"]
    alone = (
        len(tree["statements"]) == 1
        and node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not any(node.get(key) for key in ("where_clause", "modifiers", "having", "qualify"))
        and not node.get("group_expressions")
    )
    if not alone:
        raise UsageError(f"condition {condition!r}: is more than one condition; join them with AND")
    return node["select_list"][0]


def _needs(tree: Any, names: Sequence[str], condition: str) -> list[str]:
    """Return the columns that a condition reads, in the order of the dataset."""
    said_names: set[str] = set()
    for node in _nodes(tree):
        if node.get("class") == "SUBQUERY":
            raise UsageError(
                f"condition {condition!r}: holds a query of its own; give the whole as SQL instead"
            )
        if node.get("class") == "STAR":
            raise UsageError(f"condition {condition!r}: stands for many; name each column")
        if node.get("class") == "FUNCTION" and node.get("function_name") in VOLATILE:
            name = node["function_name"]
            raise UsageError(
                f"condition {condition!r}: {name}() answers differently each time rows are read; "
                "choose rows by a column"
            )
        if node.get("class") == "COLUMN_REF":
            said_names.update(str(name).casefold() for name in node["column_names"])
    needs = [name for name in names if name.casefold() in said_names]
    for name in needs:
        alike = [each for each in needs if each.casefold() == name.casefold()]
        if len(alike) > 1:
            raise UsageError(
                f"condition {condition!r}: SQL cannot tell {alike[0]!r} from {alike[1]!r};"
                f" rename one of them"
            )
    return needs or list(names[:1])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a parsed condition."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _judge(
    connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, condition: str
) -> pa.Array:
    """Return for every row of a batch whether the condition is true; unknown counts as false."""
    connection.register("rows", pa.Table.from_batches([batch]))
    sql = f"SELECT coalesce(CAST((\n{condition}\n) AS BOOLEAN), false) FROM rows"  # noqa: S608
    return reader(connection.sql(sql)).read_all().column(0).combine_chunks()


def _refusal(condition: str, error: BaseException, names: Sequence[str]) -> UsageError:
    """Return the one line for what DuckDB refuses in a condition."""
    message = said(error)
    if unknown := re.search(r'Referenced (?:column|table) "(.*)" not found', str(error)):
        name = unknown.group(1)
        dotted = [each for each in names if each.startswith(f"{name}.")]
        then = f"; write {quoted(dotted[0])}" if dotted else did_you_mean(name, names)
        return UsageError(f"condition {condition!r}: no column {name!r}{then}")
    return UsageError(f"condition {condition!r}: {message}; fix the condition")

"""SQL text is a source too: DuckDB runs it anew for each reading and hands over batches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.sources.duck import connected, quoted, reader, said

_SQL = re.compile(r"\s*(?:select|with|from)\s", re.IGNORECASE)
_THEN = "fix the query"


@dataclass(frozen=True)
class QueryPart:
    """The rows of one SQL query."""

    name: str
    sql: str
    arrow: pa.Schema

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Run the query and yield its rows with these columns."""
        import duckdb

        try:
            with connected(files=True) as connection:
                relation = connection.sql(self.sql)
                if list(columns) != self.arrow.names:
                    relation = relation.project(", ".join(quoted(name) for name in columns))
                yield from reader(relation)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise _refusal(error) from error

    def fingerprint(self) -> bytes | None:
        """Return None: what a query reads is not known here."""
        return None


def is_sql(text: str) -> bool:
    """Say whether a text is a query rather than a path.

    >>> is_sql("from 'a.csv'"), is_sql("from.csv")
    (True, False)
    """
    if not _SQL.match(text):
        return False
    try:
        return not Path(text).exists()
    except (OSError, ValueError):
        return True


def open_query(sql: str, name: str) -> QueryPart:
    """Check a query and learn its columns."""
    import duckdb

    sql = sql.strip().rstrip(";")
    try:
        with connected(files=True) as connection:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("SQL: is more than one SELECT; give one statement that gives rows")
            relation = connection.sql(sql)
            twice = [each for each, times in Counter(relation.columns).items() if times > 1]
            if twice:
                raise DataError(f"SQL: two columns are called {twice[0]!r}; rename one with AS")
            schema = reader(relation.limit(0)).schema
    except UndertowError:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _refusal(error) from error
    return QueryPart(name, sql, schema.remove_metadata())


def _refusal(error: BaseException) -> UndertowError:
    import duckdb

    wrong = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
    if isinstance(error, wrong):
        return UsageError(f"SQL: {said(error)}; {_THEN}")
    return DataError(f"SQL: {said(error)}; {_THEN}, or the data it reads")

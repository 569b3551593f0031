"""SQL as a source: the rows of a query, in order, again and again."""

import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.sources import open_dataset
from undertow.sources.query import is_sql


def rows(data, columns=None, **options):
    """Return the rows of some data."""
    batches = open_dataset(data, **options).batches(columns)
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_query_over_files(tmp_path):
    """A query reads the files it names, in order, and may be read twice."""
    pq.write_table(pa.table({"a": range(200_000)}), tmp_path / "a.parquet")
    sql = f"SELECT a, a % 7 AS m FROM '{tmp_path / 'a.parquet'}' WHERE a >= 10 ORDER BY a DESC;"
    dataset = open_dataset(sql)
    for _ in range(2):
        got = [value for batch in dataset.batches(["a"]) for value in batch.column(0).to_pylist()]
        assert got == list(range(199_999, 9, -1))
    assert dataset.arrow.names == ["a", "m"]
    assert dataset.digest() is None
    assert rows(sql, ["m"], where="a < 12") == [{"m": 4}, {"m": 3}]


def test_what_counts_as_sql(tmp_path, monkeypatch):
    """Text that begins as a query is one, unless a file has that name."""
    monkeypatch.chdir(tmp_path)
    assert is_sql("select 1")
    assert is_sql("\n WITH a AS (SELECT 1) FROM a")
    assert not is_sql("from.csv")
    assert not is_sql("selection.csv")
    (tmp_path / "from here.csv").write_text("a\n1\n")
    assert not is_sql("from here.csv")
    assert rows("from here.csv") == [{"a": 1}]
    assert is_sql("select " + "x" * 5000)


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("SELECT nope FROM (SELECT 1 AS yes)", UsageError, 'Candidate bindings: "yes"'),
        ("SELECT 1 +", UsageError, "syntax error"),
        ("SELECT 1; SELECT 2", UsageError, "more than one SELECT"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", UsageError, "one statement"),
        ("FROM x", UsageError, "does not exist"),
        ("SELECT 1 AS a, 2 AS a", DataError, "two columns are called 'a'"),
        ("FROM 'no-such.csv'", DataError, "No files found"),
        ("SELECT CAST(a AS INT) FROM (SELECT 'x' AS a)", DataError, "Could not convert"),
    ],
)
def test_a_wrong_query_is_one_line(sql, kind, said):
    """Each error of DuckDB is one line: the caller's or the data's to change."""
    with pytest.raises(kind) as caught:
        rows(sql)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_query_sees_no_python_variables():
    """A name in a query is never a variable of the program."""
    secret = pa.table({"a": [1]})
    with pytest.raises(UndertowError, match="does not exist"):
        rows("SELECT * FROM secret")
    assert secret.num_rows == 1


def test_a_query_leaves_nothing_behind(tmp_path, monkeypatch):
    """A sort larger than its memory, stopped half way, leaves no temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("undertow.sources.duck._MEMORY", "50MB")
    sql = "SELECT i, repeat('x', 100) || hash(i) AS s FROM range(1500000) t(i) ORDER BY s"
    iterator = open_dataset(sql).batches()
    assert next(iterator).num_rows > 0
    assert list(tmp_path.iterdir()) != []
    iterator.close()
    assert list(tmp_path.iterdir()) == []

"""Tasks from folders: which type the files are, and one line for what cannot be read."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.core.task import Classification
from undertow.sources.tasks import read_tasks

TOPICS = ["refund", "parcel", "password", "invoice", "meter", "ferry"]
WORDS = ["late", "lost", "new", "old", "again", "today", "please", "broken", "paid", "wrong"]


def text(topic: int, number: int) -> str:
    """Return a short text of a topic, unlike every other."""
    return f"{WORDS[number % 10]} {TOPICS[topic]} {WORDS[number // 10 % 10]} case {number}"


def write(path, rows) -> None:
    """Write rows as CSV or Parquet, by the name of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table(rows), path)
        return
    lines = [",".join(rows), *(",".join(map(str, row)) for row in zip(*rows.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")


def labelled(first: int, many: int):
    """Return texts and their topics."""
    numbers = range(first, first + many)
    return {
        "text": [text(n % 6, n) for n in numbers],
        "label": [TOPICS[n % 6] for n in numbers],
    }


@pytest.fixture
def tasks(tmp_path):
    """A folder with a task of each of the five types."""
    place = tmp_path / "tasks"
    write(place / "intents" / "train.csv", labelled(0, 60))
    write(place / "intents" / "test.csv", labelled(60, 60))
    write(place / "groups" / "rows.parquet", labelled(0, 60))
    documents = {"doc_id": [f"d{n}" for n in range(60)], "text": labelled(0, 60)["text"]}
    queries = {"query_id": [f"q{n}" for n in range(30)], "text": labelled(60, 30)["text"]}
    judged = [(q, d) for q in range(30) for d in range(60) if d % 6 == q % 6]
    write(place / "help" / "docs.csv", documents)
    write(place / "help" / "queries.csv", queries)
    write(
        place / "help" / "judgements.csv",
        {"query_id": [f"q{q}" for q, _ in judged], "doc_id": [f"d{d}" for _, d in judged]},
    )
    write(place / "same" / "pairs.csv", pairs([1 - n % 2 for n in range(40)]))
    write(place / "near" / "pairs.csv", pairs([5 - 3 * (n % 2) + n % 3 for n in range(40)]))
    return place


def pairs(scores):
    """Return pairs of texts, every other one of one topic."""
    numbers = range(len(scores))
    return {
        "text1": [text(n % 6, n) for n in numbers],
        "text2": [text((n + n % 2) % 6, n + 7) for n in numbers],
        "score": scores,
    }


@pytest.fixture
def one_task(tmp_path):
    """A folder that is a task itself: pairs with a score."""
    write(tmp_path / "tasks" / "pairs.csv", pairs([5 - 3 * (n % 2) + n % 3 for n in range(40)]))
    return tmp_path / "tasks"


def test_every_type_is_read_off_the_files(tasks):
    """Files and columns say which task it is; a saved form of the rows does not matter."""
    found = {each.name: each for each in read_tasks(tasks)}
    assert {name: each.sort for name, each in found.items()} == {
        "groups": "clustering",
        "help": "retrieval",
        "intents": "classification",
        "near": "sts",
        "same": "pair_classification",
    }
    write(tasks / "copy" / "rows.csv", labelled(0, 60))
    again = {each.name: each for each in read_tasks(tasks)}
    assert again["copy"].digest == found["groups"].digest != found["intents"].digest


def spoil(tasks, name, told, rows=None):
    """Write a task.toml, and a table beside it."""
    place = tasks / name
    place.mkdir(exist_ok=True)
    (place / "task.toml").write_text(told)
    if rows is not None:
        write(place / "rows.csv", rows)


@pytest.mark.parametrize(
    ("told", "rows", "says"),
    [
        ('type = "clasification"', {"a": [1]}, "no type of task 'clasification'; did you mean"),
        ('typ = "sts"', {"a": [1]}, "no key 'typ'; did you mean 'type'"),
        ('type = "sts', {"a": [1]}, "is no TOML"),
        ('type = "sts"', None, "holds no table"),
        ('type = "sts"', {"text1": ["a"], "score": [1]}, "no column is called text2 or sentence2"),
        ("[columns]\ntxt = 'a'", {"a": [1]}, "no column 'txt' is asked for"),
        ("[columns]\ntext = 'b'\nlabel = 'a'", {"a": [1]}, "no column 'b'"),
        ("", {"a": [1], "b": [2]}, r"cannot tell what task it is \(columns a, b\)"),
        ('type = "retrieval"', {"a": [1]}, "no file of documents"),
        ('type = "classification"', {"text": ["a"], "label": ["b"]}, "called split or part"),
        ('type = "clustering"', {"text": ["a", "b"], "label": ["x", "x"]}, "nothing to cluster"),
        ('type = "sts"', {"text1": ["a"], "text2": ["b"], "score": [1]}, "give 3 pairs or more"),
        (
            'type = "pair_classification"',
            {"text1": ["a"] * 3, "text2": ["b"] * 3, "score": [1, 2, 3]},
            "are 0 and 1, not 1, 2, 3",
        ),
        (
            "",
            {"text": ["a", "b"], "label": ["x", "y"], "split": ["train", "dev"]},
            "no row is of part 'test'",
        ),
        ('name = "help"', labelled(0, 12), "two tasks are called 'help'"),
    ],
)
def test_a_task_that_cannot_be_read_is_one_line(tasks, told, rows, says):
    """A type, a key, a column or a file that is not there is named, with what to do."""
    spoil(tasks, "new", told, rows)
    with pytest.raises((UsageError, DataError), match=says):
        read_tasks(tasks)


def test_folders_that_hold_no_task(tmp_path, tasks):
    """An empty folder, a file, nothing at all, and a task inside of a task are refused."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no task"):
        read_tasks(tmp_path / "empty")
    with pytest.raises(UsageError, match="there is no such folder"):
        read_tasks(tmp_path / "none")
    with pytest.raises(UsageError, match="is a file"):
        read_tasks(tasks / "groups" / "rows.parquet")
    write(tasks / "rows.csv", labelled(0, 12))
    with pytest.raises(UsageError, match="keep each task in a folder of its own"):
        read_tasks(tasks)


def test_ids_twice_are_refused(tasks):
    """A document there twice would be two answers with one judgement."""
    write(
        tasks / "help" / "docs.csv",
        {"doc_id": ["d1", "d1"], "text": ["one", "other"]},
    )
    with pytest.raises(DataError, match="missing or there twice"):
        read_tasks(tasks)


def test_rows_left_out_are_counted(tmp_path):
    """A row without a text, a text that is learned from too, a label nobody learns: each is a note."""
    rows = {"text": ["a", "b", "", "a", "c"], "label": ["x", "y", "x", "x", "z"]}
    write(tmp_path / "rows.csv", {**rows, "part": ["train"] * 3 + ["test"] * 2})
    (task,) = read_tasks(tmp_path)
    assert isinstance(task, Classification)
    assert task.notes == (
        "train: 1 of 3 rows lack a text or a label",
        "1 of 2 test rows have a label nobody learns",
        "1 of 2 test texts are learned from too",
    )

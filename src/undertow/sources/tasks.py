"""Tasks from folders: the type is told in a small task.toml, or read off the files and their columns.

| type | files | columns |
|---|---|---|
| retrieval | docs, queries, judgements | as a golden set |
| classification | train and test, or one file | text, label; in one file also split |
| clustering | one file | text, label |
| sts | one file | text1, text2, score |
| pair_classification | one file | text1, text2, score (0 or 1) |
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.task import (
    SORTS,
    Classification,
    Clustering,
    Floats,
    Ints,
    PairClassification,
    Retrieval,
    Similarity,
    Task,
)
from undertow.core.values import to_floats, to_text
from undertow.sources.files import open_files
from undertow.sources.golden import COLUMNS as GOLDEN
from undertow.sources.golden import PARTS, open_golden

FILE = "task.toml"
KEYS = ("type", "name", "columns")
COLUMNS = {
    "text": ("text", "sentence", "sentences", "title", "utterance", "query", "question"),
    "label": ("label", "labels", "class", "category", "intent", "topic", "tag"),
    "split": ("split", "part", "fold", "set"),
    "text1": ("text1", "sentence1", "text_1", "sentence_1", "question1"),
    "text2": ("text2", "sentence2", "text_2", "sentence_2", "question2"),
    "score": ("score", "similarity", "label", "gold"),
}
"""What is asked for, and what it is usually called, the likeliest name first."""
_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".feather")
_PARTS = {"train": ("train", "training"), "test": ("test", "testing", "eval")}
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class _Folder:
    """One task's folder: what its task.toml says, and its tables by name."""

    path: Path
    name: str
    sort: str | None
    columns: Mapping[str, str]
    tables: tuple[Path, ...]
    opened: dict[Path, Dataset] = field(default_factory=dict)

    def open(self, table: Path) -> Dataset:
        """Return a table's rows, opened once."""
        if table not in self.opened:
            self.opened[table] = open_files(table)
        return self.opened[table]

    def column(self, table: Path, what: str) -> str | None:
        """Return what a column is called in a table, or None where it is not there."""
        names = self.open(table).arrow.names
        if what in self.columns:
            if self.columns[what] not in names:
                hint = did_you_mean(self.columns[what], names)
                raise UsageError(f"{table}: no column {self.columns[what]!r}{hint}")
            return self.columns[what]
        lower = {name.lower(): name for name in names}
        return next((lower[each] for each in COLUMNS[what] if each in lower), None)

    def read(self, table: Path, what: str) -> pa.Array:
        """Return a column; raise UsageError where it is not there."""
        name = self.column(table, what)
        dataset = self.open(table)
        if name is None:
            usual, names = COLUMNS[what], dataset.arrow.names
            raise UsageError(
                f"{table}: no column is called {' or '.join(usual[:3])}"
                f"{did_you_mean(usual[0], names)}; say which in {FILE}: "
                f'[columns] {what} = "COLUMN"'
            )
        chunks = [batch.column(0) for batch in dataset.batches([name])]
        kind = dataset.arrow.field(name).type
        return pa.chunked_array(chunks, kind).combine_chunks()

    def words(self, table: Path, what: str) -> list[str | None]:
        """Return a column as texts."""
        return list(to_text(self.read(table, what)).to_pylist())


def read_tasks(folder: str | os.PathLike[str]) -> tuple[Task, ...]:
    """Return the tasks of a folder: one a sub-folder, in the order of their names, or the folder itself.

    Raises UsageError where a file, a column or a type is not known, DataError where there is no task,
    two have one name, or one has nothing to test on.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        what = "is a file" if place.exists() else "there is no such folder"
        raise UsageError(f"{folder}: {what}; give a folder of tasks, each a folder of its own")
    inside = [
        each for each in sorted(place.iterdir()) if each.is_dir() and each.name[0] not in "._"
    ]
    alone = (place / FILE).exists() or bool(_tables(place))
    if alone and any(_tables(each) or (each / FILE).exists() for each in inside):
        raise UsageError(
            f"{folder}: holds tables and folders with tables; keep each task in a folder of its own"
        )
    places = [place] if alone else inside
    if not places:
        raise DataError(f"{folder}: holds no task; give a folder of tasks, each a folder of tables")
    tasks = tuple(_task(_folder(each)) for each in places)
    names: dict[str, str] = {}
    for task in tasks:
        if task.name in names:
            told = f"{names[task.name]} and {task.source}"
            raise DataError(f"two tasks are called {task.name!r} ({told}); give each its own name")
        names[task.name] = task.source
    return tasks


def _tables(folder: Path) -> tuple[Path, ...]:
    return tuple(
        each
        for each in sorted(folder.iterdir())
        if each.is_file() and each.suffix.lower() in _SUFFIXES and each.name[0] not in "._"
    )


def _folder(path: Path) -> _Folder:
    """Return what a folder says of its task; raise UsageError for a word it may not hold."""
    told = _told(path / FILE)
    file = path / FILE
    sort = told.get("type")
    if sort is not None:
        sort = str(sort).lower().replace("-", "_").replace("pairclass", "pair_class")
        if sort not in SORTS:
            raise UsageError(f"{file}: no type of task {told['type']!r}{did_you_mean(sort, SORTS)}")
    name, columns = told.get("name", path.resolve().name), told.get("columns", {})
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"{file}: name = {name!r}; give a text")
    known = {**COLUMNS, **GOLDEN}
    if not isinstance(columns, dict) or not all(isinstance(each, str) for each in columns.values()):
        raise UsageError(f'{file}: [columns] says how columns are called, such as text = "body"')
    for each in columns:
        if each not in known:
            raise UsageError(f"{file}: no column {each!r} is asked for{did_you_mean(each, known)}")
    tables = _tables(path)
    if not tables:
        kinds = ", ".join(each.removeprefix(".") for each in _SUFFIXES[:4])
        raise DataError(f"{path}: holds no table ({kinds}); a task is a folder with tables")
    return _Folder(path, name, sort, columns, tables)


def _told(file: Path) -> dict[str, object]:
    """Return what task.toml holds, nothing where there is none."""
    if not file.exists():
        return {}
    try:
        told = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: is no TOML ({str(error)[:120]})") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
    for key in told:
        if key not in KEYS:
            raise UsageError(f"{file}: no key {key!r}{did_you_mean(key, KEYS)}")
    return told


def _task(folder: _Folder) -> Task:
    sort = folder.sort or _inferred(folder)
    if sort == "retrieval":
        return _retrieval(folder)
    if sort == "classification":
        return _classification(folder)
    table = _only(folder, sort)
    if sort == "clustering":
        return _clustering(folder, table)
    return _pairs(folder, table, sort)


def _inferred(folder: _Folder) -> str:
    """Return the type that the files and their columns look like; raise UsageError for none."""
    stems = [each.stem.lower() for each in folder.tables]
    parts = [part for part, words in PARTS.items() if any(stem.endswith(words) for stem in stems)]
    if len(parts) > 1 or (parts and parts != ["queries"]):
        return "retrieval"
    if any(stem.endswith(_PARTS["train"]) for stem in stems):
        return "classification"
    table = folder.tables[0]
    if len(folder.tables) == 1:
        has = {what: folder.column(table, what) is not None for what in COLUMNS}
        if has["text1"] and has["text2"] and has["score"]:
            score = np.unique(to_floats(folder.read(table, "score")))
            return "pair_classification" if score.tolist() == [0.0, 1.0] else "sts"
        if has["text"] and has["label"]:
            return "classification" if has["split"] else "clustering"
    names = ", ".join(each.name for each in folder.tables[:4])
    columns = ", ".join(folder.open(table).arrow.names[:8])
    held = f"columns {columns}" if len(folder.tables) == 1 else names
    raise UsageError(
        f"{folder.path}: cannot tell what task it is ({held}); say so in {FILE}: "
        f'type = "...", one of {", ".join(SORTS)}'
    )


def _only(folder: _Folder, sort: str) -> Path:
    if len(folder.tables) > 1:
        names = " and ".join(each.name for each in folder.tables[:3])
        raise UsageError(f"{folder.path}: {names}; a task of {sort} has one table")
    return folder.tables[0]


def _retrieval(folder: _Folder) -> Retrieval:
    golden = open_golden(folder.path, {n: c for n, c in folder.columns.items() if n in GOLDEN})
    judged = golden.judged
    return Retrieval(
        folder.name,
        str(folder.path),
        golden.documents,
        golden.queries,
        np.asarray(judged.query, np.int64),
        np.asarray(judged.document, np.int64),
        np.asarray(judged.gain, np.float64),
        notes=tuple(golden.notes),
    )


def _classification(folder: _Folder) -> Classification:
    parts = _split(folder) if len(folder.tables) == 1 else _two_tables(folder)
    rows = {part: _whole(pairs) for part, pairs in parts.items()}
    notes = []
    for part, pairs in parts.items():
        lost = len(pairs) - len(rows[part])
        if lost:
            notes.append(f"{part}: {lost:,} of {len(pairs):,} rows lack a text or a label")
        if not rows[part]:
            raise DataError(f"{folder.path}: no row of {part} has a text and a label")
    labels = sorted({label for pairs in rows.values() for _, label in pairs})
    known = {label for _, label in rows["train"]}
    if len(known) < 2:
        raise DataError(f"{folder.path}: the rows to learn from have one label, {labels[0]!r}")
    unknown = sum(label not in known for _, label in rows["test"])
    if unknown:
        notes.append(f"{unknown:,} of {len(rows['test']):,} test rows have a label nobody learns")
    learned = {text for text, _ in rows["train"]}
    twice = sum(text in learned for text, _ in rows["test"])
    if twice:
        notes.append(f"{twice:,} of {len(rows['test']):,} test texts are learned from too")
    return Classification(
        folder.name,
        str(folder.path),
        tuple(text for text, _ in rows["train"]),
        tuple(text for text, _ in rows["test"]),
        _codes([label for _, label in rows["train"]], labels),
        _codes([label for _, label in rows["test"]], labels),
        tuple(labels),
        notes=tuple(notes),
    )


_Rows = list[tuple[str | None, str | None]]


def _split(folder: _Folder) -> dict[str, _Rows]:
    """Return the rows of one table by its column of parts; other parts than two are left alone."""
    table = folder.tables[0]
    pairs = _labelled(folder, table)
    said = [(each or "").strip().lower() for each in folder.words(table, "split")]
    made = {
        part: [pair for pair, word in zip(pairs, said, strict=True) if word in words]
        for part, words in _PARTS.items()
    }
    for part, rows in made.items():
        if not rows:
            there = ", ".join(sorted(set(said))[:6])
            name = folder.column(table, "split")
            raise DataError(f"{table}: no row is of part {part!r} (column {name!r}: {there})")
    return made


def _two_tables(folder: _Folder) -> dict[str, _Rows]:
    made: dict[str, _Rows] = {}
    for part, words in _PARTS.items():
        found = [each for each in folder.tables if each.stem.lower().endswith(words)]
        if len(found) != 1:
            names = ", ".join(each.name for each in folder.tables[:4])
            many = "no file" if not found else "several files"
            raise UsageError(f"{folder.path}: {many} of {part} (*{words[0]}.csv); there is {names}")
        made[part] = _labelled(folder, found[0])
    return made


def _labelled(folder: _Folder, table: Path) -> _Rows:
    return list(zip(folder.words(table, "text"), folder.words(table, "label"), strict=True))


def _clustering(folder: _Folder, table: Path) -> Clustering:
    pairs = _labelled(folder, table)
    rows = _whole(pairs)
    labels = sorted({label for _, label in rows})
    if len(labels) < 2 or len(labels) >= len(rows):
        raise DataError(
            f"{table}: {len(labels):,} groups in {len(rows):,} texts; nothing to cluster"
        )
    lost = len(pairs) - len(rows)
    notes = [f"{lost:,} of {len(pairs):,} rows lack a text or a label"] if lost else []
    return Clustering(
        folder.name,
        str(folder.path),
        tuple(text for text, _ in rows),
        _codes([label for _, label in rows], labels),
        tuple(labels),
        notes=tuple(notes),
    )


def _pairs(folder: _Folder, table: Path, sort: str) -> Similarity:
    one, other = folder.words(table, "text1"), folder.words(table, "text2")
    scores: Floats = np.asarray(to_floats(folder.read(table, "score")), np.float64)
    kept = [
        row
        for row, pair in enumerate(zip(one, other, strict=True))
        if all(text and text.strip() for text in pair) and np.isfinite(scores[row])
    ]
    score, lost = scores[kept], len(scores) - len(kept)
    values = set(score.tolist())
    if len(kept) < FEWEST_PAIRS or len(values) < 2:
        held = f"{len(kept):,} pairs with {len(values):,} different scores"
        raise DataError(f"{table}: {held}; give {FEWEST_PAIRS} pairs or more that differ in score")
    if sort == "pair_classification" and values != {0.0, 1.0}:
        shown = ", ".join(f"{each:g}" for each in sorted(values)[:6])
        raise DataError(f"{table}: scores of pair_classification are 0 and 1, not {shown}; or sts")
    made = PairClassification if sort == "pair_classification" else Similarity
    return made(
        folder.name,
        str(folder.path),
        tuple(one[row] or "" for row in kept),
        tuple(other[row] or "" for row in kept),
        score,
        notes=(f"{lost:,} of {len(scores):,} pairs lack a text or a score",) if lost else (),
    )


def _whole(rows: Sequence[tuple[str | None, str | None]]) -> list[tuple[str, str]]:
    """Return the rows with a text and a label."""
    return [(text, label) for text, label in rows if text and text.strip() and label is not None]


def _codes(labels: Sequence[str], known: Sequence[str]) -> Ints:
    code = {label: place for place, label in enumerate(known)}
    return np.array([code[label] for label in labels], np.int64)

"""A path, a folder or a glob is a list of files of one kind, in the order of their names."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.sources.arrays import MAGIC, open_array
from undertow.sources.arrow_files import open_arrow
from undertow.sources.delimited import open_delimited
from undertow.sources.dialect import COMPRESSIONS
from undertow.sources.edge import Part, Parts, unify
from undertow.sources.jsonlines import open_json_lines
from undertow.sources.parquet import open_parquet
from undertow.sources.spool import Spool
from undertow.sources.words import explain, reading

_KINDS = {
    ".parquet": "Parquet",
    ".parq": "Parquet",
    ".pq": "Parquet",
    ".csv": "CSV",
    ".tsv": "CSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".json": "JSON lines",
    ".arrow": "Arrow",
    ".feather": "Arrow",
    ".ipc": "Arrow",
    ".arrows": "Arrow",
    ".npy": "NumPy",
    ".npz": "NumPy",
}
_READS = "Parquet, CSV, JSON lines, Arrow or NumPy"
_HIVE = re.compile(r"([^=/]+)=([^/]*)")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Found:
    """The files behind a path, and the folder their partitions are counted from."""

    source: str
    files: tuple[Path, ...]
    kind: str
    base: Path | None


def open_files(path: str | os.PathLike[str], name: str | None = None) -> Parts:
    """Return the rows of a file, a folder or a glob."""
    found = find(os.fspath(path))
    parts, notes = _parts(found)
    if found.base is not None:
        parts = _partitioned(parts, found.files, found.base)
    return Parts(
        name or found.source, unify(parts), tuple(parts), lambda: _digest(found.files, parts), notes
    )


def find(text: str) -> Found:
    """Return the files behind a path, a folder or a glob, or refuse in one line.

    >>> find("/nowhere/at/all.csv")
    Traceback (most recent call last):
    undertow.core.errors.UsageError: /nowhere/at/all.csv: there is no folder '/nowhere'; ...
    """
    if re.match(r"[a-z][a-z0-9+]+://", text):
        raise UsageError(
            f"{text}: undertow reads local files; copy it here, or ask DuckDB: \"FROM '{text}'\""
        )
    with reading(text, "check the path"):
        path = Path(text).expanduser()
        if path.is_dir():
            return _folder(text, path)
        if path.exists():
            return Found(text, (path,), _kind(path), None)
    if glob.has_magic(text):
        return _glob(text, str(path))
    raise UsageError(_missing(text, path))


def _missing(text: str, path: Path) -> str:
    parent = path.absolute().parent
    while not parent.is_dir():
        path, parent = parent, parent.parent
    if path.absolute() != Path(text).expanduser().absolute():
        there = did_you_mean(path.name, _listing(parent))
        return f"{text}: there is no folder {str(path)!r}{there}"
    return f"{text}: there is no such file{did_you_mean(path.name, _listing(parent))}"


def _listing(folder: Path) -> list[str]:
    try:
        return sorted(each.name for each in folder.iterdir() if not _hidden(each.name))
    except OSError:
        return []


def _hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(explain(str(error.filename), error, "check the folder")) from error

    for root, folders, names in os.walk(folder, onerror=refuse, followlinks=False):
        folders[:] = sorted(each for each in folders if not _hidden(each))
        yield from (Path(root, each) for each in names if not _hidden(each))


def _folder(text: str, folder: Path) -> Found:
    files = sorted(_walk(folder))
    if not files:
        raise DataError(f"{text}: the folder holds no files; give one with {_READS} files")
    return _of_one_kind(text, files, folder)


def _glob(text: str, pattern: str) -> Found:
    matches = [Path(each) for each in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - patterns may be absolute
    files = sorted({each for each in matches if each.is_file()})
    if not files:
        files = sorted({each for folder in matches if folder.is_dir() for each in _walk(folder)})
    if not files:
        raise UsageError(f"{text}: no file matches; check the folder and the pattern")
    fixed = pattern[: re.search(r"[*?\[]", pattern).start()]  # type: ignore[union-attr]  # it is a pattern
    return _of_one_kind(text, files, Path(fixed.rpartition("/")[0] or "."))


def _of_one_kind(text: str, files: Sequence[Path], base: Path) -> Found:
    kinds = [(each, _named_kind(each)) for each in files]
    if not any(kind for _, kind in kinds):
        kinds = [(each, _magic_kind(each)) for each in files]
    counts = Counter(kind for _, kind in kinds if kind)
    if not counts:
        raise DataError(
            f"{text}: none of its {len(files)} files is {_READS} ({files[0].name!r} is the first);"
            f" give another folder, or name one file"
        )
    if len(counts) > 1:
        shown = " and ".join(f"{count} {kind}" for kind, count in counts.most_common())
        raise UsageError(f"{text}: holds {shown} files; choose one kind with a pattern: '*.csv'")
    (only,) = counts
    return Found(text, tuple(each for each, kind in kinds if kind == only), only, base)


def _named_kind(path: Path) -> str | None:
    suffixes = [each.lower() for each in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return _KINDS.get(suffixes[-1]) if suffixes else None


def _magic_kind(path: Path) -> str | None:
    with reading(str(path), "check the path"), path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PAR1"):
        return "Parquet"
    if start == MAGIC:
        return "NumPy"
    return "Arrow" if start.startswith(b"ARROW1") else None


def _kind(path: Path) -> str:
    """Return the kind of a file from its first bytes, its name, or else how its text begins."""
    kind = _magic_kind(path) or _named_kind(path)
    if kind:
        return kind
    with reading(str(path), "check the path"), path.open("rb") as file:
        start = file.read(64).lstrip()
    return "JSON lines" if start.startswith(b"{") else "CSV"


def _parts(found: Found) -> tuple[list[Part], tuple[str, ...]]:
    if found.kind == "Parquet":
        return [*map(open_parquet, found.files)], ()
    if found.kind == "Arrow":
        return [*map(open_arrow, found.files)], ()
    if found.kind == "NumPy":
        return [*map(open_array, found.files)], ()
    if found.kind == "JSON lines":
        return [*open_json_lines(found.files, Spool())], ()
    parsed = open_delimited(found.files, Spool())
    notes = tuple(f"{each.path}: {note}" for each in parsed for note in each.dialect.renamed)
    return [*(each.part for each in parsed)], notes


@dataclass(frozen=True)
class PartitionedPart:
    """A part with the columns that the folders of its file spell, as in `year=2024/`."""

    part: Part
    constants: dict[str, pa.Scalar]

    @property
    def name(self) -> str:
        """The part's own name."""
        return self.part.name

    @property
    def arrow(self) -> pa.Schema:
        """The part's schema and the folders' columns after it."""
        schema = self.part.arrow
        for name, value in self.constants.items():
            schema = schema.append(pa.field(name, value.type))
        return schema

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with these columns, the folders' values repeated."""
        inside = [name for name in columns if name not in self.constants]
        for batch in self.part.read(inside or self.part.arrow.names[:1]):
            read = batch
            for name, value in self.constants.items():
                read = read.append_column(name, pa.repeat(value, batch.num_rows))
            yield read

    def fingerprint(self) -> bytes | None:
        """Return the part's own."""
        return self.part.fingerprint()


def _partitioned(parts: Sequence[Part], files: Sequence[Path], base: Path) -> list[Part]:
    """Add the columns that the folders spell; a column in the file itself wins."""
    spelled = []
    for file in files:
        folders = file.relative_to(base).parent.parts if file.is_relative_to(base) else ()
        pairs = [match.groups() for each in folders if (match := _HIVE.fullmatch(each))]
        spelled.append({key: None if text == _NO_VALUE else unquote(text) for key, text in pairs})
    keys = {key: None for each in spelled for key in each}
    types = {}
    for key in keys:
        values = [each[key] for each in spelled if each.get(key) is not None]
        whole = all(re.fullmatch(r"0|-?[1-9]\d{0,17}", str(value)) for value in values)
        types[key] = pa.int64() if whole else pa.string()
    out: list[Part] = []
    for part, each in zip(parts, spelled, strict=True):
        constants = {
            key: pa.scalar(int(value) if value and types[key] == pa.int64() else value, types[key])
            for key, value in each.items()
            if key not in part.arrow.names
        }
        out.append(PartitionedPart(part, constants) if constants else part)
    return out


def _digest(files: Sequence[Path], parts: Sequence[Part]) -> str:
    """Hash every file in order: a footer where there is one, every byte where there is none."""
    hasher = hashlib.blake2b(digest_size=16)
    for path, part in zip(files, parts, strict=True):
        mark = part.fingerprint() or _all_bytes(path)
        hasher.update(mark)
    return hasher.hexdigest()


def _all_bytes(path: Path) -> bytes:
    with reading(str(path), "check the path"), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()

"""Vectors that are written otherwise: one column a dimension, or numbers spelled in a text.

`emb_0, emb_1, ...` become one column `emb`; a text such as "[0.1, 0.2]" becomes the numbers it spells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.values import is_text, to_floats
from undertow.core.vectors import is_numeric
from undertow.sources.edge import project

_MAGIC = re.compile(r"[*?\[]")
_ITEM = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?i:nan|inf|infinity)|None|null"
_SPELLED = rf"^\s*[\[(]\s*(?:(?:{_ITEM})(?:[\s,;]+(?:{_ITEM}))*)?[\s,;]*[\])]\s*$"
_MOST = 0.5

Floats = NDArray[np.float64]
_SPELT = pa.list_(pa.float64())


def vector_names(patterns: Iterable[str], columns: Iterable[str]) -> tuple[str, ...]:
    """Return what the vector columns of these patterns are called, once each.

    A pattern that is the name of a column stands for itself; any other pattern with a star stands
    for the text before it, without the separator at its end.

    >>> vector_names(["emb_*", "v"], ["v", "emb_0", "emb_1"])
    ('emb', 'v')
    """
    there = set(columns)
    names = [each if each in there or not _MAGIC.search(each) else _stem(each) for each in patterns]
    return tuple(dict.fromkeys(names))


def gathered(
    dataset: Dataset, patterns: Iterable[str], *, required: bool = True
) -> tuple[Dataset, tuple[str, ...]]:
    """Return the data set with its vectors in columns of their own, and what those are called.

    The parts of a vector are no longer columns themselves. They are put in the order of the number
    in their names, so 2 comes before 10. Raises UsageError where a pattern finds no number column
    and `required`, or where the new column's name is taken.

    >>> from undertow.sources import open_dataset
    >>> rows = open_dataset(pa.table({"e2": [3.0], "e10": [4.0], "city": ["Wien"]}))
    >>> found, names = gathered(rows, ["e*"])
    >>> names, found.arrow.names, [batch.to_pydict() for batch in found.batches(["e"])]
    (('e',), ['e', 'city'], [{'e': [[3.0, 4.0]]}])
    """
    patterns = list(dict.fromkeys(patterns))
    names = vector_names(patterns, dataset.arrow.names)
    parts: dict[str, list[str]] = {}
    for pattern in patterns:
        if pattern in dataset.arrow.names or not _MAGIC.search(pattern):
            continue
        found = _parts(dataset.arrow, pattern)
        if not found and required and _stem(pattern) not in dataset.arrow.names:
            raise UsageError(_nothing(dataset, pattern))
        if found:
            parts[_stem(pattern)] = found
    taken = {part for each in parts.values() for part in each}
    for name, each in parts.items():
        if name in dataset.arrow.names and name not in taken:
            raise UsageError(
                f"{dataset.source}: the vector of {each[0]!r} and {len(each) - 1} more "
                f"would be called {name!r}, which is a column already; rename that"
            )
    texts = frozenset(
        name
        for name in names
        if name in dataset.arrow.names and name not in parts and _spelled(dataset, name)
    )
    if not parts and not texts:
        return dataset, names
    return Gathered(dataset, parts, texts), names


def spelled_columns(dataset: Dataset) -> tuple[str, ...]:
    """Return the text columns that spell vectors of one length, as "[0.1, 0.2]", in their first rows.

    >>> from undertow.sources import open_dataset
    >>> spelled_columns(open_dataset(pa.table({"v": ["[1, 2.5]", "[3, 4]"], "t": ["[1]", "[a]"]})))
    ('v',)
    """
    names = [field.name for field in dataset.arrow if is_text(field.type)]
    if not names:
        return ()
    for batch in dataset.batches(names):
        found = []
        for name in names:
            cells = batch.column(name).drop_null().slice(0, 50)
            if len(cells) and pc.all(pc.match_substring_regex(cells, _SPELLED)).as_py():
                lengths = pc.unique(pc.list_value_length(read_spelled(cells)))
                if len(lengths) == 1 and lengths[0].as_py() > 1:
                    found.append(name)
        return tuple(found)
    return ()


class Gathered:
    """A data set in which some columns became one vector, or some texts the vectors they spell."""

    def __init__(
        self, inner: Dataset, parts: Mapping[str, Sequence[str]], texts: frozenset[str]
    ) -> None:
        """Take a data set, the parts of each vector in order, and the columns that spell vectors."""
        self.source = inner.source
        self.notes: tuple[str, ...] = tuple(getattr(inner, "notes", ()))
        self.inner, self.parts, self.texts = inner, dict(parts), texts
        home = {min(each, key=inner.arrow.names.index): name for name, each in parts.items()}
        taken = {part for each in parts.values() for part in each}
        fields = []
        for field in inner.arrow:
            if field.name in home:
                name = home[field.name]
                fields.append(pa.field(name, _type(inner.arrow, parts[name])))
            elif field.name not in taken:
                fields.append(field.with_type(_SPELT) if field.name in texts else field)
        self.arrow: pa.Schema = pa.schema(fields)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows again from the start, in order, only these columns."""
        wanted = project(self.arrow.names, columns, self.source)
        return self._read(wanted)

    def _read(self, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([self.arrow.field(name) for name in wanted])
        inner = [part for name in wanted for part in self.parts.get(name, [name])]
        for batch in self.inner.batches(list(dict.fromkeys(inner))):
            arrays = [self._column(batch, name, schema.field(name).type) for name in wanted]
            yield pa.record_batch(arrays, schema=schema) if arrays else batch

    def _column(self, batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
        if name in self.parts:
            return _joined([batch.column(part) for part in self.parts[name]], kind)
        column = batch.column(name)
        return read_spelled(column) if name in self.texts else column

    def digest(self) -> str | None:
        """Return the digest of the data set."""
        return self.inner.digest()


def read_spelled(texts: pa.Array) -> pa.Array:
    """Return texts as the lists of numbers they spell; what is no number in them is NaN.

    >>> read_spelled(pa.array(["[1, 2.5]", "[3 nan]", "", None])).to_pylist()
    [[1.0, 2.5], [3.0, nan], [], None]
    """
    if pa.types.is_dictionary(texts.type):
        return read_spelled(texts.dictionary).take(texts.indices)
    plain = pc.replace_substring(pc.replace_substring(texts, ",", " "), ";", " ")
    inner = pc.utf8_trim(plain, " \t\r\n[]()")
    pieces = pc.ascii_split_whitespace(inner)
    empty = pc.fill_null(pc.equal(pc.binary_length(inner), 0), fill_value=False)
    numbers = _read_numbers(pieces.flatten())
    sizes = np.asarray(pc.fill_null(pc.list_value_length(pieces), 0)).astype(np.int64)
    keep = np.repeat(~np.asarray(empty), sizes)
    sizes[np.asarray(empty)] = 0
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    mask = pc.is_null(texts) if texts.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers[keep]), mask=mask)


def _read_numbers(words: pa.Array) -> Floats:
    """Return the number each word spells, NaN where it spells none."""
    try:
        return np.asarray(words.cast(pa.float64()))
    except pa.ArrowInvalid:  # some word is none, so that each has to be looked at
        numbers = to_floats(words).copy()
        for spelling, value in _SPECIAL.items():
            numbers[np.asarray(pc.match_substring_regex(words, spelling))] = value
        return numbers


_SPECIAL = {r"^\+?(?i:inf|infinity)$": np.inf, r"^-(?i:inf|infinity)$": -np.inf}


def _spelled(dataset: Dataset, name: str) -> bool:
    """Tell whether most of the first texts of a column spell vectors."""
    kind = dataset.arrow.field(name).type
    if not is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return False
    for batch in dataset.batches([name]):
        cells = batch.column(0).drop_null().slice(0, 1000)
        if len(cells):
            if pa.types.is_dictionary(cells.type):
                cells = cells.dictionary_decode()
            fits = pc.match_substring_regex(cells, _SPELLED)
            return float(pc.mean(fits).as_py()) > _MOST
    return False


def _stem(pattern: str) -> str:
    return re.sub(r"[\s_.:/-]+$", "", _MAGIC.split(pattern, maxsplit=1)[0]) or "vector"


def _parts(arrow: pa.Schema, pattern: str) -> list[str]:
    found = [
        field.name
        for field in arrow
        if fnmatchcase(field.name, pattern)
        and is_numeric(field.type)
        and re.search(r"\d", field.name)
    ]
    return sorted(found, key=_natural)


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Return the key that sorts names with numbers in them as people do."""
    pieces = re.findall(r"\d+|\D+", name)
    return tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in pieces)


def _nothing(dataset: Dataset, pattern: str) -> str:
    others = [name for name in dataset.arrow.names if fnmatchcase(name, pattern)]
    if others:
        kind = dataset.arrow.field(others[0]).type
        return (
            f"{dataset.source}: {pattern!r} matches {others[0]!r}, which is {kind}; the parts of a "
            f"vector are number columns with a number in their names, as 'emb_0'"
        )
    stem = _stem(pattern)
    return (
        f"{dataset.source}: no column matches {pattern!r}{did_you_mean(stem, dataset.arrow.names)}"
    )


def _type(arrow: pa.Schema, parts: Sequence[str]) -> pa.DataType:
    kinds = [arrow.field(part).type for part in parts]
    narrow = all(pa.types.is_float32(kind) or pa.types.is_float16(kind) for kind in kinds)
    return pa.list_(pa.float32() if narrow else pa.float64(), len(parts))


def _joined(columns: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """Return columns as one of vectors: null where every part is, NaN where only some are."""
    dtype = kind.value_type.to_pandas_dtype()
    rows = np.empty((len(columns[0]), len(columns)), dtype)
    missing = np.ones(len(rows), np.bool_)
    for place, column in enumerate(columns):
        rows[:, place] = to_floats(column)
        missing &= np.asarray(column.is_null())
    mask = pa.array(missing) if missing.any() else None
    flat = pa.array(rows.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=kind, mask=mask)

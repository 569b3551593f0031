"""Every source leaves through this edge: unique names, one level, types Arrow can compute with.

What comes in and what it becomes:

    struct                  one column a field, named `a.b`; a struct inside it stays a struct
    string_view             large_string (and binary_view large_binary)
    run-end encoded         the values themselves
    list_view               list (large_list_view large_list)
    extension               its storage
    float16                 float32
    dictionary              stays a dictionary, over plain strings if they were views
    everything else         untouched: decimal, duration, time, date, timestamps with and without
                            zone, list, fixed-size list, map, null
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.dataset import BATCH_ROWS
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.vectors import is_list
from undertow.sources.words import one_line

SPACE = b"undertow.space"
"""The metadata of a field of vectors that says which encoder made them."""


class Part(Protocol):
    """Rows of one file or frame, as their format gives them; `Parts` makes a Dataset of some."""

    @property
    def name(self) -> str:
        """What a person would call it."""
        ...

    @property
    def arrow(self) -> pa.Schema:
        """The schema as the format has it."""
        ...

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows from the start with at least these top-level columns."""
        ...

    def fingerprint(self) -> bytes | None:
        """Return bytes that change when the rows' file does, None for rows in memory."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where one column of a dataset comes from: a top-level column, or a field of a struct.

    `space` is the fingerprint of the encoder that made its vectors, where the data says so.
    """

    name: str
    root: str
    field: int | None
    type: pa.DataType
    space: bytes = b""


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type a column leaves with.

    >>> plain_type(pa.string_view())
    DataType(large_string)
    """
    for is_such, plain in _PLAIN:
        if is_such(kind):
            return plain(kind)
    return kind


def _plain_dictionary(kind: pa.DictionaryType) -> pa.DataType:
    inner = plain_type(kind.value_type)
    if pa.types.is_nested(inner) or pa.types.is_null(inner):
        return inner
    same = inner == kind.value_type
    return kind if same else pa.dictionary(kind.index_type, inner, kind.ordered)


_PLAIN: tuple[tuple[Callable[[Any], bool], Callable[[Any], pa.DataType]], ...] = (
    (
        lambda kind: isinstance(kind, pa.BaseExtensionType),
        lambda kind: plain_type(kind.storage_type),
    ),
    (pa.types.is_run_end_encoded, lambda kind: plain_type(kind.value_type)),
    (pa.types.is_dictionary, _plain_dictionary),
    (pa.types.is_float16, lambda _: pa.float32()),
    (pa.types.is_string_view, lambda _: pa.large_string()),
    (pa.types.is_binary_view, lambda _: pa.large_binary()),
    (pa.types.is_list_view, lambda kind: pa.list_(plain_type(kind.value_type))),
    (pa.types.is_large_list_view, lambda kind: pa.large_list(plain_type(kind.value_type))),
)


def leaves(schema: pa.Schema, source: str) -> list[Leaf]:
    """Return the columns a schema leaves with, or refuse two of one name."""
    found = []
    for field in schema:
        kind = field.type
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        if pa.types.is_struct(kind) and kind.num_fields:
            found += [
                Leaf(
                    f"{field.name}.{inner.name}",
                    field.name,
                    index,
                    plain_type(inner.type),
                    _space(inner),
                )
                for index, inner in enumerate(kind)
            ]
        else:
            found.append(Leaf(field.name, field.name, None, plain_type(kind), _space(field)))
    roots = Counter(schema.names)
    names = Counter(leaf.name for leaf in found)
    for name in [*schema.names, *names]:
        if max(roots[name], names[name]) > 1:
            times = max(roots[name], names[name])
            raise DataError(f"{source}: {times} columns are called {name!r}; rename all but one")
    return found


def _space(field: pa.Field) -> bytes:
    return (field.metadata or {}).get(SPACE, b"") if is_list(field.type) else b""


def reshape(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array as another type: a lossless change, or one `unify` has agreed to."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.type == kind:
        return array
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        if pa.types.is_dictionary(kind):
            values = reshape(array.dictionary, kind.value_type)
            indices = array.indices.cast(kind.index_type)
            return pa.DictionaryArray.from_arrays(indices, values, ordered=kind.ordered)
        array = array.dictionary_decode()
    if pa.types.is_list_view(array.type) or pa.types.is_large_list_view(array.type):
        array = _list(array)
    return array if array.type == kind else array.cast(kind, safe=False)


def _list(array: pa.Array) -> pa.Array:
    """Return a list view as a large list; Arrow's own cast makes broken offsets (26.0)."""
    ends = np.cumsum(np.asarray(pc.list_value_length(array).fill_null(0)), dtype=np.int64)
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, array.flatten(), mask=array.is_null())


def project(names: Sequence[str], columns: Sequence[str] | None, source: str) -> list[str]:
    """Return the columns asked for, every one by default; refuse an unknown one."""
    if columns is None:
        return list(names)
    known = set(names)
    for name in columns:
        if name not in known:
            raise UsageError(f"{source}: no column {name!r}{did_you_mean(name, names)}")
    return list(columns)


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces of at most BATCH_ROWS rows, and nothing where it is empty."""
    if 0 < batch.num_rows <= BATCH_ROWS:
        yield batch
        return
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(start, BATCH_ROWS)


@dataclass(eq=False)
class Parts:
    """A dataset of one part or several, unified: a column a part lacks is null there."""

    source: str
    arrow: pa.Schema
    parts: tuple[Part, ...]
    digest_of: Callable[[], str | None]
    notes: tuple[str, ...] = ()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows again from the start, in order, only these columns."""
        wanted = project(self.arrow.names, columns, self.source)
        schema = pa.schema([self.arrow.field(name) for name in wanted])
        return self._read(schema)

    def _read(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for part in self.parts:
            found = {leaf.name: leaf for leaf in leaves(part.arrow, part.name)}
            roots = {found[name].root: None for name in schema.names if name in found}
            if not roots and len(part.arrow):
                roots = {part.arrow.names[_narrowest(part.arrow)]: None}
            for raw in part.read(list(roots)):
                for batch in pieces(raw):
                    yield _conform(batch, schema, found, part.name)

    def digest(self) -> str | None:
        """Return a fast digest of the bytes behind the rows, or None for rows in memory."""
        return self.digest_of()


def unify(parts: Iterable[Part]) -> pa.Schema:
    """Return the schema that holds every part, in order of first appearance, or refuse by name."""
    known: dict[str, pa.DataType] = {}
    first: dict[str, str] = {}
    spaces: dict[str, bytes] = {}
    for part in parts:
        for leaf in leaves(part.arrow, part.name):
            if leaf.space != spaces.setdefault(leaf.name, leaf.space):
                raise DataError(
                    f"{part.name}: the vectors of {leaf.name!r} are of another encoder than in"
                    f" {first[leaf.name]}; encode all files by one, or check them apart"
                )
            if leaf.name not in known:
                known[leaf.name], first[leaf.name] = leaf.type, part.name
                continue
            joined = join(known[leaf.name], leaf.type)
            if joined is None:
                raise DataError(
                    f"{part.name}: column {leaf.name!r} is {leaf.type}, but {known[leaf.name]} in"
                    f" {first[leaf.name]}; give both files one type, or check them apart"
                )
            known[leaf.name] = joined
    return pa.schema(
        [
            pa.field(name, kind, metadata={SPACE: spaces[name]} if spaces[name] else None)
            for name, kind in known.items()
        ]
    )


def join(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type that holds both, or None where there is none.

    >>> join(pa.int64(), pa.float32()), join(pa.int64(), pa.string())
    (DataType(double), None)
    """
    if left == right:
        return left
    if pa.types.is_dictionary(left) or pa.types.is_dictionary(right):
        left, right = _undictionary(left), _undictionary(right)
        return join(left, right)
    if pa.types.is_fixed_size_list(left) and pa.types.is_fixed_size_list(right):
        inner = join(left.value_type, right.value_type)
        same = left.list_size == right.list_size  # vectors of two models are not one column
        return pa.list_(inner, left.list_size) if same and inner is not None else None
    for one, other in ((left, right), (right, left)):
        if pa.types.is_null(one):
            return other
        if pa.types.is_integer(one) and pa.types.is_floating(other):
            return pa.float64()
    try:
        pair = [pa.schema([("x", left)]), pa.schema([("x", right)])]
        return pa.unify_schemas(pair, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _undictionary(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _narrowest(schema: pa.Schema) -> int:
    """Return the column that is cheapest to read when only the number of rows is wanted."""
    fixed = (pa.types.is_primitive, pa.types.is_boolean, pa.types.is_dictionary)
    ranks = [0 if any(is_kind(field.type) for is_kind in fixed) else 1 for field in schema]
    return ranks.index(min(ranks))


def _conform(
    batch: pa.RecordBatch, schema: pa.Schema, found: dict[str, Leaf], source: str
) -> pa.RecordBatch:
    if not len(schema):
        return batch.select([])
    arrays = []
    for field in schema:
        leaf = found.get(field.name)
        if leaf is None:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        array = batch.column(leaf.root)
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        if leaf.field is not None:
            array = array.flatten()[leaf.field]
        try:
            arrays.append(reshape(array, field.type))
        except pa.ArrowException as error:
            raise DataError(
                f"{source}: column {field.name!r} cannot be read as {field.type}"
                f" ({one_line(error)}); write it as a plain type"
            ) from error
    return pa.record_batch(arrays, schema=schema)

"""Arrow types at the edge: what becomes something else, and what is left alone."""

import pyarrow as pa
import pytest

from undertow.core.errors import DataError
from undertow.sources import open_dataset
from undertow.sources.edge import join, plain_type

UNTOUCHED = [
    pa.int8(),
    pa.uint64(),
    pa.float32(),
    pa.decimal128(10, 2),
    pa.duration("s"),
    pa.time32("s"),
    pa.time64("ns"),
    pa.date64(),
    pa.timestamp("ns"),
    pa.timestamp("ms", "Europe/Berlin"),
    pa.large_string(),
    pa.binary(),
    pa.list_(pa.float32(), 3),
    pa.list_(pa.string()),
    pa.map_(pa.string(), pa.int64()),
    pa.null(),
    pa.dictionary(pa.int8(), pa.string()),
]


@pytest.mark.parametrize("kind", UNTOUCHED, ids=str)
def test_types_are_left_alone(kind):
    """Decimals, times, zones, vectors, maps and dictionaries arrive as they are."""
    table = pa.table({"a": pa.nulls(3, kind)})
    (batch,) = open_dataset(table).batches()
    assert batch.schema.field("a").type == kind == plain_type(kind)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array(["p", None], pa.string_view()), pa.large_string()),
        (pa.array([b"p", None], pa.binary_view()), pa.large_binary()),
        (pa.array([[1], None], pa.list_view(pa.int64())), pa.list_(pa.int64())),
        (pa.array([[1], None], pa.large_list_view(pa.int64())), pa.large_list(pa.int64())),
        (pa.array([1.5, None], pa.float16()), pa.float32()),
        (pa.RunEndEncodedArray.from_arrays([1, 2], ["v", None]), pa.string()),
        (pa.array(["p", None], pa.string_view()).dictionary_encode(), None),
        (
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16))),
            None,
        ),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_exotic_types_become_plain_ones(array, kind):
    """Views, run ends, halves and extensions become types that every computation takes."""
    dataset = open_dataset(pa.table({"a": array}))
    (batch,) = dataset.batches()
    assert batch.schema == dataset.arrow
    assert kind is None or batch.schema.field("a").type == kind
    assert batch.column(0).null_count == 1
    assert not pa.types.is_string_view(batch.column(0).type)


def test_structs_open_one_level():
    """A struct is a column a field; where the struct is null its fields are."""
    table = pa.table({"s": [{"x": 1, "y": {"z": 2}}, None, {"x": None, "y": None}], "t": [1, 2, 3]})
    dataset = open_dataset(table)
    assert dataset.arrow.names == ["s.x", "s.y", "t"]
    (batch,) = dataset.batches(["t", "s.x"])
    assert batch.to_pydict() == {"t": [1, 2, 3], "s.x": [1, None, None]}
    assert pa.types.is_struct(dataset.arrow.field("s.y").type)


@pytest.mark.parametrize(
    "table",
    [pa.table([[1], [2]], names=["a", "a"]), pa.table({"a": [{"b": 1}], "a.b": [1]})],
    ids=["plain", "flattened"],
)
def test_two_columns_of_one_name_are_refused(table):
    """A repeated name is refused by name, also when opening a struct makes it."""
    with pytest.raises(DataError, match=r"2 columns are called 'a(\.b)?'; rename all but one"):
        open_dataset(table)


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float32(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string(), pa.string()),
        (pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ns")),
        (pa.int64(), pa.string(), None),
        (pa.bool_(), pa.int64(), None),
        (pa.timestamp("s"), pa.timestamp("s", "UTC"), None),
    ],
    ids=str,
)
def test_types_of_two_files_join(left, right, both):
    """Two types join, either way round, into the one that holds both, or not at all."""
    assert join(left, right) == join(right, left) == both

"""NumPy files: a `.npy` is one column, a `.npz` one column for each array in it.

An array of two dimensions is a column of vectors, one of one dimension a plain column. A `.npy` is
memory-mapped and a `.npz` is unpacked a block of rows at a time, so neither is ever in memory whole.
Pickles are never read.
"""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from undertow.core.dataset import BATCH_ROWS
from undertow.core.errors import DataError
from undertow.sources.words import explain, reading

VECTOR, VALUE = "vector", "value"
"""What the one column of a `.npy` file, or of a bare array, is called."""
MAGIC = b"\x93NUMPY"
_THEN = "save the array again with numpy.save, or read another"
_NUMBERS = 2**22
"""Numbers in one block of rows."""
_PLAIN = "biufSUmM"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Shape:
    """What the head of an array says of it."""

    rows: int
    dimensions: int | None
    dtype: np.dtype[Any]
    fortran: bool = False

    @classmethod
    def of(cls, name: str, shape: Sequence[int], dtype: np.dtype[Any], fortran: bool) -> Shape:
        """Return the shape; raise DataError where the array is no column."""
        if dtype.hasobject:
            raise DataError(
                f"{name}: holds Python objects (a pickle); save numbers: {_fixed(shape)}"
            )
        if dtype.names is not None or dtype.subdtype is not None:
            raise DataError(
                f"{name}: holds records ({_short(dtype)}); save each field as an array in one .npz"
            )
        if len(shape) not in {1, 2}:
            told = "a single value" if not shape else f"{len(shape)}-dimensional {tuple(shape)}"
            raise DataError(f"{name}: is {told}; give one vector a row: shape (rows, dimensions)")
        allowed = "iuf" if len(shape) == 2 else _PLAIN
        if dtype.kind not in allowed or (dtype.kind == "f" and dtype.itemsize > 8):
            what = "a vector is" if len(shape) == 2 else "a column is"
            raise DataError(f"{name}: holds {_short(dtype)}; {what} made of plain numbers")
        if len(shape) == 2 and shape[1] == 0:
            raise DataError(f"{name}: has shape {tuple(shape)}; a vector has at least one number")
        return cls(int(shape[0]), int(shape[1]) if len(shape) == 2 else None, dtype, fortran)

    @property
    def arrow(self) -> pa.DataType:
        """The type of the column."""
        if self.dtype.kind in "mM":
            return to_arrow(np.empty(0, self.dtype)).type
        native = self.dtype.newbyteorder("=")
        plain = pa.string() if native.kind == "U" else pa.from_numpy_dtype(native)
        return plain if self.dimensions is None else pa.list_(plain, self.dimensions)


@dataclass(frozen=True)
class NumpyPart:
    """One `.npy` or `.npz` file."""

    name: str
    path: Path
    arrays: dict[str, Shape]
    packed: bool

    @property
    def arrow(self) -> pa.Schema:
        """One field an array."""
        return pa.schema([(name, shape.arrow) for name, shape in self.arrays.items()])

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with these columns, a block at a time."""
        names = [name for name in self.arrays if name in columns]
        with _sane(self.name), contextlib.ExitStack() as stack:
            widest = max((self.arrays[name].dimensions or 1 for name in names), default=1)
            step = max(1, min(BATCH_ROWS, _NUMBERS // widest))
            streams = [self._blocks(name, step, stack) for name in names]
            for blocks in zip(*streams, strict=True):
                yield pa.record_batch([to_arrow(block) for block in blocks], names=names)

    def _blocks(self, name: str, step: int, stack: contextlib.ExitStack) -> Iterator[NDArray[Any]]:
        shape = self.arrays[name]
        if not self.packed:
            for start in range(0, shape.rows, step):
                # Mapped anew for each block, so that what was read can leave the memory.
                mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
                yield mapped[start : start + step]
            return
        archive = stack.enter_context(zipfile.ZipFile(self.path))
        file = stack.enter_context(archive.open(f"{name}.npy"))
        _head(file)
        if shape.fortran and shape.dimensions:
            size = shape.rows * shape.dimensions
            whole = _take(file, size, shape.dtype).reshape(shape.dimensions, shape.rows).T
            for start in range(0, shape.rows, step):
                yield whole[start : start + step]
            return
        for start in range(0, shape.rows, step):
            rows = min(step, shape.rows - start)
            block = _take(file, rows * (shape.dimensions or 1), shape.dtype)
            yield block if shape.dimensions is None else block.reshape(rows, shape.dimensions)

    def fingerprint(self) -> bytes | None:
        """Return None: the file keeps no statistics, so its bytes are hashed."""
        return None


def open_array(path: Path) -> NumpyPart:
    """Read the heads of the arrays in a file; raise DataError where they make no table."""
    name = str(path)
    with _sane(name):
        with path.open("rb") as file:
            start = file.read(6)
            if not start:
                raise DataError(f"{name}: the file is empty; {_THEN}")
            if start == MAGIC:
                file.seek(0)
                shape = _shape(name, file)
                size = path.stat().st_size - file.tell()
                _long_enough(name, shape, size)
                column = VALUE if shape.dimensions is None else VECTOR
                return NumpyPart(name, path, {column: shape}, packed=False)
        if not zipfile.is_zipfile(path):
            raise DataError(f"{name}: is no NumPy file, or a broken one; {_THEN}")
        return _archive(name, path)


def _archive(name: str, path: Path) -> NumpyPart:
    arrays: dict[str, Shape] = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                raise DataError(f"{name}: holds {entry.filename!r}, which is no array; {_THEN}")
            column = entry.filename.removesuffix(".npy")
            with archive.open(entry) as file:
                shape = _shape(f"{name}: array {column!r}", file)
            head = entry.file_size - shape.rows * (shape.dimensions or 1) * shape.dtype.itemsize
            _long_enough(name, shape, entry.file_size if head >= 0 else 0)
            arrays[column] = shape
    if not arrays:
        raise DataError(f"{name}: holds no arrays; save some with numpy.savez")
    if len({shape.rows for shape in arrays.values()}) > 1:
        told = ", ".join(f"{key!r} {shape.rows:,}" for key, shape in list(arrays.items())[:4])
        raise DataError(f"{name}: arrays differ in length ({told}); give all as many rows")
    return NumpyPart(name, path, arrays, packed=True)


def to_arrow(block: NDArray[Any]) -> pa.Array:
    """Return rows of an array as an Arrow column: vectors of a matrix, plain values of a line.

    >>> to_arrow(np.array([[1.0, 2.0]], ">f4")).type
    FixedSizeListType(fixed_size_list<item: float>[2])
    """
    if block.dtype.kind not in "SU":
        block = block.astype(block.dtype.newbyteorder("="), copy=False)
    if block.ndim == 1:
        if block.dtype.kind == "U":
            return pa.array(block.tolist(), pa.string())
        return pa.array(block)
    flat = pa.array(np.ascontiguousarray(block).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, block.shape[1])


def checked(name: str, array: NDArray[Any]) -> pa.Table:
    """Return an array in memory as a table; raise DataError where it is no column of vectors.

    >>> checked("numpy.ndarray", np.ones((2, 3))).column_names
    ['vector']
    """
    shape = Shape.of(name, array.shape, array.dtype, fortran=False)
    return pa.table({VALUE if shape.dimensions is None else VECTOR: to_arrow(array)})


def _shape(name: str, file: IO[bytes]) -> Shape:
    shape, fortran, dtype = _head(file)
    return Shape.of(name, shape, dtype, fortran)


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"its format is {version}")
    shape, fortran, dtype = _HEADERS[version](file)
    return shape, fortran, dtype


def _long_enough(name: str, shape: Shape, size: int) -> None:
    needed = shape.rows * (shape.dimensions or 1) * shape.dtype.itemsize
    if size < needed:
        raise DataError(f"{name}: is cut short: {size:,} bytes of {needed:,}; copy it again")


def _take(file: IO[bytes], count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    data = file.read(count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise EOFError("it is cut short")
    return np.frombuffer(data, dtype)


@contextlib.contextmanager
def _sane(name: str) -> Iterator[None]:
    """Turn what numpy and zipfile raise about a damaged file into one line."""
    try:
        with reading(name, _THEN):
            yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
        SyntaxError,
    ) as error:
        raise DataError(explain(name, error, _THEN)) from error


def _short(dtype: np.dtype[Any]) -> str:
    told = str(dtype)
    return told if len(told) <= 40 else told[:40] + "..."


def _fixed(shape: Sequence[int]) -> str:
    return "as float32, every row of one length" if len(shape) == 1 else "as float32"

"""A profile as one file: a zip of JSON, one block of arrays, and Arrow tables. No pickle.

    magic.txt      "undertow profile 1"
    profile.json   schema, rows, source, digest, lenses, and every summary's state; an array stands
                   as {"$array": [offset, dtype, shape]}, a table as {"$table": n}
    arrays.bin     the arrays one after the other, little-endian
    table-N.arrow  Arrow IPC files

`docs/how_it_works.md` describes it for other readers. A version this code does not know is refused.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from undertow.core.errors import DataError, ProfileError, UndertowError
from undertow.core.lens import Lens
from undertow.core.profile import Key, Profile
from undertow.core.schema import Column, Schema
from undertow.core.summary import Summary

MAGIC = "undertow profile 1"
_DTYPES = frozenset({"<i8", "<u8", "<f8", "|b1", "<i4", "<i2", "<f4"})
_MOST_BYTES = 2**32


def is_profile(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a profile (of any version), by its first bytes."""
    try:
        with Path(path).open("rb") as file:
            return file.read(256).find(b"magic.txtundertow profile") > 0
    except (OSError, ValueError):
        return False


def to_bytes(profile: Profile) -> bytes:
    """Return the profile as the bytes of its file; the same profile gives the same bytes."""
    packer = _Packer()
    parts = [
        {"columns": list(columns), "tag": kind.tag, "state": packer.pack(part.state())}
        for (columns, kind), part in sorted(
            profile.parts.items(), key=lambda item: (item[0][0], item[0][1].tag)
        )
    ]
    lenses = [
        {"column": name, "tag": lens.tag, "state": packer.pack(lens.state())}
        for name, lens in sorted(profile.lenses.items())
    ]
    header = {
        "columns": [column.to_dict() for column in profile.schema],
        "rows": profile.rows,
        "source": profile.source,
        "digest": profile.digest,
        "plan": profile.plan_id,
        "parts": parts,
        "lenses": lenses,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_entry("magic.txt", zipfile.ZIP_STORED), MAGIC)
        archive.writestr(_entry("profile.json"), json.dumps(header, allow_nan=True))
        archive.writestr(_entry("arrays.bin"), b"".join(packer.blocks))
        for number, table in enumerate(packer.tables):
            archive.writestr(_entry(f"table-{number}.arrow"), table)
    return out.getvalue()


def from_bytes(
    content: bytes,
    source: str,
    summary: Callable[[str], type[Summary]],
    lenses: Mapping[str, type[Lens]],
) -> Profile:
    """Return the profile in a file's bytes; raise ProfileError where it is not a whole one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            magic = archive.read("magic.txt").decode("utf-8", "replace")
            _expect(magic, sum(info.file_size for info in archive.infolist()), source)
            header = json.loads(archive.read("profile.json"))
            unpack = _Unpacker(archive, archive.read("arrays.bin"))
            return _built(header, unpack, summary, lenses)
    except UndertowError:
        raise
    except Exception as error:  # whatever a damaged file breaks, it is one thing to the user
        what = str(error).split("\n")[0][:120] or type(error).__name__
        raise ProfileError(f"{source}: not a whole profile ({what}); make it again") from error


def _expect(magic: str, size: int, source: str) -> None:
    if magic != MAGIC:
        raise ProfileError(
            f"{source}: this is {magic[:40]!r}, and this undertow reads {MAGIC!r}; "
            "make the profile again"
        )
    if size > _MOST_BYTES:
        raise ProfileError(f"{source}: larger than any profile; it is damaged")


def _built(
    header: Mapping[str, Any],
    unpack: _Unpacker,
    summary: Callable[[str], type[Summary]],
    lenses: Mapping[str, type[Lens]],
) -> Profile:
    schema = Schema(tuple(Column.from_dict(row) for row in header["columns"]))
    parts: dict[Key, Summary] = {}
    for row in header["parts"]:
        kind = summary(str(row["tag"]))
        columns = tuple(str(name) for name in row["columns"])
        parts[columns, kind] = kind.restore(unpack(row["state"]))
    made = {
        str(row["column"]): lenses[str(row["tag"])].restore(unpack(row["state"]))
        for row in header["lenses"]
    }
    rows = int(header["rows"])
    if rows < 0:
        raise ValueError("fewer than no rows")
    digest = header["digest"]
    profile = Profile(
        schema, parts, rows, made, str(header["source"]), None if digest is None else str(digest)
    )
    if profile.plan_id != header["plan"]:
        raise ValueError("its plan is not the one it was saved with")
    return profile


class _Packer:
    """Take the arrays and tables out of a state, and leave where they went."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.tables: list[bytes] = []
        self._offset = 0

    def pack(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            block = np.ascontiguousarray(value)
            block = block.astype(block.dtype.newbyteorder("<"), copy=False)
            self.blocks.append(block.tobytes())
            place = [self._offset, block.dtype.str, list(block.shape)]
            self._offset += block.nbytes
            return {"$array": place}
        if isinstance(value, pa.Table):
            out = io.BytesIO()
            with pa.ipc.new_file(out, value.schema) as writer:
                writer.write_table(value.combine_chunks())
            self.tables.append(out.getvalue())
            return {"$table": len(self.tables) - 1}
        if isinstance(value, Mapping):
            return {key: self.pack(each) for key, each in value.items()}
        return value


class _Unpacker:
    """Put the arrays and tables back."""

    def __init__(self, archive: zipfile.ZipFile, arrays: bytes) -> None:
        self._archive = archive
        self._arrays = arrays

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "$array" in value:
            offset, dtype, shape = value["$array"]
            if dtype not in _DTYPES or any(int(side) < 0 for side in shape) or int(offset) < 0:
                raise ValueError("an array of no known form")
            count = math.prod(int(side) for side in shape)
            flat = np.frombuffer(self._arrays, np.dtype(dtype), count, int(offset))
            return flat.reshape(shape)
        if "$table" in value:
            content = self._archive.read(f"table-{int(value['$table'])}.arrow")
            table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
            table.validate(full=True)
            return table
        return {key: self(each) for key, each in value.items()}


def _entry(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # dated 1980: the same profile, the same bytes
    info.compress_type = method
    return info


def read(path: str | os.PathLike[str]) -> bytes:
    """Return a profile file's bytes; raise DataError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error

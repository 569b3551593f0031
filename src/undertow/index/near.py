"""What a search reads: the rows of a segment that have a vector, turned and cut, in one mapped file.

It is made of the record and can be deleted: it comes back when it is needed. Where many rows stand in
one segment, the file of a library stands beside it, made of this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.encode import Matrix
from undertow.core.errors import DataError
from undertow.core.index import Approximates, Hits
from undertow.index import durable, record
from undertow.index.versions import Segment
from undertow.stats.exact_search import Turned, exact, one_core, settled, turned
from undertow.stats.neighbours import unit

SEARCH = "search"
FORM = 1
EXACT = 100_000
"""Rows of a segment up to which all are looked at: some 5 ms of a processor (bench/index.py)."""
CANDIDATES = 4
"""Times k rows that a library is asked for; their cosines are then computed."""
LEAST_CANDIDATES = 40

Finder = Callable[[Matrix, int], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Near:
    """The rows of a segment that can be found: ids, which row of the record each is, and vectors."""

    ids: pa.Array
    rows: NDArray[np.int32]
    held: Turned
    finder: Finder | None = None

    def search(
        self, queries: Matrix, k: int, alive: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k nearest of each query (q, d) of length 1: places (q, k), and the cosines."""
        if self.finder is None:
            return exact(queries, self.held, k, alive=alive)
        ask = max(LEAST_CANDIDATES, CANDIDATES * k)
        places = np.full((len(queries), k), -1, np.int64)
        cosines = np.full((len(queries), k), np.nan, np.float32)
        with one_core():
            asked = self.held.query(queries)
            found = self.finder(asked, min(ask, len(self.rows)))
            for row, query in enumerate(asked):
                some = found[row]  # of a file that nobody holds against a digest
                some = some[(some >= 0) & (some < len(self.rows))]
                if alive is not None:
                    some = some[alive[some]]
                if len(some) < k:  # most of what the library found is gone
                    return exact(queries, self.held, k, alive=alive)
                places[row], cosines[row] = settled(query, self.held, some, k)
        return places, cosines


def nearest(
    parts: Sequence[tuple[Near, NDArray[np.bool_] | None]], queries: Matrix, k: int
) -> Hits:
    """Return the k nearest of each query (q, d) over all parts, each with the rows that are alive."""
    ids = np.full((len(queries), k), None, object)
    scores = np.full((len(queries), k), np.nan, np.float32)
    real = np.flatnonzero(queries.any(axis=1))
    if not parts or not len(real):
        return Hits(ids, scores)
    found = [rows.search(queries[real], k, alive) for rows, alive in parts]
    places, cosine = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
    order = np.argsort(np.where(np.isnan(cosine), np.inf, -cosine), axis=1, kind="stable")[:, :k]
    scores[real] = np.take_along_axis(cosine, order, axis=1)
    place, names = np.take_along_axis(places, order, axis=1), ids[real]
    for number, (rows, _) in enumerate(parts):
        here = (order // k == number) & (place >= 0)
        if here.any():
            names[here] = rows.ids.take(pa.array(place[here])).to_pylist()
    ids[real] = names
    return Hits(ids, scores)


def near_of(documents: record.Documents) -> Near:
    """Return what a search reads of documents."""
    found = np.flatnonzero(documents.found)
    rows = _unit(documents.vectors[found])
    ids = documents.ids if len(found) == len(documents) else documents.ids.take(pa.array(found))
    return Near(ids, found.astype(np.int32), turned(rows))


def _unit(rows: Matrix) -> Matrix:
    """Return rows of length 1, those included whose squares float32 cannot hold."""
    most = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    odd = ((most > 1e15) | (most < 1e-15)).any()
    return unit(np.asarray(rows / most, np.float32) if odd else rows)


def path_of(folder: Path, segment: Segment) -> Path:
    """Return where the file of a segment stands."""
    return folder / SEARCH / f"{segment.name}.arrow"


def open_near(folder: Path, segment: Segment) -> Near:
    """Return what a search reads of a segment: mapped, and made first where it is not there.

    Raises DataError where the record is gone or damaged.
    """
    path = path_of(folder, segment)
    found = _mapped(path, segment)
    if found is not None:
        return found
    made = near_of(record.read(folder, segment))
    with suppress(OSError):  # a folder that cannot be written: it stays in memory
        write_near(folder, segment, made)
    return made


def write_near(folder: Path, segment: Segment, near: Near) -> None:
    """Write the file of a segment; raise OSError where that fails."""
    held = near.held
    names = ["id", "row"]
    arrays = [near.ids, pa.array(near.rows)]
    for number, part in enumerate(held.parts):
        names.append(f"part{number}")
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), part.shape[1]))
    for number, rest in enumerate(held.rests):
        names.append(f"rest{number}")
        arrays.append(pa.array(rest))
    told = {"form": FORM, "digest": segment.digest, "parts": len(held.parts)}
    batch = pa.record_batch(arrays, names=names)
    about = {b"undertow": json.dumps(told).encode()}
    if held.turn is not None:
        about[b"turn"] = np.ascontiguousarray(held.turn, "<f4").tobytes()
    schema = batch.schema.with_metadata(about)
    with (
        durable.placed(path_of(folder, segment)) as file,
        pa.PythonFile(file, "w") as out,
        pa.ipc.new_file(out, schema) as writer,
    ):
        writer.write_batch(batch.cast(schema))


def _mapped(path: Path, segment: Segment) -> Near | None:
    """Return what a whole file holds, mapped; None where it has to be made again."""
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
            about = reader.schema.metadata or {}
            told = json.loads(about.get(b"undertow", b"{}"))
            if told.get("form") != FORM or told.get("digest") != segment.digest:
                return None
            batch = reader.get_batch(0)
            batch.validate()  # a damaged offset would end the process, and not in an error
            batch["id"].validate(full=True)
            parts = tuple(_matrix(batch[f"part{n}"]) for n in range(int(told["parts"])))
            rests = tuple(np.asarray(batch[f"rest{n}"]) for n in range(len(parts) - 1))
            d = sum(part.shape[1] for part in parts)
            turn = None
            if b"turn" in about:
                turn = np.frombuffer(about[b"turn"], "<f4").reshape(d, d)
            rows = np.asarray(batch["row"])
            if rows.dtype != np.int32 or ((rows < 0) | (rows >= segment.rows)).any():
                return None
            near = Near(batch["id"], rows, Turned(turn, parts, rests))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return near if len(near.rows) == segment.found else None


def _matrix(cells: pa.FixedSizeListArray) -> Matrix:
    return np.asarray(np.asarray(cells.values).reshape(len(cells), cells.type.list_size))


def library_path(folder: Path, segment: Segment, library: Approximates) -> Path:
    """Return where the file of a library stands."""
    return folder / SEARCH / f"{segment.name}.{library.name}"


def with_library(folder: Path, segment: Segment, near: Near, library: Approximates) -> Near:
    """Return a segment's rows with the finder of a library, whose file is made where it is not there."""
    path = library_path(folder, segment, library)
    if not path.exists():
        try:
            with durable.placed(path) as file:
                library.build(np.hstack(near.held.parts), file.write)
        except OSError:
            return near
    try:
        return Near(near.ids, near.rows, near.held, library.open(path))
    except DataError:  # a damaged copy of what the record holds: it is made again when next opened
        with suppress(OSError):
            path.unlink()
        return near

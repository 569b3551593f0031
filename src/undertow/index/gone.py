"""Which rows of its segments a version no longer holds: replaced since, in a small Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.index import durable
from undertow.index.versions import VERSIONS, Gone, Version

Dead = Mapping[str, NDArray[np.bool_]]
"""A row a document of the segment: True where the version does not hold it."""


def path_of(folder: Path, gone: Gone) -> Path:
    """Return where the file stands."""
    return folder / VERSIONS / f"{gone.name}.parquet"


def write(folder: Path, name: str, dead: Dead) -> Gone | None:
    """Write the rows that are gone, and return what a manifest says of it; None where none are."""
    rows = {segment: np.flatnonzero(each) for segment, each in dead.items() if each.any()}
    if not rows:
        return None
    table = pa.table(
        {
            "segment": pa.array(np.repeat(list(rows), [len(each) for each in rows.values()])),
            "row": pa.array(np.concatenate(list(rows.values())).astype(np.int32)),
        }
    )
    gone = Gone(f"{name}.gone", len(table), "")
    with durable.placed(path_of(folder, gone)) as file:
        pq.write_table(table, file, compression="zstd")
        digest = file.digest
    return Gone(gone.name, gone.rows, digest)


def read(folder: Path, version: Version) -> dict[str, NDArray[np.bool_]]:
    """Return the rows that are gone, by segment; raise DataError where the file is gone or damaged."""
    if version.gone is None:
        return {}
    path = path_of(folder, version.gone)
    try:
        table = pq.read_table(path)
        rows = np.asarray(table["row"])
        names = np.asarray(table["segment"].to_pylist(), dtype=object)
        made = {}
        for segment in version.segments:
            here = rows[names == segment.name]
            if len(here):
                made[segment.name] = np.zeros(segment.rows, np.bool_)
                made[segment.name][here] = True
    except (OSError, pa.ArrowException, KeyError, IndexError) as error:
        raise DataError(f"{path} is gone or damaged: roll back to a version without it") from error
    if len(rows) != version.gone.rows:
        raise DataError(f"{path} holds {len(rows):,} rows, and {version.gone.rows:,} were written")
    return made

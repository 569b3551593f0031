"""Near rows among very many, by faiss: an inverted file of quantised rows (extra `index`).

Rows are grouped by k-means and kept in 8 bits; a query looks into the nearest groups, and the index then
computes the cosines of what is found from the rows themselves. How many groups are looked into is
measured when the file is made. Measured beside usearch (bench/index.py): a twelfth of its time to
build, and the higher recall at 200,000 rows; usearch is three times faster a query.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.encode import Matrix
from undertow.core.errors import DataError, MissingExtra
from undertow.stats.neighbours import largest, one_thread

TRAINED = 64
"""Rows a group is fitted on; faiss itself asks for 39 to 256."""
ASKED = 128
NEAREST = 10
CANDIDATES = 40
ENOUGH = 0.995
"""Recall of rows of the index itself that is asked for; queries from outside reach about .985 then."""
LEAST = 32


def opened(*, wanted: bool = False) -> Faiss | None:
    """Return the library, or None where it is not installed; raise MissingExtra if it is `wanted`."""
    from importlib.util import find_spec

    if find_spec("faiss") is not None:
        return Faiss()
    if wanted:
        raise MissingExtra("index", "faiss-cpu", "an index of over 100,000 rows")
    return None


class Faiss:
    """faiss as an `Approximates`."""

    name = "faiss"

    @one_thread
    def build(self, rows: Matrix, write: Callable[[bytes], Any]) -> None:
        """Write the inverted file of rows (n, d) of length 1."""
        faiss = _faiss()
        n, d = rows.shape
        groups = max(1, math.isqrt(n))
        some = np.linspace(0, n - 1, min(n, TRAINED * groups)).astype(np.intp)
        made = faiss.index_factory(d, f"IVF{groups},SQ8", faiss.METRIC_INNER_PRODUCT)
        made.train(np.ascontiguousarray(rows[some]))
        made.add(np.ascontiguousarray(rows))
        made.nprobe = _probes(made, rows, groups)
        faiss.write_index(made, faiss.PyCallbackIOWriter(lambda block: write(bytes(block))))

    def open(self, path: Path) -> Callable[[Matrix, int], NDArray[np.int64]]:
        """Return what finds the places of near rows; the file is mapped, not read."""
        faiss = _faiss()
        try:
            held = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise DataError(f"{path} is damaged: delete it, and it is made again") from error

        def find(queries: Matrix, k: int) -> NDArray[np.int64]:
            return np.asarray(held.search(np.ascontiguousarray(queries), k)[1], np.int64)

        return find


def _probes(made: Any, rows: Matrix, groups: int) -> int:
    """Return into how many groups a query has to look."""
    asked = rows[np.linspace(0, len(rows) - 1, min(ASKED, len(rows))).astype(np.intp)]
    near = min(NEAREST, len(rows))
    truth = largest(asked @ rows.T, near)[0]
    probes = min(LEAST, groups)
    while probes < groups:
        made.nprobe = probes
        found = made.search(asked, min(CANDIDATES, len(rows)))[1]
        hits = [len(np.intersect1d(one, other)) for one, other in zip(found, truth, strict=True)]
        if sum(hits) >= ENOUGH * truth.size:
            break
        probes = min(groups, probes * 3 // 2)
    return probes


def _faiss() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its wrappers deprecate themselves as they load
            import faiss
    except ImportError:
        raise MissingExtra("index", "faiss-cpu", "an index of over 100,000 rows") from None
    faiss.omp_set_num_threads(1)
    return faiss

"""One pass over vectors, beside the one matrix product it needs, in CPU seconds of one thread.

python bench/vector_pass.py [ROWS] [DIMENSIONS]      1,000,000 x 384 float32 by default

The pass is what `check` does with a batch of a vector column: read it as a matrix, tell bad rows,
mean and second moment, the lens (norm, cosines, cluster) and cluster shares. The product is X^T X
over the same rows in the same batches, in float64 (what is kept) and in float32. Both are measured
in turns, batch by batch, so that a busy machine slows down both. Then: hashes and the row sample,
and how far two ways to cut up the rows differ.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from undertow.core.profile import Batch, Profile
from undertow.core.schema import Column, Kind, Schema
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.lenses.vector import Vector
from undertow.summaries.categories import Categories
from undertow.summaries.sample import RowSample
from undertow.summaries.vectors import Spread

BATCH = 65_536


def vectors(centres, rows, random):
    """Unit vectors around centres, as an encoder makes of texts."""
    d = centres.shape[1]
    homes = random.integers(0, len(centres), rows)
    made = random.standard_normal((rows, d), np.float32) * np.float32(1 / d**0.5)
    made += centres[homes]
    made /= np.sqrt(np.einsum("ij,ij->i", made, made))[:, None]
    return made


def column(rows):
    """The rows as Arrow holds them."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def spent(what):
    """Return what a call gives, and its CPU seconds."""
    start = time.process_time()
    made = what()
    return made, time.process_time() - start


def plan(random, centres):
    """A profile that remembers the spread of a vector and its cluster shares."""
    made = Column("v", Kind.VECTOR, arrow=str(column(centres).type))
    sample = column(vectors(centres, 4096, random))
    survey = Survey(4096, pa.table({"v": sample}), np.ones(4096, np.int64))
    lens = Vector.fit(survey, made)
    needs = ((("v",), Spread), (("v:cluster",), Categories))
    return made, Profile.plan(Schema((made,)), needs, survey, {"v": lens})


def main(rows, d):
    """Measure both in turns."""
    random = np.random.default_rng(0)
    centres = vectors(np.zeros((150, d), np.float32), 150, random)
    kind, profile = plan(random, centres)
    cost = dict.fromkeys(("pass", "spread", "lens", "float64", "float32", "sample"), 0.0)
    sample, first, held = RowSample.fit(None, kind), None, 0
    for start in range(0, rows, BATCH):
        block = vectors(centres, min(BATCH, rows - start), random)
        cells = column(block)
        wide = block.astype(np.float64)
        _, took = spent(lambda wide=wide: wide.T @ wide)
        cost["float64"] += took
        del wide
        _, took = spent(lambda block=block: block.T @ block)
        cost["float32"] += took
        batch, before = pa.record_batch([cells], names=["v"]), profile
        profile, took = spent(lambda batch=batch, before=before: before.observe(batch))
        cost["pass"] += took
        seen = Batch(profile, batch)["v"]
        empty, lens = profile.get(Spread, "v").empty(), profile.lenses["v"]
        _, took = spent(lambda seen=seen, empty=empty: empty.observe(seen))
        cost["spread"] += took
        _, took = spent(lambda seen=seen, lens=lens: lens(seen))
        cost["lens"] += took
        rest = Values(kind, cells)
        sample, took = spent(lambda rest=rest, sample=sample: sample.observe(rest))
        cost["sample"] += took
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        first = held if start <= 2 * BATCH else first
    print(f"{rows:,} x {d} float32, CPU seconds")
    for name, seconds in cost.items():
        print(f"  {name:8} {seconds:7.2f}")
    print(f"  pass / float64 product {cost['pass'] / cost['float64']:.2f}")
    print(f"  pass / float32 product {cost['pass'] / cost['float32']:.2f}")
    print(
        f"  memory after the third batch {first / 1024:,.0f} MiB, after the last {held / 1024:,.0f}"
    )
    _differ(d, random, centres)


def _differ(d, random, centres):
    """Print how far the sums of two ways to cut up the same rows lie apart."""
    rows = vectors(centres, 20_000, random)
    kind = Column("v", Kind.VECTOR)
    whole = Spread(d).observe(Values(kind, column(rows)))
    cuts = np.unique(random.integers(0, len(rows), 40))
    parts = [Spread(d).observe(Values(kind, column(part))) for part in np.split(rows, cuts)]
    folded = sum(parts[1:], parts[0])
    apart = np.abs(whole.products - folded.products).max() / np.abs(whole.products).max()
    print(
        f"  second moment, whole against 41 parts: {apart:.1e} of the largest; equal: {whole == folded}"
    )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    with threadpool_limits(1):
        main(*given, *(1_000_000, 384)[len(given) :])

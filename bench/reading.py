"""What reading costs: CPU seconds and peak memory over import, undertow beside pyarrow.

    python bench/reading.py [--rows 1000000 10000000] [--repeat 5]

The baseline is what issue 2 measures by: pyarrow's read_table of the same columns, and
dictionary_encode of the strings. Each measurement runs in a process of its own; the median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

CARDINALITIES = (2, 5, 20, 50, 200, 1000, 2000, 20, 50, 500)
STEP = 1_000_000


def table(rows: int, seed: int) -> pa.Table:
    chance = np.random.default_rng(seed)
    columns = {f"f{i}": chance.normal(i, 1 + i, rows) for i in range(10)}
    for i, count in enumerate(CARDINALITIES):
        codes = pa.array(chance.integers(0, count, rows).astype("int32"))
        words = pa.array([f"word{w}" for w in range(count)])
        columns[f"s{i}"] = pa.DictionaryArray.from_arrays(codes, words).cast(pa.string())
    return pa.table(columns)


def write(path: Path, rows: int, group: int) -> None:
    pieces = [(seed, min(STEP, rows - seed * STEP)) for seed in range(-(-rows // STEP))]
    if group >= rows and path.suffix == ".parquet":
        pq.write_table(pa.concat_tables(table(n, s) for s, n in pieces), path, row_group_size=group)
        return
    schema = table(1, 0).schema
    csv = path.suffix == ".csv"
    with pacsv.CSVWriter(path, schema) if csv else pq.ParquetWriter(path, schema) as writer:
        for seed, count in pieces:
            writer.write_table(table(count, seed), *([] if csv else [group]))


MEASURE = """
import json, sys, time
import numpy, pyarrow as pa, pyarrow.compute, pyarrow.csv, pyarrow.parquet as pq
from undertow.sources import open_dataset

def memory(key):
    line = next(line for line in open("/proc/self/status") if line.startswith(key))
    return int(line.split()[1]) / 1024

how, path = sys.argv[1:3]
before, start = memory("VmRSS"), time.process_time()
if how == "pyarrow":
    read = pq.read_table(path) if path.endswith("parquet") else pyarrow.csv.read_csv(path)
    for column in read.columns:
        if pa.types.is_string(column.type):
            column.dictionary_encode()
    rows = read.num_rows
elif how == "encoded":
    rows = 0
    for batch in open_dataset(path).batches():
        rows += batch.num_rows
        for column in batch.columns:
            if pa.types.is_string(column.type):
                column.dictionary_encode()
else:
    rows = sum(batch.num_rows for batch in open_dataset(path).batches())
cpu = time.process_time() - start
print(json.dumps([rows, cpu, memory("VmHWM") - before]))
"""


def measure(how: str, path: Path, repeat: int) -> tuple[int, float, float]:
    runs = []
    for _ in range(repeat):
        command = [sys.executable, "-c", MEASURE, how, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout))
    return runs[0][0], *(statistics.median(run[i] for run in runs) for i in (1, 2))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, nargs="+", default=[STEP])
    options.add_argument("--repeat", type=int, default=5)
    chosen = options.parse_args()
    print("| file | through | rows | CPU s | peak MB over import |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for rows in chosen.rows:
            shapes = [
                ("one row group", "one.parquet", rows),
                ("groups of 100k", "many.parquet", 100_000),
            ]
            if rows <= STEP:
                shapes.append(("CSV", "a.csv", rows))
            for shape, name, group in shapes:
                path = Path(folder, name)
                write(path, rows, group)
                hows = ["pyarrow"] if rows <= STEP else []
                for how in [*hows, "undertow", "encoded"]:
                    read, cpu, peak = measure(how, path, chosen.repeat)
                    print(f"| {shape} | {how} | {read:,} | {cpu:.3f} | {peak:.0f} |", flush=True)
                path.unlink()


if __name__ == "__main__":
    main()

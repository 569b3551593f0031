"""What a check costs: CPU and memory at 1M and 10M rows x 20 columns, against plain reading.

    python bench/cost.py [--rows 1000000] [--folder DIR] [--repeat 3]

The floor reads the same columns of both sides with pyarrow and dictionary-encodes the strings, in the
same run on the same machine. Each figure is of a fresh process; imports are not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_PREAMBLE = """
import json, sys, time
def begin():
    global rss, cpu
    rss = peak()
    cpu = time.process_time()
def peak():
    # not ru_maxrss, which a process inherits from the one that started it
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0])
def end():
    print(json.dumps({"cpu": time.process_time() - cpu, "mb": (peak() - rss) / 1024}), file=sys.stderr)
"""

FLOOR = (
    _PREAMBLE
    + """
import pyarrow as pa, pyarrow.parquet as pq
begin()
for path in sys.argv[1:3]:
    table = pq.read_table(path, use_threads=False)
    for name in table.column_names:
        if pa.types.is_string(table.schema.field(name).type):
            table.column(name).dictionary_encode()
    del table
end()
"""
)

CHECK = (
    _PREAMBLE
    + """
import undertow.loop, undertow.plugins, undertow.surfaces.json
import pyarrow.parquet, pyarrow.compute
undertow.plugins.checks()
begin()
report = undertow.loop.Loop().check(sys.argv[1], sys.argv[2])
text = report.to_json()
end()
"""
)

PROFILE = (
    _PREAMBLE
    + """
import undertow.loop, undertow.plugins, undertow.surfaces.json
undertow.plugins.checks()
reference = undertow.opening.load(sys.argv[1])
begin()
undertow.loop.Loop().check(reference, sys.argv[2]).to_json()
end()
"""
)

SAVE = """
import sys, undertow.loop, undertow.opening
undertow.opening.save(undertow.loop.Loop().profile(sys.argv[1]), sys.argv[2])
"""


def write(path: Path, rows: int, seed: int) -> None:
    """Write 10 float and 10 string columns, the strings of 2 to 1,000 distinct values."""
    random = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, 250_000):
        n = min(250_000, rows - start)
        columns: dict[str, pa.Array] = {
            f"f{i}": pa.array(random.lognormal(size=n) if i % 2 else random.normal(size=n))
            for i in range(10)
        }
        for i, distinct in enumerate((2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)):
            words = pa.array([f"value {k}" for k in range(distinct)])
            columns[f"s{i}"] = words.take(pa.array(random.integers(0, distinct, n)))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def run(code: str, *args: str, repeat: int) -> dict[str, float]:
    """Return the median CPU seconds and megabytes of fresh processes."""
    got = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, "-c", code, *args], capture_output=True, text=True, check=True
        )
        got.append(json.loads(done.stderr.strip().splitlines()[-1]))
    return {key: statistics.median(each[key] for each in got) for key in got[0]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    sides = [args.folder / f"{name}-{args.rows}.parquet" for name in ("reference", "current")]
    for seed, path in enumerate(sides):
        if not path.exists():
            write(path, args.rows, seed)
    paths = [str(path) for path in sides]
    floor = run(FLOOR, *paths, repeat=args.repeat)
    check = run(CHECK, *paths, repeat=args.repeat)
    saved = args.folder / f"reference-{args.rows}.profile"
    subprocess.run([sys.executable, "-c", SAVE, paths[0], str(saved)], check=True)
    again = run(PROFILE, str(saved), paths[1], repeat=args.repeat)
    print(f"{args.rows:,} rows x 20 columns, both sides, median of {args.repeat} fresh processes\n")
    print("| what | CPU s | times the floor | peak MB over import |")
    print("|---|---|---|---|")
    for name, got in (
        ("read + dictionary-encode (floor)", floor),
        ("undertow check", check),
        ("undertow check, saved reference", again),
    ):
        print(f"| {name} | {got['cpu']:.2f} | {got['cpu'] / floor['cpu']:.2f} | {got['mb']:.0f} |")
    print(f"\nsaved profile: {saved.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

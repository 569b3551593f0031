"""An index of 50,000 vectors: what a search, a switch and a rollback take, and what each library would.

UNDERTOW_VECTORS=FOLDER python bench/index.py [ROWS]                the goals, at 50,000 rows by default
UNDERTOW_VECTORS=FOLDER python bench/index.py libraries [ROWS]      faiss beside usearch beside all rows
python bench/index.py kill [TIMES]                             kill -9 at random moments, and at steps

The folder holds clinc150_oos.fp32.npy and stackoverflow_titles.fp32.npy: 500 of their 43,700 vectors ask,
the others are the index, filled up with copies to which noise was added. CPU times are those of one
thread, and ratios are to a plain product with all rows on the same machine in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from undertow.adapters import ann
from undertow.index import near
from undertow.index.folder import create, open_index
from undertow.stats.exact_search import exact, one_core, turned
from undertow.stats.neighbours import one_thread, unit

VECTORS = Path(os.environ.get("UNDERTOW_VECTORS", "../shared/vectors"))
NAMES = ("clinc150_oos", "stackoverflow_titles")
ASKED, K = 500, 10


def vectors(count):
    random = np.random.default_rng(0)
    rows = unit(np.vstack([np.load(VECTORS / f"{name}.fp32.npy") for name in NAMES]))
    order = random.permutation(len(rows))
    queries, rows = rows[order[:ASKED]], rows[order[ASKED:]]
    more = rows[random.integers(0, len(rows), max(0, count - len(rows)))]
    noise = random.normal(size=more.shape).astype(np.float32) * (0.3 / np.sqrt(rows.shape[1]))
    rows = np.vstack([rows, unit(more + noise)])
    return rows[random.permutation(len(rows))[:count]], queries


@one_thread
def nearest(queries, rows):
    """Return the true neighbours, by one plain product after the other."""
    return np.vstack([np.argsort(-(rows @ each), kind="stable")[:K] for each in queries])


def timed(work, queries, warm=20):
    """Return what each query found, and the CPU and wall times of one each, in ms."""
    for each in queries[:warm]:
        work(each)
    found, cpu, wall = [], [], []
    for each in queries:
        began, spent = time.perf_counter(), time.thread_time()
        found.append(work(each))
        cpu.append(1e3 * (time.thread_time() - spent))
        wall.append(1e3 * (time.perf_counter() - began))
    return np.array(found), np.array(cpu), np.array(wall)


def plain(rows):
    def work(query):
        cosine = rows @ query
        some = np.argpartition(cosine, len(rows) - K)[len(rows) - K :]
        return some[np.argsort(-cosine[some])]

    return work


def recall(found, truth):
    return np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), truth, strict=True)])


def line(name, cpu, wall, base, told=""):
    half, most = np.percentile(cpu, [50, 95])
    late = np.percentile(wall, 95)
    print(
        f"  {name:34s} CPU p50 {half:5.2f} ms ({half / base[0]:4.2f}), p95 {most:5.2f} ms "
        f"({most / base[1]:4.2f}); wall p50 {np.median(wall):5.2f}, p95 {late:5.2f} ms{told}",
        flush=True,
    )


def written():
    """Return how many bytes this process has handed to the disk."""
    try:
        told = Path("/proc/self/io").read_text().split()
    except OSError:
        return 0
    return int(told[told.index("wchar:") + 1])


def goals(count):
    rows, queries = vectors(count)
    truth = nearest(queries, rows).tolist()
    names = np.array([f"d{row}" for row in range(count)])
    print(f"{count:,} x {rows.shape[1]}, {len(queries)} queries, one at a time; (ratio to plain)")
    with tempfile.TemporaryDirectory() as place, one_core():
        folder = Path(place) / "index"
        index = create(folder, library=ann.opened())
        spent, began = time.process_time(), time.perf_counter()
        index.build(names.tolist(), rows, space="one")
        built = time.process_time() - spent, time.perf_counter() - began
        told, raw = index.stats(), rows.nbytes
        record, search = (told["bytes"][each] / raw for each in ("record", "search"))
        print(
            f"  build {built[0]:.2f} CPU s, {built[1]:.2f} s; record {record:.2f}, search files "
            f"{search:.2f} of the vectors' {raw / 1e6:.1f} MB; search: {told['search']}"
        )
        searches(folder, rows, queries, names[np.array(truth)].tolist())
        changes(folder, rows, queries)


def searches(folder, rows, queries, truth):
    _, cpu, wall = timed(plain(rows), queries)
    base = tuple(np.percentile(cpu, [50, 95]))
    line("plain product", cpu, wall, base)
    began, spent = time.perf_counter(), time.thread_time()
    index = open_index(folder, library=ann.opened())
    index.search(queries[0])
    took = 1e3 * (time.perf_counter() - began), 1e3 * (time.thread_time() - spent)
    print(f"  open and first search: {took[0]:.1f} ms, {took[1]:.1f} CPU ms")
    found, cpu, wall = timed(lambda each: index.search(each, K, space="one").ids[0], queries)
    kind = f"index ({index.stats()['search']})"
    line(kind, cpu, wall, base, f"; recall@10 {recall(found, truth):.4f}")
    spent = time.process_time()
    index.search(queries, K, space="one")
    each = 1e3 * (time.process_time() - spent) / len(queries)
    print(f"  {len(queries)} queries at once: {each:.2f} CPU ms each ({each / base[0]:.2f})")


def changes(folder, rows, queries):
    index = open_index(folder, library=ann.opened())
    before = index.search(queries[:200], K, space="one").ids
    bytes_, raw = written(), rows.nbytes
    index.add([f"d{row}" for row in range(10)], rows[:10] * -1, space="one")
    print(f"  add of 10 rows: {written() - bytes_:,} bytes written of {raw:,}")
    for name, other in (("switch", "v1"), ("rollback", "v2")):
        took, cost, spent = [], [], []
        for _ in range(50):
            index.switch(other)
            index.search(queries[0])
            bytes_, began, cpu = written(), time.perf_counter(), time.thread_time()
            index.switch("v2") if name == "switch" else index.rollback()
            took.append(1e3 * (time.perf_counter() - began))
            spent.append(1e3 * (time.thread_time() - cpu))
            cost.append(written() - bytes_)
            if name == "rollback":
                index.switch("v1")
        print(
            f"  {name:9s} wall p50 {np.median(took):.1f}, p95 {np.percentile(took, 95):.1f}, most "
            f"{max(took):.1f} ms; CPU p50 {np.median(spent):.2f} ms; at most {max(cost):,} bytes "
            f"written of {raw:,}"
        )
    index.switch("v1")
    same = (before == index.search(queries[:200], K, space="one").ids).all()
    print(f"  top 10 of 200 queries the same before and after: {bool(same)}")
    began, spent = time.perf_counter(), time.thread_time()
    index.switch("v2")
    index.search(queries[0])
    took = 1e3 * (time.perf_counter() - began), 1e3 * (time.thread_time() - spent)
    print(f"  switch, then one search: {took[0]:.1f} ms, {took[1]:.1f} CPU ms")


def libraries(count):
    rows, queries = vectors(count)
    queries = queries[:300]
    truth = nearest(queries, rows).tolist()
    with tempfile.TemporaryDirectory() as place, one_core():
        _, cpu, wall = timed(plain(rows), queries)
        base = tuple(np.percentile(cpu, [50, 95]))
        print(f"{count:,} x {rows.shape[1]}, {len(queries)} queries, one thread; (ratio to plain)")
        line("plain product", cpu, wall, base)
        spent = time.process_time()
        held = turned(rows)
        told = f"; build {time.process_time() - spent:.1f} CPU s"
        found, cpu, wall = timed(lambda each: exact(each[None], held, K)[0][0], queries)
        line(
            "all rows, turned and cut",
            cpu,
            wall,
            base,
            f"; recall {recall(found, truth):.4f}{told}",
        )
        for name, make in (("faiss", by_faiss), ("usearch", by_usearch)):
            for kind, build, open_ in make(rows):
                path = Path(place) / name
                spent = time.process_time()
                build(path)
                spent = time.process_time() - spent
                began = time.perf_counter()
                find = open_(path)
                opened = 1e3 * (time.perf_counter() - began)

                def work(each, find=find):
                    some = find(each)
                    some = some[some >= 0]
                    return some[np.argsort(-(rows[some] @ each))[:K]]

                found, cpu, wall = timed(work, queries)
                told = (
                    f"; recall {recall(found, truth):.4f}; build {spent:.1f} CPU s, "
                    f"{path.stat().st_size / 1e6:.1f} MB, opened in {opened:.1f} ms"
                )
                line(f"{name} {kind}", cpu, wall, base, told)


def by_faiss(rows):
    import faiss

    def ours(path):
        with path.open("wb") as file:
            ann.Faiss().build(rows, file.write)

    def opened(path):
        find = ann.Faiss().open(path)
        return lambda each: find(each[None], 40)[0]

    yield "IVF, 8 bits (ours)", ours, opened

    def graph(path):
        made = faiss.index_factory(rows.shape[1], "HNSW32,SQ8", faiss.METRIC_INNER_PRODUCT)
        made.train(rows[:20_000])
        made.add(rows)
        faiss.write_index(made, str(path))

    def graph_opened(path):
        held = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        faiss.ParameterSpace().set_index_parameter(held, "efSearch", 96)
        return lambda each: held.search(each[None], 40)[1][0]

    yield "HNSW32, 8 bits, ef 96", graph, graph_opened


def by_usearch(rows):
    from usearch.index import Index

    for kind in ("f16", "i8"):

        def build(path, kind=kind):
            made = Index(ndim=rows.shape[1], metric="cos", dtype=kind, expansion_add=64)
            made.add(np.arange(len(rows)), rows, threads=1)
            made.save(str(path))

        def opened(path):
            held = Index.restore(str(path), view=True)
            held.expansion_search = 128
            return lambda each: held.search(each, 40, threads=1).keys.astype(np.int64)

        yield f"HNSW16, {kind}, ef 128, mapped", build, opened


def kill(times):
    script = Path(__file__).parents[1] / "tests" / "stories" / "killed_index.py"
    for how, number in (("random", times), ("steps", 1)):
        with tempfile.TemporaryDirectory() as place:
            done = [sys.executable, str(script), str(Path(place) / "index"), how, str(number)]
            told = subprocess.run(done, capture_output=True, text=True, check=True).stdout
            print(f"kill -9, {how}: {told.strip()}", flush=True)


if __name__ == "__main__":
    what, *more = [*sys.argv[1:], ""]
    if what == "libraries":
        libraries(int(more[0] or 50_000))
    elif what == "kill":
        kill(int(more[0] or 200))
    else:
        near.EXACT = int(os.environ.get("UNDERTOW_EXACT", near.EXACT))
        goals(int(what or 50_000))

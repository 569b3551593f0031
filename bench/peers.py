"""The same files through undertow, Evidently, NannyML and plain scipy: alarms, power and cost.

    python bench/peers.py                                   everything (an hour on two cores)
    python bench/peers.py --what alarms --tools undertow    one part, one tool
    python bench/peers.py --show                            only print the tables of what is there

Run it with the Python that has undertow. Every other tool gets a virtual environment of its own,
made here under out/venvs, and runs through its public API with its defaults. Files are drawn once
with fixed seeds (bench/peers_data.py) and results are kept, both under out/bench/peers: a run that
was stopped goes on where it was, `--redo` measures the chosen tools anew. What a tool could not do
is counted and shown as an error.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / "out" / "venvs"
KEPT = ROOT / "out" / "bench" / "peers"

PACKAGES = {
    "evidently": ["evidently==0.7.23", "pandas<3", "pyarrow"],
    "nannyml": ["nannyml==0.13.1", "statsmodels", "pyarrow"],
    "scipy": ["scipy", "pandas", "pyarrow"],
}
TOOLS = ("undertow", "evidently", "nannyml", "scipy")
QUIET = {
    "DO_NOT_TRACK": "1",  # Evidently's telemetry
    "NML_DISABLE_USAGE_LOGGING": "1",  # NannyML's
    "PYTHONWARNINGS": "ignore",
}
PAIRS = {
    "alarms": {("alarms", rows): 10 for rows in (100, 500, 1000, 10_000)}
    | {("alarms", 100_000): 3},
    "power": {("twice", 300): 10, ("twice", 1000): 10, ("near", 100_000): 10},
}

# How each tool is asked, and how its answer is read. A function imports its tool and returns what
# compares two files: rule -> the columns that the rule flags, and a text, the tool's own JSON.

Answer = tuple[dict[str, list[str]], str]
Compare = Callable[[str, str], Answer]


def undertow() -> Compare:
    """The command line, called inside this process; a column's verdict is its gravest finding's."""
    import contextlib
    import io
    import tempfile

    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401 - imported before the clock starts, as for every tool

    import undertow.loop
    import undertow.plugins
    import undertow.surfaces.json
    from undertow.surfaces.cli import main
    from undertow.surfaces.quick import leave_pandas_out

    leave_pandas_out()  # as the command does in a process of its own

    undertow.plugins.checks()
    order = ["changed", "watch", "unknown", "steady"]

    def compare(reference: str, current: str) -> Answer:
        told = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(told):
            out = Path(folder) / "report.json"
            options = ["--json", str(out), "--quiet", "--fail-on", "never"]
            code = main(["check", reference, current, *options])
            if code not in (0, 3):
                raise RuntimeError(f"exit {code}: {told.getvalue().strip()}")
            text = out.read_text(encoding="utf-8")
        report = json.loads(text)
        said: dict[str, list[str]] = {each["name"]: [] for each in report["columns"]}
        for each in report["findings"]:
            if each["column"] in said:
                said[each["column"]].append(each["verdict"])
        words = {name: min(got, key=order.index, default="none") for name, got in said.items()}
        flags = {word: [c for c, w in words.items() if w == word] for word in [*order, "none"]}
        flags["report"] = [report["verdict"]]
        return flags, text

    return compare


def evidently() -> Compare:
    """The drift preset with its tests, which carry one verdict a column."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    def compare(reference: str, current: str) -> Answer:
        report = Report([DataDriftPreset()], include_tests=True)
        got = report.run(pd.read_parquet(current), pd.read_parquet(reference))
        text = got.json()
        flags: dict[str, list[str]] = {"drift": [], "report": []}
        for test in got.dict()["tests"]:
            if test["status"] == "SUCCESS":
                continue
            column = test["metric_config"]["params"].get("column")
            flags["drift" if column else "report"].append(column or test["status"])
        return flags, text

    return compare


def nannyml() -> Compare:
    """The univariate calculator, with its defaults and as its tutorial sets it up.

    It alerts on chunks (ten by default): `most` where more than half of a column's chunks alert,
    `any` where one does. The default, Jensen-Shannon, is also one of the tutorial's methods, and
    each method alerts by itself: so one run of the tutorial's answers for both.
    """
    import nannyml as nml
    import pandas as pd

    only = "jensen_shannon"
    ways = {"default": (only,), "tutorial": (only, "kolmogorov_smirnov", "chi2")}
    options: dict[str, list[str]] = {
        "continuous_methods": ["kolmogorov_smirnov", only],
        "categorical_methods": ["chi2", only],
    }
    if os.environ.get("PEERS_COST"):
        options = {}

    def compare(reference: str, current: str) -> Answer:
        a, b = pd.read_parquet(reference), pd.read_parquet(current)
        calculator = nml.UnivariateDriftCalculator(column_names=list(a.columns), **options)
        calculator.fit(a)
        results = calculator.calculate(b).filter(period="analysis").to_df()
        flags: dict[str, list[str]] = {}
        for way, methods in ways.items():
            shares: dict[str, float] = defaultdict(float)
            for column, method, part in results.columns:
                if part == "alert" and method in methods:
                    share = float(results[column, method, part].mean())
                    shares[column] = max(shares[column], share)
            flags[f"{way}, most"] = [c for c, share in shares.items() if share > 0.5]
            flags[f"{way}, any"] = [c for c, share in shares.items() if share > 0]
        return flags, results.to_json()

    return compare


def scipy() -> Compare:
    """Kolmogorov-Smirnov for numbers, chi-square for the rest, p < 0.05; and Holm's correction."""
    import numpy as np
    import pandas as pd
    from pandas.api.types import is_numeric_dtype
    from scipy.stats import chi2_contingency, ks_2samp

    def p_value(a: pd.Series, b: pd.Series) -> float:
        if is_numeric_dtype(a):
            return float(ks_2samp(a.dropna(), b.dropna()).pvalue)
        counts = pd.concat([a.value_counts(), b.value_counts()], axis=1).fillna(0)
        return float(chi2_contingency(counts.to_numpy().T).pvalue)

    def compare(reference: str, current: str) -> Answer:
        a, b = pd.read_parquet(reference), pd.read_parquet(current)
        p = {name: p_value(a[name], b[name]) for name in a.columns}
        ranked = sorted(p, key=p.__getitem__)
        passed = np.cumprod([p[name] < 0.05 / (len(p) - i) for i, name in enumerate(ranked)])
        flags = {
            "p<0.05": [name for name, value in p.items() if value < 0.05],
            "Holm": ranked[: int(passed.sum())],
        }
        return flags, json.dumps(p)

    return compare


# Cost: one fresh process a figure.


def evidently_preset() -> Compare:
    """The preset alone: no tests, JSON out."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    def compare(reference: str, current: str) -> Answer:
        report = Report([DataDriftPreset()])
        return {}, report.run(pd.read_parquet(current), pd.read_parquet(reference)).json()

    return compare


def floor() -> Compare:
    """Read both sides and dictionary-encode the strings: no tool can do with less."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def compare(reference: str, current: str) -> Answer:
        for path in (reference, current):
            table = pq.read_table(path, use_threads=False)
            for name in table.column_names:
                if pa.types.is_string(table.schema.field(name).type):
                    table.column(name).dictionary_encode()
        return {}, "{}"

    return compare


ASKED: dict[str, Callable[[], Compare]] = {
    f.__name__: f for f in (undertow, evidently, nannyml, scipy, evidently_preset, floor)
}


def worker(tool: str) -> None:
    """Answer the jobs of standard input, one JSON line each: two files in, a file out."""
    warnings.simplefilter("ignore")
    compare = ASKED[tool]()
    for line in sys.stdin:
        job = json.loads(line)
        before = _spent()
        result: dict[str, Any] = {}
        try:
            result["flags"], text = compare(job["reference"], job["current"])
            result["json_kb"] = len(text) / 1000
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its result
            traceback.print_exc()
            result["error"] = f"{type(error).__name__}: {error}"[:500]
        result |= {name: now - before[name] for name, now in _spent().items()}
        part = Path(job["out"] + ".part")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.rename(job["out"])


def _spent() -> dict[str, float]:
    """CPU seconds of this process and its children, seconds on the wall, peak megabytes so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    peak = used[0].ru_maxrss / 1024
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin at the peak of the process that started this one
        lines = status.read_text(encoding="ascii").splitlines()
        peak = next(int(each.split()[1]) / 1024 for each in lines if each.startswith("VmHWM"))
    return {"cpu": cpu, "wall": time.perf_counter(), "mb": peak}


# The driver. It imports nothing large.


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def python_of(tool: str) -> str:
    """Return the tool's own interpreter; make its environment the first time."""
    name = tool.partition("_")[0]
    if name not in PACKAGES:
        return sys.executable
    python = VENVS / name / "bin" / "python"
    done = VENVS / name / ".installed"
    if done.exists() and done.read_text(encoding="utf-8") == " ".join(PACKAGES[name]):
        return str(python)
    say(f"{name}: installing {' '.join(PACKAGES[name])} into {python.parent.parent} (once)")
    subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
    done.write_text(" ".join(PACKAGES[name]), encoding="utf-8")
    return str(python)


def run(tool: str, jobs: list[dict[str, str]], **environment: str) -> None:
    """Let one process of the tool do the jobs, and tell how far it is."""
    if not jobs:
        return
    worker = subprocess.Popen(
        [python_of(tool), str(Path(__file__).resolve()), "--worker", tool],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=(KEPT / f"{tool}.log").open("a", encoding="utf-8"),
        text=True,
        env=os.environ | QUIET | environment,
    )
    assert worker.stdin is not None
    worker.stdin.writelines(json.dumps(job) + "\n" for job in jobs)
    worker.stdin.close()
    told = time.monotonic()
    while worker.poll() is None:
        time.sleep(0.1)
        if time.monotonic() - told > 20:
            told = time.monotonic()
            say(f"  {tool}: {sum(Path(job['out']).exists() for job in jobs)} of {len(jobs)}")
    if worker.returncode:
        say(f"  {tool} ended with {worker.returncode}; see {tool}.log")


def measure(what: str, tools: Iterable[str], *, redo: bool, pairs: int | None) -> None:
    """Draw the files of a part and let each tool answer what it has not answered yet."""
    import peers_data

    cells = [(name, rows, i) for (name, rows), n in PAIRS[what].items() for i in range(pairs or n)]
    say(f"{what}: {len(cells)} pairs of files")
    files = [peers_data.write_pair(KEPT, *cell) for cell in cells]
    for tool in tools:
        jobs = []
        for (name, rows, i), (reference, current) in zip(cells, files, strict=True):
            out = KEPT / "results" / tool / f"{name}-{rows}-{i:02d}.json"
            out.parent.mkdir(parents=True, exist_ok=True)
            if redo:
                out.unlink(missing_ok=True)
            if not out.exists():
                sides = {"reference": str(reference), "current": str(current)}
                jobs.append({**sides, "out": str(out)})
        say(f"{what}: {tool}: {len(jobs)} of {len(cells)} pairs to do")
        run(tool, jobs)


COSTS = {
    "floor": ("read + dictionary-encode (pyarrow)", 5),
    "undertow": ("undertow check", 5),
    "scipy": ("scipy, KS and chi-square", 5),
    "nannyml": ("NannyML, default", 1),
    "evidently_preset": ("Evidently, DataDriftPreset", 1),
}


def cost(tools: Iterable[str], *, redo: bool) -> None:
    """One fresh process a figure, all over the files of bench/cost.py."""
    folder = ROOT / "out" / "bench"
    sides = [folder / f"{side}-1000000.parquet" for side in ("reference", "current")]
    for seed, path in enumerate(sides):
        if not path.exists():
            say(f"writing {path.name}")
            code = (
                f"import pathlib, cost; cost.write(pathlib.Path({str(path)!r}), 1_000_000, {seed})"
            )
            subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
    wanted = {"floor", *tools}
    for tool, (_, repeat) in COSTS.items():
        if tool.partition("_")[0] not in wanted:
            continue
        for i in range(repeat):
            out = KEPT / "results" / tool / f"cost-{i}.json"
            out.parent.mkdir(parents=True, exist_ok=True)
            if redo:
                out.unlink(missing_ok=True)
            if not out.exists():
                say(f"cost: {tool}, {i + 1} of {repeat}")
                job = {"reference": str(sides[0]), "current": str(sides[1]), "out": str(out)}
                run(tool, [job], PEERS_COST="1")


# The tables.

Line = tuple[str, str, tuple[str, ...]]
LINES: list[Line] = [
    ("undertow: `changed`", "undertow", ("changed",)),
    ("undertow: `changed` or `watch`", "undertow", ("changed", "watch")),
    ("undertow: `unknown`", "undertow", ("unknown", "none")),
    ("Evidently", "evidently", ("drift",)),
    ("NannyML default: most chunks", "nannyml", ("default, most",)),
    ("NannyML default: any chunk", "nannyml", ("default, any",)),
    ("NannyML tutorial: most chunks", "nannyml", ("tutorial, most",)),
    ("NannyML tutorial: any chunk", "nannyml", ("tutorial, any",)),
    ("scipy: p < 0.05", "scipy", ("p<0.05",)),
    ("scipy: p < 0.05, Holm", "scipy", ("Holm",)),
]


def results(tool: str, name: str, rows: int) -> list[dict[str, Any]]:
    found = sorted((KEPT / "results" / tool).glob(f"{name}-{rows}-*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def flagged(result: dict[str, Any], rules: tuple[str, ...]) -> list[str]:
    return [column for rule in rules for column in result["flags"].get(rule, [])]


def share(hits: int, of: int, errors: int = 0) -> str:
    if not of:
        return f"{errors} errors" if errors else "-"
    said = "0" if not hits else f"{100 * hits / of:.{1 if hits / of < 0.0995 else 0}f}%"
    return f"{said} ({errors} errors)" if errors else said


def table(title: str, heads: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
    heads = list(heads)
    print(f"\n**{title}**\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def show_alarms() -> None:
    """Share of columns and of reports flagged where nothing changed."""
    import peers_data

    sizes = [rows for _, rows in PAIRS["alarms"]]
    counts = {n: max((len(results(tool, "alarms", n)) for tool in TOOLS), default=0) for n in sizes}
    heads = ["rows a side", *(f"{n:,}" for n in sizes)]
    groups = {
        "numbers": lambda c: not c.startswith(("even", "Zipf")),
        "categories, 2-10": lambda c: c.startswith(("even", "Zipf")) and int(c.split()[1]) <= 10,
        "categories, 50-2,000": lambda c: c.startswith(("even", "Zipf")) and int(c.split()[1]) > 10,
    }

    def cells(line: Line, member: Callable[[str], bool]) -> Iterator[str]:
        yield line[0]
        of = sum(map(member, peers_data.ALARMS))
        for n in sizes:
            got = results(line[1], "alarms", n)
            good = [each for each in got if "flags" in each]
            hits = sum(sum(map(member, set(flagged(each, line[2])))) for each in good)
            yield share(hits, of * len(good), len(got) - len(good))

    def reports(line: Line) -> Iterator[str]:
        yield line[0]
        for n in sizes:
            got = results(line[1], "alarms", n)
            good = [each for each in got if "flags" in each]
            yield share(sum(bool(flagged(each, line[2])) for each in good), len(good))

    def own(label: str, tool: str, words: set[str]) -> Iterator[str]:
        yield label
        for n in sizes:
            good = [each for each in results(tool, "alarms", n) if "flags" in each]
            yield share(sum(bool(words & set(each["flags"]["report"])) for each in good), len(good))

    pairs = ["pairs", *(str(counts[n]) for n in sizes)]
    table(
        "No drift: share of the 20 columns flagged",
        heads,
        [pairs, *(cells(line, lambda _: True) for line in LINES)],
    )
    quiet = [line for line in LINES if "unknown" not in line[0]]
    table(
        "No drift: share of reports with at least one column flagged",
        heads,
        [
            *(reports(line) for line in quiet),
            own("undertow: report verdict `changed`", "undertow", {"changed"}),
            own("Evidently: its own dataset verdict", "evidently", {"FAIL"}),
        ],
    )
    for group, member in groups.items():
        of = sum(map(member, peers_data.ALARMS))
        table(
            f"No drift, {group} ({of} columns): share flagged",
            heads,
            (cells(line, member) for line in LINES),
        )


def show_power() -> None:
    """Share of planted changes flagged, case by case."""
    import peers_data

    heads = {
        "undertow `changed`": (("undertow", ("changed",)),),
        "or `watch`": (("undertow", ("changed", "watch")),),
        "`unknown`": (("undertow", ("unknown", "none")),),
        "Evidently": (("evidently", ("drift",)),),
        "NannyML default, most / any chunk": (
            ("nannyml", ("default, most",)),
            ("nannyml", ("default, any",)),
        ),
        "NannyML tutorial, most / any chunk": (
            ("nannyml", ("tutorial, most",)),
            ("nannyml", ("tutorial, any",)),
        ),
        "scipy p < 0.05": (("scipy", ("p<0.05",)),),
        "Holm": (("scipy", ("Holm",)),),
    }
    for name, rows in PAIRS["power"]:
        got = {tool: results(tool, name, rows) for tool in TOOLS}

        def line(case: str, got: dict[str, list[dict[str, Any]]] = got) -> Iterator[str]:
            yield case
            for parts in heads.values():
                said = []
                for tool, rules in parts:
                    good = [each for each in got[tool] if "flags" in each]
                    hits = sum(case in flagged(each, rules) for each in good)
                    said.append(share(hits, len(good), len(got[tool]) - len(good)))
                yield " / ".join(said)

        table(
            f"{rows:,} v {rows:,} rows, {max(map(len, got.values()))} pairs: share flagged",
            ["change", *heads],
            map(line, peers_data.SETS[name]),
        )


def show_cost() -> None:
    """CPU, memory and time of fresh processes over import."""
    figures = {}
    for tool in COSTS:
        paths = sorted((KEPT / "results" / tool).glob("cost-*.json"))
        got = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        errors = Counter(each["error"] for each in got if "error" in each)
        if errors:
            say(tool, dict(errors))
        good = [each for each in got if "error" not in each]
        if good:
            keys = ("cpu", "wall", "mb")
            figures[tool] = [statistics.median(each[key] for each in good) for key in keys]
            figures[tool].append(len(good))

    def ratio(tool: str, base: str) -> str:
        return f"{figures[tool][0] / figures[base][0]:.1f}" if base in figures else "-"

    table(
        "1,000,000 v 1,000,000 rows x 20 columns, Parquet to JSON",
        ["tool", "runs", "CPU s", "times reading", "times undertow", "wall s", "peak MB"],
        (
            [
                COSTS[tool][0],
                str(runs),
                f"{cpu:.2f}",
                ratio(tool, "floor"),
                ratio(tool, "undertow"),
                f"{wall:.1f}",
                f"{mb:.0f}",
            ]
            for tool, (cpu, wall, mb, runs) in figures.items()
        ),
    )


SHOW = {"alarms": show_alarms, "power": show_power, "cost": show_cost}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", nargs="+", choices=sorted(SHOW), default=list(SHOW))
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--pairs", type=int, help="so many pairs a cell")
    parser.add_argument("--redo", action="store_true", help="measure anew what is kept")
    parser.add_argument("--show", action="store_true", help="only print the tables")
    parser.add_argument("--worker", choices=sorted(ASKED), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    for what in options.what:
        if not options.show:
            if what == "cost":
                cost(options.tools, redo=options.redo)
            else:
                measure(what, options.tools, redo=options.redo, pairs=options.pairs)
        SHOW[what]()


if __name__ == "__main__":
    main()

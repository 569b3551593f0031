"""Hostile cells and column names are shown harmlessly in every form, and judged like any other."""

from __future__ import annotations

import json
import re
import xml.dom.minidom
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import undertow as ut
from undertow.surfaces.cli import main

ROWS = 120
NAMES = (
    "<script>alert(1)</script>", "<b onclick=x>", "<!-- x", "]]>", "&amp;", "\x1b[31mred\x1b[0m",
    "\x9b31m", "x\x1b]0;title\x07", "[/]", "[red]x[/red]", "[link=http://x]y", "\u202eevil", "a\0b",
    "new\nline", "crlf\r\nx", "tab\tx", "\x85", "\x7f", "\ufeffmark", "\u2028line", "a=b", "a: b",
    "train→val: x", "$array", "$table", "", " ", "*", "-", "--json", "x" * 5000, "select", '"q"',
    "'s'", "a`b", "|pipe|", "](http://evil)", "::error::x", "%0A::error::y", "{0}", "%s", "\\",
    "🙂", "e" + "\u0301" * 40, "c", "c:words", "drift.number", "cdf_gap", "# h1", "a,b", "NULL",
    "nan", "1", "__proto__", "../../etc/passwd", "A", "a", "ß", "=cmd|' /C calc'!A0",
)  # fmt: skip
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
FORMS = ("json", "html", "markdown", "junit")


def hostile(seed: int, shift: float) -> pa.Table:
    """Return a table whose names and cells are all hostile, numbers, categories and text in turn."""
    draw = np.random.default_rng(seed)
    few = NAMES[: 30 if shift else 20]
    made = []
    for place in range(len(NAMES)):
        if place % 3 == 0:
            made.append(pa.array(draw.normal(size=ROWS) + shift))
        elif place % 3 == 1:
            made.append(pa.array([few[spot] for spot in draw.integers(0, len(few), ROWS)]))
        else:
            picked = draw.integers(0, len(NAMES), (ROWS, 6))
            made.append(pa.array([" ".join(NAMES[spot] for spot in row) for row in picked]))
    return pa.table(made, names=list(NAMES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hostile reference and hostile current rows."""
    made = tmp_path_factory.mktemp("hostile")
    pq.write_table(hostile(1, 0.0), made / "before.parquet")
    pq.write_table(hostile(2, 1.0), made / "now.parquet")
    return made


def outputs(folder: Path, *command: str) -> dict[str, str]:
    """Run a command with every form of report and return what was written, by form."""
    options = [word for form in FORMS for word in (f"--{form}", str(folder / form))]
    assert main([*command, *options, "--github", "--all"]) == 1
    return {form: (folder / form).read_bytes().decode("utf-8") for form in FORMS}


@pytest.mark.parametrize("verb", ["check", "skew"])
def test_no_form_acts_on_what_a_name_or_a_cell_says(
    folder: Path, verb: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """No control reaches any output, pages hold no foreign tag, and XML and JSON are whole."""
    sides = [str(folder / "before.parquet"), str(folder / "now.parquet")]
    if verb == "skew":
        sides = [f"a\x1b[31m={sides[0]}", f"<b>={sides[1]}"]
    written = outputs(folder, verb, *sides)
    shown = capfd.readouterr()
    for form, text in {**written, "terminal": shown.out, "errors": shown.err}.items():
        assert ACTING.findall(text) == [], form
    for tag in ("<script>alert", "<b onclick", "<!-- x"):
        assert tag not in written["html"]
    xml.dom.minidom.parseString(written["junit"].encode())
    commands = [line for line in shown.out.splitlines() if line.startswith("::")]
    assert all(re.match("::(error|warning|notice) ", line) for line in commands)
    # Markdown may show markup, but only between backticks or behind a backslash.
    prose = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", written["markdown"])
    assert not re.search(r"(?<!\\)<(?!/?(sub|details|summary|br)\b)", prose)


def test_every_hostile_column_is_judged_and_every_finding_has_its_key(folder: Path) -> None:
    """Nothing is lost to a name: each column has findings, each finding a key of its own."""
    sides = [str(folder / "before.parquet"), str(folder / "now.parquet")]
    report = json.loads(outputs(folder, "check", *sides)["json"])
    assert {each["column"] for each in report["findings"]} >= set(NAMES)
    keys = [each["key"] for each in report["findings"]]
    assert len(keys) == len(set(keys))


def test_hostile_names_survive_a_schema_file_and_a_profile(folder: Path) -> None:
    """What a schema file or a profile says of a hostile column is read back as it was."""
    before, now = str(folder / "before.parquet"), str(folder / "now.parquet")
    schema, saved = str(folder / "schema.toml"), str(folder / "saved.profile")
    assert main(["schema", before, "-o", schema]) == 0
    assert main(["profile", before, "-o", saved, "--quiet"]) == 0
    reports = []
    for words in ([before, now], [before, now, "--schema", schema], [saved, now]):
        path = folder / "report.json"
        assert main(["check", *words, "--json", str(path), "--quiet"]) == 1
        findings = json.loads(path.read_text())["findings"]
        reports.append([(each["key"], each["verdict"], each["effect"]) for each in findings])
    assert reports[0] == reports[1] == reports[2]


def test_redact_leaves_no_row_to_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With --redact, no identifier and no free text of a single row is in any output."""
    for seed, name in enumerate(("before", "now")):
        draw = np.random.default_rng(seed)
        table = pa.table(
            {
                "id": [f"SECRETID{seed}x{row}" for row in range(600)],
                "mail": [f"SECRETMAIL{seed}x{row}@example.org" for row in range(600)],
                "note": [f"a note on SECRETCASE{seed}x{row} here" for row in range(600)],
                "number": draw.normal(size=600) + seed,
            }
        )
        pq.write_table(table, tmp_path / f"{name}.parquet")
    sides = [str(tmp_path / "before.parquet"), str(tmp_path / "now.parquet")]
    flags = ["--id", "id", "--text", "note"]
    open_text = "".join(outputs(tmp_path, "check", *sides, *flags).values())
    assert "SECRETID" in open_text + capfd.readouterr().out
    written = outputs(tmp_path, "check", *sides, *flags, "--redact")
    shown = capfd.readouterr()
    for text in (*written.values(), shown.out, shown.err):
        assert not re.search("SECRET(ID|MAIL|CASE)", text, re.IGNORECASE)


def test_a_megabyte_in_a_cell_or_in_a_name_makes_no_megabyte_of_report(tmp_path: Path) -> None:
    """Reports stay small whatever the cells hold."""
    long = "<script>" + "x" * 1_000_000
    before = pa.table({"c": ["ok"] * 300, "t": ["some words here"] * 300})
    now = pa.table({"c": ["ok", long] * 150, "t": [long + str(row) for row in range(3)] * 100})
    pq.write_table(before, tmp_path / "before.parquet")
    pq.write_table(now, tmp_path / "now.parquet")
    sides = [str(tmp_path / "before.parquet"), str(tmp_path / "now.parquet")]
    for form, text in outputs(tmp_path, "check", *sides).items():
        assert len(text) < 100_000, form
        assert "<script>xxx" not in text or form not in {"html", "junit"}


def test_a_column_named_as_what_a_lens_derives_keeps_its_own_verdict() -> None:
    """A number called "c:words" beside a text "c" is compared itself, and found to have moved."""

    def side(seed: int, shift: float) -> pa.Table:
        draw = np.random.default_rng(seed)
        texts = [" ".join(draw.choice(["alpha", "beta", "gamma"], 5)) for _ in range(1000)]
        return pa.table({"c": texts, "c:words": draw.normal(size=1000) * 5 + 100 + shift})

    report = ut.check(side(1, 0.0), side(2, 20.0), text="c")
    keys = [each.key for each in report.findings]
    assert len(keys) == len(set(keys))
    moved = [each for each in report.findings if each.column == "c:words" and each.effect]
    assert ut.Verdict.CHANGED in {each.verdict for each in moved}


@pytest.mark.parametrize("turned", [False, True])
def test_a_column_named_as_a_derived_one_on_one_side_only_is_no_drift(turned: bool) -> None:
    """What a lens derives is never compared with a column of the data that bears its name."""
    draw = np.random.default_rng(5)
    texts = [" ".join(draw.choice(["alpha", "beta", "gamma"], 5)) for _ in range(1000)]
    without, more = pa.table({"c": texts}), pa.table({"c": texts, "c:words": [7.0] * 1000})
    report = ut.check(*((more, without) if turned else (without, more)), text="c")
    measured = [each for each in report.findings if each.effect and each.column == "c:words"]
    assert all(each.verdict == ut.Verdict.STEADY for each in measured)
    assert bool([each for each in report.findings if "is gone" in each.says]) == turned

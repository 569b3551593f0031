"""The command line: exit codes, what goes to which stream, and one line for whatever goes wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shlex
import sys
import types
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from undertow.core.errors import DataError
from undertow.core.finding import Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Schema
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces import cli_check
from undertow.surfaces.cli import main

DOCS = Path(__file__).parents[2] / "docs"
SIZES = {
    "changed": (0.31, 0.27, 0.35, 1e-40),
    "watch": (0.12, 0.08, 0.16, 1e-9),
    "steady": (0.02, 0.0, 0.03, 0.5),
    "unknown": (0.2, 0.0, 0.4, 0.3),
}


def finding(verdict, number=0):
    """Return a finding of this verdict."""
    sizes = SIZES[verdict]
    effect = Effect("cdf_gap", *sizes[:3], tolerance=0.1, p_no_change=sizes[3])
    examples = ({"age": "secret"},)
    name = f"{verdict}{number}"
    return Finding("c", name, "says", effect, Rows(9, 9), column=name, examples=examples)


def report(*verdicts):
    """Return a report of findings with these verdicts."""
    found = [finding(verdict, number) for number, verdict in enumerate(verdicts)]
    return Report.of(Source("a.csv", 9, "d"), Source("b.csv", 9, "e"), found)


class Loop(types.ModuleType):
    """A loop that remembers how it was called and answers what the test wants."""

    def __init__(self):
        super().__init__("undertow.verbs.check")
        self.answer = report("changed", "steady")
        self.calls = []

    def _called(self, name, *args, **options):
        options.pop("progress", None)
        self.calls.append((name, args, options))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def check(self, reference, current=None, **options):
        return self._called("check", reference, current, **options)

    def skew(self, sets, **options):
        return self._called("skew", sets, **options)

    def profile(self, data, **options):
        self._called("profile", data, **options)
        return b"\x00profile"

    def save(self, profile, path):
        Path(path).write_bytes(profile)

    def infer_schema(self, data, **options):
        self._called("infer_schema", data, **options)
        return Schema((Column("größe", Kind.NUMBER),))


@pytest.fixture(autouse=True)
def loop(monkeypatch, tmp_path):
    """Stand in for the loop, in an empty folder, on 20 November 2026."""
    fake = Loop()
    for door in ("undertow.opening", "undertow.verbs.check", "undertow.verbs.profile"):
        monkeypatch.setitem(sys.modules, door, fake)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_check, "today", lambda: dt.date(2026, 11, 20))
    for name in ("UNDERTOW_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return fake


def one_line(text):
    """Return the only line of what a command said."""
    assert text.startswith("undertow: ")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return text.removeprefix("undertow: ").rstrip("\n")


CODES = [
    ([], (3, 3, 1, 3)),
    (["steady"], (0, 0, 0, 0)),
    (["unknown"], (3, 3, 1, 3)),
    (["unknown", "steady"], (0, 0, 1, 0)),
    (["watch", "unknown"], (0, 1, 1, 0)),
    (["changed", "unknown"], (1, 1, 1, 0)),
]


@pytest.mark.parametrize(("verdicts", "codes"), CODES)
def test_exit_codes(loop, capsys, verdicts, codes):
    """For every mix of verdicts and every --fail-on the exit code is the contract's."""
    loop.answer = report(*verdicts)
    found = [main(["check", "a", "b"])]
    assert found[0] == codes[0]
    for level, code in zip(("changed", "watch", "unknown", "never"), codes, strict=True):
        assert main(["check", "a", "b", "--fail-on", level]) == code
        assert main(["skew", "a=a", "b=b", "--fail-on", level]) == code
    capsys.readouterr()


def test_options_reach_the_loop(loop, capsys):
    """Every option arrives under the loop's name, columns with "=" whole, others left out."""
    words = """check a b --text t --text u --vector v --prediction p --score s --label l --time when
    --id key --segment g --ignore x --kind a=b=text --kind n=number --schema s.toml --where w
    --reference-where r --current-where c --tolerance a=b=0.05 --tolerance t=auto"""
    main(shlex.split(words))
    main(["check", "a", "--time", "when", "--tolerance", "auto"])
    main(["check", "a", "b", "--tolerance", ".2"])
    main(["check", "a", "b", "--tolerance", "c=.1", "--tolerance", ".2"])
    main(["skew", "x=a=1.csv", "y=b.csv", "--label", "l"])
    main(["profile", "a", "-o", "a.profile", "--like", "r.profile", "--where", "w"])
    main(["schema", "a", "--kind", "z=category"])
    columns = {name: (letter,) for name, letter in zip(
        ["vector", "prediction", "score", "label", "segment", "ignore"], "vpslgx", strict=True
    )}  # fmt: skip
    assert loop.calls == [
        ("check", ("a", "b"), columns | {
            "text": ("t", "u"), "time": "when", "id": "key",
            "kinds": {"a=b": "text", "n": "number"},
            "schema": "s.toml", "where": "w", "reference_where": "r", "current_where": "c",
            "tolerance": {"a=b": 0.05, "t": "auto"},
        }),
        ("check", ("a", None), {"time": "when", "tolerance": "auto"}),
        ("check", ("a", "b"), {"tolerance": 0.2}),
        ("check", ("a", "b"), {"tolerance": {"*": 0.2, "c": 0.1}}),
        ("skew", ({"x": "a=1.csv", "y": "b.csv"},), {"label": ("l",)}),
        ("profile", ("a",), {"like": "r.profile", "where": "w"}),
        ("infer_schema", ("a",), {"kinds": {"z": "category"}}),
    ]  # fmt: skip
    capsys.readouterr()


def test_json_on_standard_output_stands_alone(capsys):
    """With --json - standard output is JSON and nothing else; the report goes to standard error."""
    assert main(["check", "a", "b", "--json", "-", "--github"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] == "changed"
    assert "▲ changed" in told.err
    assert "::error " in told.err
    assert main(["check", "a", "b", "--json", "-", "--quiet"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] == "changed"
    assert told.err == ""


def test_files_are_written_and_the_report_still_printed(capsys):
    """Each form is written to its file, and the terminal says where and which exit code."""
    words = "check a b --json r.json --markdown r.md --junit r.xml --github --all"
    assert main(words.split()) == 1
    told = capsys.readouterr()
    assert told.err == ""
    assert "wrote r.json, r.md, r.xml; exit 1: this run fails" in told.out
    assert "::error title=undertow%3A changed::" in told.out
    assert json.loads(Path("r.json").read_text())["schema"] == 1
    assert ET.parse("r.xml").getroot().get("failures") == "1"
    assert "● steady" in Path("r.md").read_text()
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["r.json", "r.md", "r.xml"]


def test_redact_reaches_every_form(capsys):
    """Example rows are in the reports, and in none of them with --redact."""
    forms = ["check", "a", "b", "--json", "r.json", "--markdown", "r.md", "--all"]
    main(forms)
    told = [capsys.readouterr().out, Path("r.json").read_text(), Path("r.md").read_text()]
    assert all("secret" in each for each in told)
    main([*forms, "--redact"])
    told = [capsys.readouterr().out, Path("r.json").read_text(), Path("r.md").read_text()]
    assert not any("secret" in each for each in told)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("chek a b", "no command 'chek'; did you mean 'check'?"),
        ("check a b --txt c", "no option '--txt'; did you mean '--text'?"),
        ("check", "missing argument 'REFERENCE'"),
        ("check a", "nothing to compare a with"),
        ("check a b c", "unexpected extra argument"),
        ("check a b --fail-on red", "'red' is not one of"),
        ("check a b --json - --html -", "--html and --json are both standard output"),
        ("check a b --json r --html ./r", "--html and --json are both ./r"),
        ("check a b --json a", "--json and the data are both a"),
        ("check a b --json none/r", "there is no folder 'none'"),
        ("check a b --json .", "is a folder"),
        ("check a b --tolerance x", "not a number"),
        ("check a b --tolerance .1 --tolerance .2", "for all columns is given twice"),
        ("check a b --tolerance c=.1 --tolerance c=.2", "'c' is given twice"),
        ("check a b --kind c", "write it as COLUMN=KIND"),
        ("check a b --time c --time d", "--time takes one column"),
        ("check a b --accepted none.toml", "cannot read none.toml: no such file"),
        ("skew a=a.csv", "give two or more"),
        ("skew a.csv b.csv", "write a set as NAME=DATA"),
        ("skew a=x a=y", "two sets are named 'a'"),
        ("profile a", "missing option"),
        ("profile a -o a", "would overwrite"),
        ("schema a -o ./a", "would overwrite"),
        ("accept 5370f1f1ef --until 2026-11-19 --reason x", "2026-11-19 is past"),
        ("accept 5370f1f1ef --until soon --reason x", "'soon' is not a date"),
        ("accept age --until 2026-12-31 --reason x", "'age' is not the key of a finding"),
        ("accept 5370f1f1ef --until 2026-12-31 --reason ''", "a reason is missing"),
        ("demo --story none", "'none' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(loop, capsys, words, says):
    """Each mistake is one line on standard error that names it, before any row is read."""
    assert main(shlex.split(words)) == 2
    told = capsys.readouterr()
    assert says in one_line(told.err)
    assert told.out == ""
    assert loop.calls == []
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (DataError("x.csv: line\n3 is \x1b[2Jodd"), 2, "x.csv: line 3 is \ufffdodd"),
        (PermissionError(13, "Permission denied", "x.csv"), 2, "x.csv: permission denied"),
        (MemoryError(), 2, "out of memory"),
        (EOFError("early"), 2, "this is a bug in undertow, please report it: EOFError: early"),
        (
            ZeroDivisionError("a\nb"),
            2,
            "a bug in undertow, please report it: ZeroDivisionError: a b",
        ),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_whatever_happens_is_one_line(loop, capsys, error, code, says):
    """Data errors, bugs and Ctrl-C are one line, an exit code, no traceback and no file."""
    loop.answer = error
    assert main(["check", "a", "b", "--json", "r.json"]) == code
    told = capsys.readouterr()
    assert says in one_line(told.err)
    assert told.out == ""
    assert not list(Path.cwd().iterdir())


def test_a_traceback_only_for_who_asks(loop, capsys, monkeypatch):
    """UNDERTOW_DEBUG=1 shows the traceback, and the exit code stays."""
    monkeypatch.setenv("UNDERTOW_DEBUG", "1")
    loop.answer = ZeroDivisionError("x")
    assert main(["check", "a", "b"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_writes_nothing(capsys, monkeypatch):
    """Where a report cannot be written the run is exit 2, in one line, and leaves no file."""

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["check", "a", "b", "--json", "r.json"]) == 2
    assert "cannot write r.json: no space left on device" in one_line(capsys.readouterr().err)
    assert not list(Path.cwd().iterdir())


def test_accept_keeps_a_finding_from_failing_until_its_date(loop, capsys, monkeypatch):
    """An accepted finding is listed and exit 0; past its date one line names it, and exit 1."""
    key = loop.answer["changed0"].key
    assert main(["accept", key, "--until", "2026-12-31", "--reason", "known"]) == 0
    assert capsys.readouterr().out.startswith(f"{key} is accepted until 2026-12-31")
    assert main(["check", "a", "b"]) == 0
    told = capsys.readouterr()
    assert "accepted changed0, until 2026-12-31: known" in told.out
    assert told.err == ""
    monkeypatch.setattr(cli_check, "today", lambda: dt.date(2027, 1, 1))
    assert main(["check", "a", "b"]) == 1
    assert f"no longer accepted: {key} (until 2026-12-31: known)" in one_line(
        capsys.readouterr().err
    )


def test_unknowns_a_team_has_accepted_are_no_failure(loop, capsys):
    """A report of unknowns alone is exit 3, and exit 0 once each of them is accepted."""
    loop.answer = report("unknown", "unknown")
    for each, code in zip(loop.answer.findings, (3, 0), strict=True):
        main(["accept", each.key, "--until", "2026-12-31", "--reason", "few rows by design"])
        assert main(["check", "a", "b"]) == code
    capsys.readouterr()


def test_a_malformed_acceptance_file_is_one_line(capsys):
    """The file found by itself and the file named are both read strictly, before any row."""
    for name, more in [("undertow-accept.toml", []), ("mine.toml", ["--accepted", "mine.toml"])]:
        Path(name).write_text("[[accept]]\nkey = 1")
        assert main(["check", "a", "b", *more]) == 2
        assert one_line(capsys.readouterr().err).startswith(f"{name}: ")
        Path(name).unlink()


def test_profile_and_schema_are_written_whole(capsys):
    """A profile goes to its file or into a pipe, a schema is TOML on standard output or a file."""
    assert main(["profile", "a", "-o", "a.profile"]) == 0
    assert Path("a.profile").read_bytes() == b"\x00profile"
    assert main(["schema", "a", "-o", "s.toml"]) == 0
    assert 'name = "größe"' in Path("s.toml").read_text("utf-8")
    assert capsys.readouterr().out == ""
    assert main(["schema", "a"]) == 0
    assert capsys.readouterr().out == Path("s.toml").read_text("utf-8")
    assert main(["profile", "a", "-o", "-"]) == 0
    assert capsys.readouterr().out == "\x00profile"
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.profile", "s.toml"]


def test_demo_and_version_and_help(capsys, monkeypatch):
    """The demo gets its folder and story and gives the exit code; help and version are exit 0."""
    calls = []
    fake = types.ModuleType("undertow.surfaces.demo")
    fake.run = lambda folder, story: calls.append((folder, story))
    monkeypatch.setitem(sys.modules, "undertow.surfaces.demo", fake)
    assert main(["demo"]) == main(["demo", "--story", "feedback", "--out", "x"]) == 0
    assert calls == [("undertow-demo", "digits"), ("x", "feedback")]
    for words in (["version"], ["--version"]):
        assert main(words) == 0
        assert re.fullmatch(r"undertow \d+\.\d+\.\d+\n", capsys.readouterr().out)
    for words in ([], ["--help"], ["check", "-h"]):
        assert main(words) == 0
        assert capsys.readouterr().out.startswith("Usage: undertow")


def test_the_verdict_in_json_is_the_reports():
    """Exit code and JSON come from one report: they never disagree about what was found."""
    for verdict in Verdict:
        found = report(verdict.value)
        assert found.verdict is verdict
        assert cli_check.exit_code(found, verdict.value if verdict != "steady" else "unknown") == (
            0 if verdict is Verdict.STEADY else 1
        )

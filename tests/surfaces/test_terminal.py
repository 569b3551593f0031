"""The terminal report: read in five seconds, at any width, and safe whatever the data holds."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.finding import Acceptance, Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces.progress import console_for
from undertow.surfaces.terminal import counts, defused, headline, render, show

ROWS = Rows(10_000, 9_812)
PIECES = [
    "\x1b[2J",
    "\x1b]0;x\x07",
    "\u202e",
    "\x00",
    "\x9b1m",
    " ::",
    "##[",
    "漢" * 9,
    "e\u0301",
    "  ",
]
WILD = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(PIECES))).map("".join)


def finding(subject, says="moved", *, verdict=Verdict.CHANGED, **more):
    """Return a finding whose effect earns the verdict among few comparisons."""
    sizes = {
        Verdict.CHANGED: (0.31, 0.27, 0.35, 1e-40),
        Verdict.WATCH: (0.12, 0.08, 0.16, 1e-9),
        Verdict.STEADY: (0.02, 0.0, 0.03, 0.5),
        Verdict.UNKNOWN: (0.2, 0.0, 0.4, 0.3),
    }[verdict]
    effect = Effect("cdf_gap", *sizes[:3], tolerance=0.1, p_no_change=sizes[3])
    more.setdefault("rows", ROWS)
    return Finding("drift.number", subject, says, effect, column=subject, **more)


def report(*findings, **more):
    """Return a report of these findings on two files."""
    return Report.of(Source("train.csv", 10_000), Source("live.csv", 9_812), findings, **more)


def printed(found, environ=None, *, tty=False, encoding="utf-8", **more):
    """Return the bytes that show() writes to a stream of that encoding."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    stream.isatty = lambda: tty
    show(found, console_for(stream, environ or {}), **more)
    stream.flush()
    return raw.getvalue()


def test_the_first_line_is_a_sentence_to_repeat():
    """Each state of a report begins with its mark and one sentence of its own."""
    age = finding("age", "half were under 40, now under 52")
    watch = finding("pay", "median 3, now 4", verdict=Verdict.WATCH)
    unknown = finding("score", verdict=Verdict.UNKNOWN, rows=Rows(900, 30))
    steady = finding("tenure", verdict=Verdict.STEADY)
    known = [Acceptance(age.key, "2026-12-31", "launch")]
    told = "half were under 40, now under 52"
    for found, line in [
        (report(age, steady), f"▲ age changed: {told}"),
        (report(age, finding("zip"), steady), f"▲ age changed ({told}), and so did 1 more"),
        (report(watch), "◆ Nothing changed for certain, but watch pay: median 3, now 4"),
        (
            report(unknown, steady),
            "? No change found, but 1 of 2 could not be told: score (too few rows to tell: 30)",
        ),
        (report(unknown), "? Nothing could be told: score (too few rows to tell: 30)"),
        (report(steady), "● Steady: 1 comparison, none beyond its limit"),
        (
            report(age, steady).accepting(known),
            "● Steady: 1 comparison, none beyond its limit, apart from 1 accepted",
        ),
        (report(age).accepting(known), "● Nothing new: 1 finding known and accepted"),
        (report(), "? Nothing was compared, so nothing is known"),
    ]:
        assert render(found).splitlines()[0] == line


def test_the_order_is_findings_then_what_to_do_then_where_it_is():
    """Not steady first, steady counted, then accepted, do next, how to accept, files, exit code."""
    found = report(
        finding("age", next=("Look at age.",)),
        finding("pay", verdict=Verdict.WATCH, next=("Look at age.", "Look at pay.")),
        finding("tenure", verdict=Verdict.STEADY),
        finding("zip"),
        notes=("3 rows could not be read",),
    )
    found = found.accepting([Acceptance(found["zip"].key, "2026-12-31", "launch")])
    text = printed(found, written=["a.html", "b.json"], exit_code=1).decode()
    marks = [
        "train.csv (10,000 rows): 1 changed, 1 watch, 1 steady, 1 accepted",
        "  what ",
        "▲ changed  age",
        "◆ watch    pay",
        "1 steady (show with --all)",
        "▲ accepted zip, until 2026-12-31: launch",
        "Note     3 rows could not be read",
        "Do next  Look at age.",
        "         Look at pay.",
        f"Accept   undertow accept {found['age'].key} --until DATE --reason TEXT",
        "wrote a.html, b.json; exit 1: this run fails",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert text.count("Look at age.") == 1
    assert "tenure" not in text


def test_all_lists_what_is_steady_and_how_columns_were_read():
    """With all, steady findings, examples, columns and every key stand in the report."""
    found = report(
        finding("age", examples=({"age": "61"},)),
        finding("tenure", verdict=Verdict.STEADY),
        columns=[Column("age", Kind.NUMBER, why="int64")],
    )
    text = render(found, all=True)
    assert re.search(r"● steady   tenure +2% +10% .* moved by less than 3%", text)
    assert "for example age: 61" in text
    assert "Read as  age: number, feature (int64)" in text
    assert "--all" not in text


def test_the_limit_stands_beside_each_size_and_wide_lines_carry_the_interval():
    """A size is never shown without the tolerance it was held against."""
    found = report(finding("age"))
    assert re.search(r"▲ changed  age +31% +10% █+ +moved", render(found, width=80))
    assert re.search(r"31% \(27-35%\) +10% ", render(found, width=120))


def test_a_long_list_is_cut_and_counted():
    """Of 40 changed columns 25 are listed and 15 are counted; nothing vanishes unsaid."""
    text = render(report(*(finding(f"c{i:02}") for i in range(40))))
    assert text.count("▲ changed ") == 25
    assert "15 more changed (show with --all)" in text
    assert render(report(*(finding(f"c{i:02}") for i in range(40))), all=True).count("▲ ch") == 40


@settings(max_examples=150, deadline=None)
@given(WILD, WILD, WILD, st.integers(56, 160), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_no_text_of_the_data_acts(subject, says, other, width, encoding):
    """No control, escape or bidi character is printed, no line too wide or for a runner."""
    from rich.cells import cell_len

    found = report(
        finding(subject, says, next=(other,), examples=({other: says},)),
        finding(f"{subject}2", verdict=Verdict.UNKNOWN),
        notes=(other,),
        columns=[Column(subject, Kind.TEXT, why=says)],
    )
    found = found.accepting([Acceptance(found.findings[-1].key, "2026-12-31", other)])
    environ = {"COLUMNS": str(width)}
    text = printed(found, environ, encoding=encoding, all=True, written=[other]).decode(encoding)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text
    )
    assert "##[" not in text
    for line in text.split("\n"):
        assert not line.lstrip().startswith("::")
        # Taking a runner's command apart adds a character.
        assert cell_len(line) <= width + line.count(": :") + line.count("## [")


def test_a_megabyte_in_a_cell_is_cut():
    """A column name, a value and a source of a megabyte make a report of a few lines."""
    big = "x" * 1_000_000
    found = Report.of(Source(big, 1), Source(big, 1), [finding(big, big)], notes=(big,))
    assert len(render(found)) < 4_000


def test_markup_of_rich_is_not_read():
    """Text that looks like rich markup or an emoji code is printed as it is."""
    text = printed(report(finding("[/red]", "[bold]x[/bold] :smile: [/]")), {"FORCE_COLOR": "1"})
    assert b"[bold]x[/bold] :smile: [/]" in text
    assert b"[/red]" in text


@pytest.mark.parametrize(
    ("environ", "tty", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colour_only_where_it_is_wanted(environ, tty, colour):
    """A pipe, NO_COLOR and a dumb terminal get no escape at all; FORCE_COLOR gets colour."""
    written = printed(report(finding("age")), environ, tty=tty)
    assert (b"\x1b[" in written) is colour


@pytest.mark.parametrize("term", ["xterm", "xterm-256color", ""])
def test_colour_changes_no_word(term):
    """With the escapes taken out, the coloured report is the plain one."""
    found = report(finding("age"), finding("pay", verdict=Verdict.WATCH))
    plain = printed(found, {"COLUMNS": "90"})
    coloured = printed(found, {"COLUMNS": "90", "FORCE_COLOR": "1", "TERM": term})
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", coloured) == plain


def test_ascii_marks_where_the_stream_is_not_utf8():
    """A stream of ASCII gets marks, bars and arrows it can hold, and names escaped."""
    text = printed(report(finding("größe", "1 → 2 …")), encoding="ascii").decode("ascii")
    assert "! changed  gr\\xf6\\xdfe" in text
    assert "###" in text
    assert "1 -> 2 ..." in text


def test_columns_decides_the_width():
    """COLUMNS is honoured, nonsense in it is not, and a pipe has room for whole lines."""
    for given_, width in [("72", 72), ("5", 40), ("x", 120), ("", 120)]:
        assert console_for(io.StringIO(), {"COLUMNS": given_}).width == width


def test_an_exit_of_unknown_says_so():
    """The last line gives the meaning of the exit code."""
    for code, line in [(0, "exit 0"), (3, "exit 3: nothing could be told")]:
        assert printed(report(), exit_code=code).decode().splitlines()[-1] == line


def test_facts_have_no_size():
    """A column gone is told without a size, and its table has no heads for sizes."""
    fact = Finding("schema.columns", "age", "column 'age' is gone", verdict=Verdict.CHANGED)
    text = render(report(fact))
    assert re.search("▲ changed  age +column 'age' is gone", text)
    assert "moved" not in text


def test_counts_and_headline_are_for_every_door():
    """The sentence and the counts are plain text without a line break."""
    found = report(finding("a\nb", "c\nd"))
    assert headline(found) == "a b changed: c d"
    assert counts(found) == "1 changed"
    assert counts(report()) == "no findings"


def test_a_runner_command_is_taken_apart_only_where_it_is_one():
    """Two colons inside a sentence stay; at the start of a line they do not."""
    assert defused("a::b") == "a::b"
    assert defused("::error::x") == ": :error::x"

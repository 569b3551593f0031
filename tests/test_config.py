"""The TOML files people edit: what is written comes back, and what is wrong is one clear line."""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.config import (
    quoted,
    read_acceptances,
    read_schema,
    schema_toml,
    write_acceptance,
    write_file,
    write_schema,
)
from undertow.core.errors import DataError, UsageError
from undertow.core.finding import Acceptance
from undertow.core.schema import Column, Kind, Role, Schema

TODAY = dt.date(2026, 11, 20)
FIRST = Acceptance("5370f1f1ef", "2026-12-31", "price change of October")
SECOND = Acceptance("00aa11bb22", "2026-11-20", 'known "launch"')
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
COLUMNS = st.builds(
    Column, TEXT, st.sampled_from(Kind), st.sampled_from(Role), why=st.text(max_size=40)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(COLUMNS, min_size=1, max_size=6, unique_by=lambda column: column.name))
def test_any_schema_comes_back(tmp_path_factory, columns):
    """A schema of any column names, kinds, roles and reasons is read as it was written."""
    path = tmp_path_factory.mktemp("schema") / "schema.toml"
    write_schema(Schema(tuple(columns)), path)
    back = [(column.name, column.kind, column.role) for column in read_schema(path)]
    assert back == [(column.name, column.kind, column.role) for column in columns]


@settings(deadline=None)
@given(TEXT)
def test_quoted_text_is_one_line_of_plain_characters(text):
    """A quoted string comes back from the standard library's reader, and holds no line break."""
    line = quoted(text)
    assert tomllib.loads(f"x = {line}")["x"] == text
    assert len(line.splitlines()) == 1
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in line)


def test_half_a_character_cannot_be_written(tmp_path):
    """A lone surrogate is refused in one line, and no file is made."""
    path = tmp_path / "schema.toml"
    with pytest.raises(UsageError, match="lone surrogate"):
        write_schema(Schema((Column("a\ud800", Kind.NUMBER),)), path)
    assert not path.exists()


def test_columns_that_lenses_derive_are_not_written():
    """A derived column is no column of the data, so the schema file leaves it out."""
    derived = Column("text.length", Kind.NUMBER, origin="text")
    assert "length" not in schema_toml(Schema((Column("text", Kind.TEXT), derived)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no [[column]]"),
        ("name =", "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ("[column]\nname = 'a'", "two brackets"),
        ("column = [1]", "two brackets"),
        ("[[colum]]\nname = 'a'", "'colum'"),
        ("[[column]]\nkind = 'number'", "name is missing"),
        ("[[column]]\nname = 'a'", "kind is missing"),
        ("[[column]]\nname = 3\nkind = 'number'", "text in quotes"),
        ("[[column]]\nname = 'a'\nkind = 'numbr'", "did you mean 'number'"),
        ("[[column]]\nname = 'a'\nkind = 'number'\nrole = 'lable'", "did you mean 'label'"),
        ("[[column]]\nname = 'a'\nkind = 'number'\nroll = 'label'", "did you mean 'role'"),
        ("[[column]]\nname = 'a'\nkind = 'text'\n" * 2, "there twice"),
    ],
)
def test_a_wrong_schema_is_one_line_with_the_file(tmp_path, content, says):
    """Each mistake in a schema file names the file and the mistake."""
    path = tmp_path / "schema.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_schema(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_or_not_there_is_one_line(tmp_path):
    """Bytes that are no UTF-8, a missing file, a folder and a NUL in the name are told apart."""
    path = tmp_path / "schema.toml"
    path.write_bytes(b"\xff\xfe")
    for wrong, says in [
        (path, "not UTF-8"),
        (tmp_path / "none.toml", "no such file"),
        (tmp_path, "directory"),
        ("a\0b", "null"),
    ]:
        with pytest.raises(UsageError, match=says):
            read_schema(wrong)


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    """A schema saved by an editor that puts a mark in front is read."""
    path = tmp_path / "schema.toml"
    path.write_text("\ufeff[[column]]\nname = 'a'\nkind = 'text'")
    assert read_schema(path).names == ("a",)


def test_acceptances_keep_their_order_and_comments(tmp_path):
    """Writing adds at the end, renews in place, and keeps comments and the other entries."""
    path = tmp_path / "accept.toml"
    write_acceptance(path, FIRST)
    path.write_text(path.read_text() + "\n# agreed with Ana\n")
    write_acceptance(path, SECOND)
    renewed = Acceptance(FIRST.key, "2027-01-31", "again")
    write_acceptance(path, renewed)
    assert read_acceptances(path, TODAY) == ((renewed, SECOND), ())
    assert path.read_text().count("# agreed with Ana") == 1
    assert path.read_text().count("[[accept]]") == 2


def test_renewing_survives_a_header_inside_a_string(tmp_path):
    """A file whose text looks like a table where it is none is rewritten, and nothing is lost."""
    path = tmp_path / "accept.toml"
    tricky = Acceptance(SECOND.key, SECOND.until, "a\n[[accept]]\nb")
    path.write_text(
        f'[[accept]]\nkey = "{FIRST.key}"\nuntil = 2026-12-31\nreason = "x"\n'
        f'[[accept]]\nkey = "{SECOND.key}"\nuntil = "2026-11-20"\nreason = """a\n[[accept]]\nb"""\n'
    )
    write_acceptance(path, FIRST)
    assert read_acceptances(path, TODAY) == ((FIRST, tricky), ())


KEYS = st.text("0123456789abcdef", min_size=10, max_size=10)
DATES = st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)).map(dt.date.isoformat)
REASONS = TEXT.filter(str.strip)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Acceptance, KEYS, DATES, REASONS), min_size=1, max_size=5), st.data())
def test_any_acceptances_come_back(tmp_path_factory, listed, data):
    """After any writes the file holds the last entry of each key, in the order keys first came."""
    path = tmp_path_factory.mktemp("accept") / "accept.toml"
    again = data.draw(st.lists(st.sampled_from(listed), max_size=3))
    renewed = [Acceptance(each.key, each.until, "renewed") for each in again]
    for each in [*listed, *renewed]:
        write_acceptance(path, each)
    expected = {}
    for each in [*listed, *renewed]:
        expected[each.key] = each
    active, expired = read_acceptances(path, dt.date(1999, 1, 1))
    assert (active, expired) == (tuple(expected.values()), ())


def test_the_date_is_the_last_day(tmp_path):
    """An acceptance counts on its date, and is expired the day after."""
    path = tmp_path / "accept.toml"
    write_acceptance(path, SECOND)
    assert read_acceptances(path, TODAY) == ((SECOND,), ())
    assert read_acceptances(path, TODAY + dt.timedelta(1)) == ((), (SECOND,))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('until = "2026-12-31"\nreason = "x"', "key is missing"),
        ('key = "age"\nuntil = "2026-12-31"\nreason = "x"', "not the key of a finding"),
        ('key = "5370f1f1ef"\nuntil = "31.12.2026"\nreason = "x"', "not a date"),
        ('key = "5370f1f1ef"\nuntil = "20261231"\nreason = "x"', "not a date"),
        ('key = "5370f1f1ef"\nuntil = 2026-12-31T00:00:00\nreason = "x"', "text in quotes"),
        ('key = "5370f1f1ef"\nuntil = "2026-12-31"\nreason = " "', "a reason is missing"),
        ('key = "5370f1f1ef"\nuntil = "2026-12-31"\nreasn = "x"', "did you mean 'reason'"),
    ],
)
def test_a_wrong_acceptance_is_one_line(tmp_path, entry, says):
    """A mistake in an entry is named, and a wrong file is never overwritten by `accept`."""
    path = tmp_path / "accept.toml"
    path.write_text(f"[[accept]]\n{entry}\n")
    before = path.read_bytes()
    for act in (lambda: read_acceptances(path, TODAY), lambda: write_acceptance(path, FIRST)):
        with pytest.raises(UsageError, match=says):
            act()
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    """Where the disk is full the old report stays whole, and no temporary file is left."""
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"report\.json: no space left on device"):
        write_file(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "old"


def test_a_full_disk_for_real(tmp_path):
    """A process that may write 64 bytes to a file fails in one line and leaves no half file."""
    program = (
        "import sys; from undertow.config import write_file\n"
        "try: write_file(sys.argv[1], 'x' * 5000)\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "report.html")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot write" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_stopped_write_leaves_nothing(tmp_path, monkeypatch):
    """Ctrl-C in the middle of writing takes the temporary file away and goes on upwards."""

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "report.json", "new")
    assert not list(tmp_path.iterdir())


def test_links_and_modes_are_kept(tmp_path):
    """Writing through a link changes the file behind it, and a file keeps its permissions."""
    real = tmp_path / "real.json"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.json").symlink_to(real)
    write_file(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_what_is_no_file_is_written_straight():
    """A device such as /dev/null stays a device."""
    write_file("/dev/null", "gone")
    assert not Path("/dev/null").is_file()


def test_a_pipe_gets_the_whole_text():
    """/dev/stdout is written to and never renamed away, be it a pipe or a file."""
    program = "from undertow.config import write_file; write_file('/dev/stdout', 'whole')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"whole"


@pytest.mark.parametrize("wrong", ["none/report.json", ".", "a\0b"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, wrong):
    """A missing folder, a folder and a NUL are errors about the data, not tracebacks."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="cannot write"):
        write_file(wrong, "x")
    assert not list(tmp_path.iterdir())

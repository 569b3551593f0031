"""The two small TOML files people edit and keep in git: a schema, and the findings a team accepts.

Both are read with the standard library and written by a few lines here, so that any column name
comes back as it was. Files are written whole or not at all.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Acceptance
from undertow.core.schema import Column, Kind, Role, Schema

ACCEPTED = "undertow-accept.toml"
"""The file of accepted findings that `undertow check` reads where it stands in the folder."""

_ESCAPED = re.compile(
    r'["\\]|[^\x20-\x7e\xa0-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]'
)
_KEY = re.compile(r"[0-9a-f]{10}")


def read_schema(path: str | os.PathLike[str]) -> Schema:
    """Return the schema in a TOML file; raise UsageError where the file is not one.

    A column is a `[[column]]` table with `name`, `kind` and, where it is not a feature, `role`.
    """
    columns: list[Column] = []
    for row in _tables(path, "column", {"name", "kind", "role", "arrow"}):
        name = _text(path, "column", row, "name")
        if any(column.name == name for column in columns):
            raise UsageError(f"{path}: column {name!r} is there twice; leave one")
        _text(path, f"column {name!r}", row, "kind")
        try:
            columns.append(Column.from_dict({**row, "why": f"declared in {Path(path).name}"}))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
    if not columns:
        raise UsageError(f"{path}: no [[column]] in it; `undertow schema` writes a whole one")
    return Schema(tuple(columns))


def write_schema(schema: Schema, path: str | os.PathLike[str]) -> None:
    """Write the schema to a TOML file that `read_schema` reads and a person edits."""
    write_file(path, schema_toml(schema))


def schema_toml(schema: Schema) -> str:
    r"""Return the schema as TOML, why each column was read that way as a comment.

    >>> print(schema_toml(Schema((Column("age", Kind.NUMBER, why="float"),))).split("\n\n")[1])
    # float
    [[column]]
    name = "age"
    kind = "number"
    role = "feature"
    """
    head = [
        "# How undertow reads these columns. Edit it, then `undertow check --schema FILE`.",
        f"# kind: {', '.join(Kind)}",
        f"# role: {', '.join(Role)}",
    ]
    blocks = ["\n".join(head)]
    for column in schema:
        if column.origin:
            continue
        fields = {"name": column.name, "kind": column.kind.value, "role": column.role.value}
        blocks.append(_block("column", fields, comment=column.why))
    return "\n\n".join(blocks) + "\n"


def read_acceptances(
    path: str | os.PathLike[str], today: dt.date
) -> tuple[tuple[Acceptance, ...], tuple[Acceptance, ...]]:
    """Return the acceptances that count today and those that have expired, in the file's order.

    The date of an acceptance is its last day. Raises UsageError for a file it cannot read.
    """
    listed = [_acceptance(path, row) for row in _accepted(path)]
    active = tuple(each for each in listed if each.until >= today.isoformat())
    counted = {each.key for each in active}
    return active, tuple(each for each in listed if each not in active and each.key not in counted)


def write_acceptance(path: str | os.PathLike[str], acceptance: Acceptance) -> None:
    """Add an acceptance to the file, or renew the one of its key; the others stay as they are."""
    _valid(None, acceptance)
    fields = {"key": acceptance.key, "until": acceptance.until, "reason": acceptance.reason}
    block = _block("accept", fields)
    if not Path(path).exists():
        head = "# Findings the team knows about: listed still, and no longer failing the run."
        write_file(path, f"{head}\n\n{block}\n")
        return
    listed = [_acceptance(path, row) for row in _accepted(path)]
    if all(each.key != acceptance.key for each in listed):
        write_file(path, f"{_read(path).rstrip()}\n\n{block}\n".lstrip())
        return
    write_file(path, _renewed(_read(path), listed, acceptance, block))


def _renewed(text: str, listed: list[Acceptance], new: Acceptance, block: str) -> str:
    """Return the file's text with one entry replaced in place, comments kept where that is safe."""
    chunks = re.split(r"(?m)^(?=\[\[accept\]\])", text)
    parsed = [_only(chunk) for chunk in chunks[1:]]
    if parsed != [each.key for each in listed]:  # a header inside a string, or inline tables
        kept = [new if each.key == new.key else each for each in listed]
        unique = dict.fromkeys(kept)
        rows = ({"key": a.key, "until": a.until, "reason": a.reason} for a in unique)
        return "\n\n".join(_block("accept", row) for row in rows) + "\n"
    out, done = [chunks[0]], False
    for key, chunk in zip(parsed, chunks[1:], strict=True):
        if key != new.key:
            out.append(chunk)
        elif not done:
            after = re.search(r"(?:\s*^[ \t]*#.*$)*\s*\Z", chunk, re.MULTILINE)
            out.append(block + (chunk[after.start() :] if after else "\n"))
            done = True
    return "".join(out).rstrip() + "\n"


def _only(chunk: str) -> str | None:
    with contextlib.suppress(tomllib.TOMLDecodeError):
        rows = tomllib.loads(chunk).get("accept", [])
        if len(rows) == 1:
            return str(rows[0].get("key"))
    return None


def _accepted(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    return _tables(path, "accept", {"key", "until", "reason"})


def _acceptance(path: str | os.PathLike[str], row: Mapping[str, Any]) -> Acceptance:
    until = row.get("until")
    if isinstance(until, dt.date) and not isinstance(until, dt.datetime):
        row = {**row, "until": until.isoformat()}
    where = f"accept {row['key']!r}" if "key" in row else "accept"
    values = [_text(path, where, row, name) for name in ("key", "until", "reason")]
    return _valid(path, Acceptance(*values))


def _valid(path: str | os.PathLike[str] | None, acceptance: Acceptance) -> Acceptance:
    """Return the acceptance, or raise UsageError that says what is wrong with it."""
    at = "" if path is None else f"{path}: "
    if not _KEY.fullmatch(acceptance.key):
        hint = "keys are ten characters of 0-9 and a-f, as the report prints them"
        raise UsageError(f"{at}{acceptance.key!r} is not the key of a finding; {hint}")
    try:
        day = dt.date.fromisoformat(acceptance.until).isoformat()
    except ValueError:
        day = ""
    if day != acceptance.until:
        hint = "write it as year-month-day, for example 2027-01-31"
        raise UsageError(f"{at}{acceptance.until!r} is not a date; {hint}")
    if not acceptance.reason.strip():
        raise UsageError(f"{at}accept {acceptance.key!r}: a reason is missing; say why it is fine")
    return acceptance


def _tables(path: str | os.PathLike[str], name: str, fields: set[str]) -> list[dict[str, Any]]:
    """Return the `[[name]]` tables of a TOML file; anything else in it is an error."""
    try:
        whole = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: not valid TOML: nested too deeply") from None
    for other in whole:
        if other != name:
            raise UsageError(f"{path}: no {other!r} is known here; only [[{name}]] tables are")
    rows = whole.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path}: {name!r} must be [[{name}]] tables, with two brackets")
    for row in rows:
        for key in row:
            if key not in fields:
                hint = did_you_mean(key, sorted(fields))
                raise UsageError(f"{path}: a {name} has no {key!r}{hint}")
    return rows


def _text(path: str | os.PathLike[str], where: str, row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        raise UsageError(f'{path}: {where}: {name} is missing; add {name} = "..."')
    value = row[name]
    if not isinstance(value, str):
        raise UsageError(f"{path}: {where}: {name} must be text in quotes, not {value!r}")
    return value


def _read(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"cannot read {os.fspath(path)!r}: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {_why(error)}") from None


def _block(table: str, fields: Mapping[str, str], comment: str = "") -> str:
    lines = [f"{key} = {quoted(value)}" for key, value in fields.items()]
    shown = "".join(c if c.isprintable() else " " for c in comment[:200]).strip()
    return "\n".join([*([f"# {shown}"] if shown else []), f"[[{table}]]", *lines])


def quoted(text: str) -> str:
    r"""Return text as a TOML basic string on one line; raise UsageError for a lone surrogate.

    >>> print(quoted('a "b"\n\\'))
    "a \"b\"\u000A\\"
    """
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise UsageError(
            f"{text!r} cannot be written: half a character (a lone surrogate) is in it"
        )
    return '"' + _ESCAPED.sub(lambda found: _escape(found.group()), text) + '"'


def _escape(char: str) -> str:
    return f"\\{char}" if char in '"\\' else f"\\u{ord(char):04X}"


def write_file(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Write a file whole or not at all: to a temporary name beside it, then renamed.

    What is no regular file (a pipe, /dev/stdout) is written straight. Raises DataError, and nothing
    is left behind, where the disk is full or the folder cannot be written.
    """
    payload = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    try:
        _write(os.fspath(path), payload)
    except OSError as error:
        raise DataError(f"cannot write {path}: {_why(error)}; nothing was left there") from None
    except ValueError as error:  # a NUL in the name
        raise DataError(f"cannot write {os.fspath(path)!r}: {error}") from None


def _write(path: str, payload: bytes) -> None:
    mode = None
    with contextlib.suppress(FileNotFoundError):
        found = Path(path).stat().st_mode
        if stat.S_ISDIR(found):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found):
            with Path(path).open("wb") as pipe:
                pipe.write(payload)
            return
        mode = stat.S_IMODE(found)
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    temporary = Path(folder) / f".{name[:80]}.{secrets.token_hex(4)}.tmp"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()

"""Is an index on the disk what was written? Every file against its digest, every pointer's target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from undertow.core.errors import UndertowError
from undertow.index import bridges, durable, gone, leftovers, lock, near, record, versions, write
from undertow.index.versions import Segment, Version
from undertow.stats.neighbours import unit

NEAR = 1e-3
"""How far a coordinate of a row of length 1 may be from the record: rounding is a thousandth of it."""


@dataclass(frozen=True)
class Fault:
    """A file that is not what was written: what is wrong, in which versions, and which documents.

    One that is `made` of the record can be made again.
    """

    file: str
    says: str
    versions: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    made: bool = False


@dataclass(frozen=True)
class Checked:
    """What a check read, and what it found wrong; `leftovers` are files that no version names."""

    files: int
    versions: int
    faults: tuple[Fault, ...]
    leftovers: tuple[Path, ...]
    cut_off: str | None


def check(folder: Path) -> Checked:
    """Read every file of an index, and say what is wrong; nothing is changed."""
    faults: list[Fault] = []
    known: list[Version] = []
    there = versions.names(folder)
    for name in there:
        try:
            known.append(versions.read_version(folder, name))
        except UndertowError as error:
            faults.append(Fault(f"{versions.VERSIONS}/{name}.json", _after(error), (name,)))
    faults += _pointers(folder, there)
    users: dict[str, list[str]] = {}
    segments: dict[str, Segment] = {}
    for version in known:
        for each in version.segments:
            users.setdefault(each.name, []).append(version.name)
            segments[each.name] = each
    files = 2 + len(there)
    for name, each in segments.items():
        files += 1
        fault = _segment(folder, each, tuple(users[name]))
        if fault is not None:
            faults.append(fault)
        elif each.found:
            files += 1
            faults += _search(folder, each, tuple(users[name]))
    for version in known:
        if version.gone is not None:
            files += 1
            faults += _digested(
                gone.path_of(folder, version.gone), version.gone.digest, version.name
            )
    for path, digest in _named(folder):
        files += 1
        faults += _digested(path, digest, "")
    faults += _encoders(folder, known)
    still = {*versions.names(folder)}  # another process may have pruned while this one read
    faults = [each for each in faults if not each.versions or still & {*each.versions}]
    left = tuple(leftovers.unnamed(folder))
    return Checked(files, len(there), tuple(faults), left, lock.cut_off(folder))


def damaged(folder: Path, version: Version) -> Iterator[Fault]:
    """Yield the files of the record of one version that are not what was written."""
    for segment in version.segments:
        fault = _segment(folder, segment, (version.name,))
        if fault is not None:
            yield fault


def mend(folder: Path, found: Checked) -> list[str]:
    """Take away what a cut-off writer left, and what can be made again; return what was done.

    The mark of a cut-off writer goes where nothing that cannot be made again is damaged.
    """
    done = []
    with write.change(folder, "verify", quick=True):
        swept = leftovers.sweep(folder)
        if swept:
            done.append(f"{len(swept):,} leftover {'file' if len(swept) == 1 else 'files'} removed")
        for fault in found.faults:
            if fault.made:
                with suppress(OSError):
                    (folder / fault.file).unlink()
                    done.append(f"{fault.file} removed: it is made again from the record")
        if all(fault.made for fault in found.faults):
            lock.clear(folder)
    return done


def _pointers(folder: Path, there: tuple[str, ...]) -> Iterator[Fault]:
    try:
        pointer = versions.read_pointer(folder)
        if pointer.version not in there:
            yield Fault(versions.POINTER, f"points at {pointer.version}, which is not there")
    except UndertowError as error:
        yield Fault(versions.POINTER, _after(error))
    try:
        for tag, version in versions.read_tags(folder).items():
            if version not in there:
                yield Fault(versions.TAGS, f"tag {tag!r} names {version}, which is not there")
    except UndertowError as error:
        yield Fault(versions.TAGS, _after(error))


def _segment(folder: Path, segment: Segment, users: tuple[str, ...]) -> Fault | None:
    name = f"{record.SEGMENTS}/{segment.name}.parquet"
    try:
        if durable.digest_of(folder / name) == segment.digest:
            return None
    except OSError as error:
        return Fault(name, (error.strerror or str(error)).lower(), users)
    documents: tuple[str, ...] = ()
    says = "its bytes are not those that were written"
    try:
        table = record.columns(folder, segment, ["id", "text", "vector", "space", "digest"])
        rows = record.documents_of(table)
        odd = np.flatnonzero(rows.digests != np.asarray(table["digest"]))
        documents = tuple(rows.ids.take(odd.tolist()).to_pylist()) if len(odd) else ()
        if documents:
            says += f": {len(documents):,} of {segment.rows:,} documents are not what was stored"
    except (UndertowError, ValueError):
        says += ", and it cannot be read"
    return Fault(name, says, users, documents)


def _search(folder: Path, segment: Segment, users: tuple[str, ...]) -> Iterator[Fault]:
    """Compare what a search reads with the record it was made of; where it is not there, nothing is."""
    path = near.path_of(folder, segment)
    if not path.exists():
        return
    name = f"{near.SEARCH}/{path.name}"
    held = near.open_near(folder, segment)
    rows = record.read(folder, segment)
    place = np.flatnonzero(rows.found)
    fine = np.array_equal(held.rows, place) and held.ids.equals(rows.ids.take(place.tolist()))
    for start in range(0, len(place) if fine else 0, 16_384):
        some = slice(start, start + 16_384)
        turned = np.hstack([part[some] for part in held.held.parts])
        back = turned if held.held.turn is None else turned @ held.held.turn.T
        apart = np.abs(back - unit(rows.vectors[place[some]]))
        fine = fine and bool((apart < NEAR).all())
    if not fine:
        yield Fault(name, "what a search reads is not what the record holds", users, made=True)


def _named(folder: Path) -> Iterator[tuple[Path, str]]:
    """Return the files whose names are their digests."""
    for place in (leftovers.KEPT, bridges.BRIDGES):
        for path in sorted((folder / place).glob("[0-9a-f]*.npz")):
            yield path, path.stem


def _encoders(folder: Path, known: Sequence[Version]) -> Iterator[Fault]:
    """Say which files of encoders are not there; those that are have their digest for a name."""
    users: dict[str, list[str]] = {}
    for version in known:
        name = (version.encoder or {}).get("file")
        if name and not (folder / leftovers.KEPT / str(name)).exists():
            users.setdefault(str(name), []).append(version.name)
    for name, each in users.items():
        yield Fault(f"{leftovers.KEPT}/{name}", "no such file or directory", tuple(each))


def _digested(path: Path, digest: str, version: str) -> Iterator[Fault]:
    name = f"{path.parent.name}/{path.name}"
    used = (version,) if version else ()
    try:
        found = durable.digest_of(path, len(digest) // 2)
    except OSError as error:
        yield Fault(name, (error.strerror or str(error)).lower(), used)
        return
    if found != digest:
        yield Fault(name, "its bytes are not those that were written", used)


def _after(error: Exception) -> str:
    """Return what is wrong without the path before it, which stands beside it."""
    return str(error).split("json ", 1)[-1]

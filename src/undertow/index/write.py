"""How an index changes: under one lock, files first, the manifest next, the pointer last.

Whatever stops a change before the pointer has moved leaves the version that answered. What was written
by then is taken away at once, or by the next writer where the process died.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.errors import DataError, UsageError
from undertow.core.index import Approximates
from undertow.index import durable, gone, lock, near, record, versions
from undertow.index.leftovers import FOLDERS, KEPT, sweep
from undertow.index.record import Documents
from undertow.index.versions import Segment, Version

SEGMENTS_MOST = 8
"""Segments of a version, beyond which the small half of them is written as one: each costs a query
0.2 ms."""


def usable(folder: Path) -> None:
    """Raise UsageError where a folder can become no index: it is a file, or holds something else."""
    if (folder / versions.MARKER).exists():
        expect(folder)
    elif folder.exists():
        if not folder.is_dir():
            raise UsageError(f"{folder} is a file; an index is a folder")
        with durable.told(folder, "cannot read"):
            others = [each for each in folder.iterdir() if not each.name.endswith(durable.PART)]
            taken = any(each.name not in FOLDERS or any(each.iterdir()) for each in others)
        if taken:
            raise UsageError(f"{folder} holds other files and is no index: give a new folder")


def prepare(folder: Path) -> None:
    """Make the folders of an index; raise UsageError where something else is there."""
    usable(folder)
    with durable.told(folder, "cannot write to"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        if not (folder / versions.MARKER).exists():
            durable.put(
                folder / versions.MARKER,
                versions.sealed({"undertow_index": versions.FORMAT, "made": _now()}),
            )


def expect(folder: Path) -> None:
    """Raise UsageError where a folder is no index, DataError where it is damaged or newer."""
    if not folder.exists():
        raise UsageError(f"{folder}: no such folder; `undertow index build` makes an index")
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; an index is a folder")
    marker = folder / versions.MARKER
    if not marker.exists():
        raise UsageError(f"{folder} is no index (no {versions.MARKER} in it)")
    with durable.told(marker, "cannot read"):
        versions.opened(marker.read_bytes(), str(marker))


def checked(
    ids: Sequence[str],
    vectors: NDArray[np.floating],
    texts: Sequence[str | None] | None,
    space: str,
) -> Documents:
    """Return documents that can be kept; raise DataError for what cannot, with the first of it."""
    rows = np.asarray(vectors)
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise DataError(f"vectors of shape {rows.shape} and type {rows.dtype}: give (n, d) numbers")
    if not rows.shape[1]:
        raise DataError("vectors of no numbers")
    for name, others in (("ids", ids), ("texts", texts)):
        if others is not None and len(others) != len(rows):
            raise DataError(f"{len(rows):,} vectors and {len(others):,} {name}: give one each")
    names: list[str] = []
    for row, each in enumerate(ids):
        if isinstance(each, int | np.integer) and not isinstance(each, bool):
            names.append(str(each))
        elif not isinstance(each, str):
            what = "missing" if each is None else f"{each!r:.40}, of type {type(each).__name__}"
            raise DataError(f"the id of document {row + 1:,} is {what}: give text or an integer")
        elif not each.strip():
            raise DataError(f"the id of document {row + 1:,} is empty: give each one of its own")
        else:
            names.append(each)
    once(names)
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(rows, np.float32)
    return Documents.of(names, made, texts, space)


def once(names: Sequence[str]) -> None:
    """Raise DataError where an id is there twice, with the first of them."""
    seen, twice = set[str](), dict[str, None]()
    for each in names:
        if each in seen:
            twice[each] = None
        seen.add(each)
    if twice:
        shown = ", ".join(repr(each) for each in list(twice)[:5])
        more = f" and {len(twice) - 5:,} more" if len(twice) > 5 else ""
        raise DataError(
            f"{len(twice):,} of {len(seen):,} ids are there twice: {shown}{more}; keep one of each"
        )


@contextmanager
def change(
    folder: Path, what: str, *, quick: bool = False, library: Approximates | None = None
) -> Iterator[Change]:
    """Change an index under its lock; what a failed change wrote is taken away again.

    One that is `quick` moves a pointer only, and leaves leftovers of others alone.
    """
    with lock.writing(folder, what, durable_mark=not quick):
        made = Change(folder, library)
        try:
            if not quick:
                sweep(folder)
            yield made
        except BaseException as error:
            made.undo()
            if isinstance(error, OSError):
                why = (error.strerror or str(error) or type(error).__name__).lower()
                raise DataError(f"cannot write to {folder}: {why}; {_still(folder)}") from error
            raise


def _still(folder: Path) -> str:
    try:
        return f"{versions.read_pointer(folder).version} still answers, as it was"
    except DataError:
        return "nothing was left there"


class Change:
    """One change of an index: what it has written so far, to take it away where it fails."""

    def __init__(self, folder: Path, library: Approximates | None) -> None:
        """Take the folder, whose lock the caller holds, and what finds among very many rows."""
        self.folder = folder
        self.library = library
        self.made: list[Path] = []
        self.name = versions.following(versions.names(folder))

    def version(
        self,
        parent: Version | None,
        given: Documents,
        *,
        encoder: Mapping[str, Any] | None = None,
        id_kind: str = "text",
        files: Mapping[str, bytes] | None = None,
    ) -> Version:
        """Write the files of a version: the parent's documents, with these added or replaced."""
        segments: list[Segment] = []
        dead: dict[str, NDArray[np.bool_]] = {}
        if parent is not None:
            dead = self._replaced(parent, given)
            segments = [each for each in parent.segments if not _all(dead.get(each.name))]
            encoder, id_kind = parent.encoder, parent.ids
        for name, content in (files or {}).items():
            path = self.folder / KEPT / name
            if not path.exists():
                self.made.append(path)
                durable.put(path, content)
        if len(given):
            segments.append(self._segment(given))
        if len(segments) > SEGMENTS_MOST:
            segments = self._merged(segments, dead)
        dead = {each.name: dead[each.name] for each in segments if each.name in dead}
        self.made.append(self.folder / versions.VERSIONS / f"{self.name}.gone.parquet")
        lost = gone.write(self.folder, self.name, dead)
        return Version(
            name=self.name,
            parent=None if parent is None else parent.name,
            made=_now(),
            what="build" if parent is None else "add",
            dimension=given.vectors.shape[1],
            gone=lost,
            encoder=encoder,
            ids=id_kind,
            segments=tuple(segments),
            **self._counts(parent, given, dead, segments),
        )

    def finish(self, version: Version, *, switch: bool, tag: str | None = None) -> None:
        """Write the manifest, and let the version answer; the first one always does."""
        tags: Mapping[str, str] = {}
        if tag is not None:  # before anything moves: the file of the tags may be damaged
            versions.check_tag(tag)
            tags = versions.read_tags(self.folder)
        self.made.append(self.folder / versions.VERSIONS / f"{version.name}.json")
        versions.write_version(self.folder, version)
        if (self.folder / versions.POINTER).exists():
            if switch:
                before = versions.read_pointer(self.folder)
                versions.write_pointer(self.folder, before.to(version.name))
        else:
            versions.write_pointer(self.folder, versions.Pointer(version.name))
        if tag is not None:
            versions.write_tags(self.folder, {**tags, tag: version.name})
        self.made.clear()

    def undo(self) -> None:
        """Take away what was written, unless the pointer has moved to it already."""
        with suppress(DataError):
            if versions.read_pointer(self.folder).version == self.name:
                return
        for path in reversed(self.made):
            with suppress(OSError):
                path.unlink()

    def prune(self, keep: int) -> tuple[str, ...]:
        """Remove old manifests, then the files that none of the others names."""
        there = versions.names(self.folder)
        pointer = versions.read_pointer(self.folder)
        needed = {pointer.version, *versions.read_tags(self.folder).values(), *there[-keep:]}
        lost = tuple(each for each in there if each not in needed)
        left = tuple(each for each in pointer.before if each in needed)
        if left != pointer.before:
            versions.write_pointer(self.folder, versions.Pointer(pointer.version, left))
        for name in lost:
            (self.folder / versions.VERSIONS / f"{name}.json").unlink()
        durable.fsync_folder(self.folder / versions.VERSIONS)
        sweep(self.folder)
        return lost

    def _segment(self, documents: Documents) -> Segment:
        name = f"{self.name}-{secrets.token_hex(3)}"
        self.made.append(self.folder / record.SEGMENTS / f"{name}.parquet")
        made = record.write(self.folder, name, documents)
        if made.found:
            self.made.append(near.path_of(self.folder, made))
            rows = near.near_of(documents)
            near.write_near(self.folder, made, rows)
            if self.library is not None and made.found > near.EXACT:
                self.made.append(near.library_path(self.folder, made, self.library))
                near.with_library(self.folder, made, rows, self.library)
        return made

    def _replaced(self, parent: Version, given: Documents) -> dict[str, NDArray[np.bool_]]:
        dead = gone.read(self.folder, parent)
        for segment in parent.segments:
            ids = record.columns(self.folder, segment, ["id"])["id"]
            here = np.asarray(pc.is_in(ids, given.ids))
            if here.any():
                dead[segment.name] = dead.get(segment.name, np.zeros(segment.rows, bool)) | here
        return dead

    def _merged(
        self, segments: list[Segment], dead: Mapping[str, NDArray[np.bool_]]
    ) -> list[Segment]:
        """Write the small half of the segments as one."""
        small = {
            each.name for each in sorted(segments, key=lambda one: one.rows)[: len(segments) // 2]
        }
        parts = []
        for segment in segments:
            if segment.name in small:
                rows = record.read(self.folder, segment)
                lost = dead.get(segment.name)
                parts.append(rows if lost is None else rows.take(np.flatnonzero(~lost)))
        kept = [each for each in segments if each.name not in small]
        return [*kept, self._segment(record.joined(parts))]

    def _counts(
        self,
        parent: Version | None,
        given: Documents,
        dead: Mapping[str, NDArray[np.bool_]],
        segments: Sequence[Segment],
    ) -> dict[str, Any]:
        """Return what a manifest counts; only segments with rows that are gone are read for it."""
        spaces: dict[str, int] = {}
        without = 0
        if parent is None:
            spaces[given.spaces[0]] = len(given)
            without = int((~given.found).sum())
        else:
            for segment in segments:
                table = record.columns(self.folder, segment, ["space"])
                names = table["space"].combine_chunks()
                if segment.name in dead:
                    names = names.filter(pa.array(~dead[segment.name]))
                for each in pc.value_counts(names).to_pylist():
                    spaces[each["values"]] = spaces.get(each["values"], 0) + each["counts"]
                without += self._without(segment, dead.get(segment.name))
        documents = sum(each.rows for each in segments)
        documents -= sum(int(each.sum()) for each in dead.values())
        ordered = dict(sorted(spaces.items(), key=lambda pair: -pair[1]))
        return {"documents": documents, "without_vector": without, "spaces": ordered}

    def _without(self, segment: Segment, dead: NDArray[np.bool_] | None) -> int:
        if dead is None or segment.rows == segment.found:
            return segment.rows - segment.found
        return int((~record.read(self.folder, segment).found & ~dead).sum())


def _all(dead: NDArray[np.bool_] | None) -> bool:
    return dead is not None and bool(dead.all())


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

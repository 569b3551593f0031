"""An index of vectors in a folder: immutable files, small manifests that name them, one pointer.

A version is a manifest; to switch is to move the pointer, in one step that is whole or did not happen.
`add` writes the new rows and a manifest. The record (Parquet) is the truth, and what a search reads is
made of it. Several processes may read while one writes; each sees a switch at its next search.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.embeds import Match, compare_spaces, space_label
from undertow.core.encode import Matrix
from undertow.core.errors import DataError, UsageError
from undertow.core.index import Approximates, Hits, Lays, Stored
from undertow.index import (
    bridges,
    check,
    durable,
    gone,
    leftovers,
    lock,
    near,
    record,
    versions,
    write,
)
from undertow.index.near import Near
from undertow.index.standing import Standing, standing
from undertow.index.versions import Segment, Version
from undertow.stats.neighbours import unit


def create(
    path: str | os.PathLike[str],
    *,
    library: Approximates | None = None,
    read_bridge: Callable[[bytes, str], Lays] | None = None,
) -> Index:
    """Make an empty index in a folder that is new or empty, or open the one that is there.

    Raises UsageError where the folder holds something else, DataError where it cannot be written.
    """
    folder = Path(path)
    write.prepare(folder)
    return Index(folder, library=library, read_bridge=read_bridge)


def open_index(
    path: str | os.PathLike[str],
    *,
    library: Approximates | None = None,
    read_bridge: Callable[[bytes, str], Lays] | None = None,
) -> Index:
    """Return the index in a folder.

    `library` finds among more than 100,000 rows of one file; without, all are looked at. `read_bridge`
    reads the bridges kept beside the index. Where the last change was cut off, the files of the version
    that answers are compared with their digests first. Raises UsageError where there is no index,
    DataError where it is half written, of a newer format, or damaged.
    """
    folder = Path(path)
    write.expect(folder)
    found = Index(folder, library=library, read_bridge=read_bridge)
    version = found.version()
    if found.cut_off is not None:
        for fault in check.damaged(folder, version):
            raise DataError(
                f"{found.cut_off}, and {folder / fault.file} is damaged: {fault.says}; "
                f"`undertow index rollback {folder}` lets the version before answer"
            )
    return found


class Index:
    """An index of vectors in a folder; a `VectorIndex`."""

    def __init__(
        self,
        folder: Path,
        *,
        library: Approximates | None = None,
        read_bridge: Callable[[bytes, str], Lays] | None = None,
    ) -> None:
        """Take a folder that was prepared; `open_index` and `create` do that."""
        self.folder = folder
        self.library = library
        self.cut_off = lock.cut_off(folder) or leftovers.leftover(folder)
        """What did not finish before this was opened, for people; None where all did."""
        self._read_bridge = read_bridge
        self._seen: tuple[int, ...] | None = None
        self._version: Version | None = None
        self._near: dict[str, Near] = {}
        self._alive: tuple[str, dict[str, NDArray[np.bool_]]] = ("", {})

    def __len__(self) -> int:
        """Return how many documents the version that answers holds."""
        return self.version().documents

    def __repr__(self) -> str:
        """Return what it is in one line."""
        return f"<undertow index {str(self.folder)!r}>"

    def version(self, name: str | None = None) -> Version:
        """Return a version, by its name or a tag: the one that answers now, where none is named."""
        if name is not None:
            return versions.read_version(self.folder, versions.resolve(self.folder, name))
        for attempt in range(5):
            seen = durable.stamp(self.folder / versions.POINTER)
            if self._version is not None and seen == self._seen:
                return self._version
            pointer = versions.read_pointer(self.folder)
            try:
                found = versions.read_version(self.folder, pointer.version)
            except DataError as error:
                # Another process may have switched, and pruned, between the two.
                if attempt == 4 or durable.stamp(self.folder / versions.POINTER) == seen:
                    then = f"`undertow index rollback {self.folder}` lets the version before answer"
                    raise DataError(f"{error}; {then}") from error
                continue
            self._version, self._seen = found, seen
            kept = {each.name for each in found.segments}
            self._near = {key: each for key, each in self._near.items() if key in kept}
            return found
        raise DataError(f"{self.folder} changes faster than it can be read; try again")

    # What changes it

    def build(  # noqa: PLR0913 - what a version is made of
        self,
        ids: Sequence[str],
        vectors: NDArray[np.floating],
        *,
        texts: Sequence[str | None] | None = None,
        space: str = "",
        encoder: Mapping[str, Any] | None = None,
        switch: bool = True,
        tag: str | None = None,
        keep: Mapping[str, bytes] | None = None,
        id_kind: str = "text",
    ) -> str:
        """Write a version of these documents alone, of any space, and return its name.

        It answers at once unless `switch` is False. `encoder` and `keep` (files by name) are what the
        caller wants to find again beside the version.
        """
        given = write.checked(ids, vectors, texts, space)
        with write.change(self.folder, "build", library=self.library) as change:
            made = change.version(None, given, encoder=encoder, id_kind=id_kind, files=keep or {})
            change.finish(made, switch=switch, tag=tag)
        return made.name

    def add(
        self,
        ids: Sequence[str],
        vectors: NDArray[np.floating],
        *,
        texts: Sequence[str | None] | None = None,
        space: str = "",
    ) -> str:
        """Write the next version, with these documents added or replaced, and return its name.

        Only they are written. Raises DataError for ids that are missing, there twice or no texts, for
        vectors of another length, and for those of a foreign space: `build` makes a version of it.
        """
        given = write.checked(ids, vectors, texts, space)
        with write.change(self.folder, "add", library=self.library) as change:
            parent = self.version()
            self._fits(parent, given.vectors.shape[1], space)
            made = change.version(parent, given)
            change.finish(made, switch=True)
        return made.name

    def tag(self, name: str, version: str | None = None) -> None:
        """Give a version (the one that answers) a name; it moves where another version had it."""
        versions.check_tag(name)
        with write.change(self.folder, "tag", quick=True):
            target = self.version(version).name
            versions.write_tags(self.folder, versions.read_tags(self.folder) | {name: target})

    def switch(self, version: str) -> str:
        """Let another version, or tag, answer, and return which one did before.

        The files of the new one are opened first: a version that cannot answer is not switched to.
        Raises UsageError where there is none of that name, DataError where its files are damaged.
        """
        with write.change(self.folder, "switch", quick=True):
            target = self.version(version)
            self._openable(target)
            try:
                pointer = versions.read_pointer(self.folder)
            except DataError:  # damaged: this is how it is mended
                versions.write_pointer(self.folder, versions.Pointer(target.name))
                return ""
            if pointer.version != target.name:
                versions.write_pointer(self.folder, pointer.to(target.name))
        return pointer.version

    def rollback(self) -> str:
        """Let the version answer that did before the last switch, and return its name.

        A second rollback goes back one more. Raises DataError where none answered before.
        """
        with write.change(self.folder, "rollback", quick=True):
            pointer = versions.read_pointer(self.folder)
            there = {*versions.names(self.folder)} - {pointer.version}
            before = list(pointer.before)
            while before and before[-1] not in there:
                before.pop()
            if not before:
                raise DataError(f"{self.folder}: no version answered before {pointer.version}")
            self._openable(self.version(before[-1]))
            versions.write_pointer(self.folder, versions.Pointer(before[-1], tuple(before[:-1])))
        return before[-1]

    def keep_bridge(self, content: bytes) -> str:
        """Keep a bridge beside the index, and return the name of its file."""
        with write.change(self.folder, "bridge", quick=True):
            return bridges.keep(self.folder, content)

    def prune(self, keep: int) -> tuple[str, ...]:
        """Remove all but the last `keep` versions; one that answers or has a tag stays.

        Returns the names of those removed. Files that no version needs go with them.
        """
        if keep < 1:
            raise UsageError(f"keep {keep}: at least 1 version is kept")
        with write.change(self.folder, "prune") as change:
            return change.prune(keep)

    # What it answers

    def search(
        self,
        queries: NDArray[np.floating],
        k: int = 10,
        *,
        space: str = "",
        bridge: Lays | None = None,
        version: str | None = None,
    ) -> Hits:
        """Return the k nearest documents of each query (q, d) in the version that answers.

        Queries of length zero find nothing. `space` is that of the queries; `standing` says what is
        made of it. Raises DataError for queries of a foreign space that no bridge leads from, of
        another length, or not finite.
        """
        asked = _queries(queries)
        if k < 1:
            raise UsageError(f"k {k}: ask for 1 document or more")
        found = self.version(version)
        stands = self.standing(space, bridge=bridge, version=found)
        if stands.refused:
            raise DataError(f"{self.folder}: {stands.says}")
        if stands.bridge is not None:
            asked = stands.bridge.apply(asked, space=space)
        if asked.shape[1] != found.dimension:
            raise DataError(
                f"{self.folder} holds vectors of {found.dimension} numbers, and the queries have "
                f"{asked.shape[1]}: use the encoder that the index was built with"
            )
        try:
            parts = [self._opened(found, each) for each in found.segments if each.found]
        except DataError:
            if version is not None or self.version().name == found.name:
                raise
            # Another process has switched, and pruned what was about to be read.
            return self.search(queries, k, space=space, bridge=bridge)
        return near.nearest(parts, unit(asked), k)

    def standing(
        self, space: str, *, bridge: Lays | None = None, version: Version | str | None = None
    ) -> Standing:
        """Return how queries of a space stand to a version: answered, bridged, or refused, and why."""
        found = version if isinstance(version, Version) else self.version(version)
        kept: Callable[[], list[Lays]] = list
        if self._read_bridge is not None:
            read = self._read_bridge

            def kept() -> list[Lays]:
                return bridges.kept(self.folder, read)

        return standing(space, tuple(found.spaces), bridge, kept)

    def stored(self, version: str | None = None) -> Stored:
        """Return what a version (the one that answers) holds."""
        found = self.version(version)
        dead = gone.read(self.folder, found)
        parts = []
        for segment in found.segments:
            rows = record.read(self.folder, segment)
            lost = dead.get(segment.name)
            parts.append(rows if lost is None else rows.take(np.flatnonzero(~lost)))
        if not parts:
            return Stored.of([], np.zeros((0, found.dimension), np.float32))
        whole = record.joined(parts)
        texts = tuple(whole.texts.to_pylist()) if whole.texts.null_count < len(whole) else None
        ids = tuple(whole.ids.to_pylist())
        return Stored(ids, whole.vectors, texts, whole.spaces, whole.space)

    def texts(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the texts of documents of the version that answers, by their ids."""
        found, made = self.version(), dict[str, str | None]()
        wanted = pa.array(list(ids), pa.string())
        for segment in found.segments:  # a later segment holds the later text
            table = record.columns(self.folder, segment, ["id", "text"])
            here = table.filter(pa.compute.is_in(table["id"], wanted))
            made |= dict(zip(here["id"].to_pylist(), here["text"].to_pylist(), strict=True))
        return made

    def stats(self) -> Mapping[str, Any]:
        """Return what there is, as JSON values: versions, tags, documents, dimension, spaces, bytes."""
        found = self.version()
        tags = versions.read_tags(self.folder)
        return {
            "path": str(self.folder),
            "answers": found.name,
            "before": list(versions.read_pointer(self.folder).before),
            "documents": found.documents,
            "without_vector": found.without_vector,
            "dimension": found.dimension,
            "spaces": {space_label(each): count for each, count in found.spaces.items()},
            "encoder": None if found.encoder is None else found.encoder.get("name"),
            "segments": len(found.segments),
            "search": "library" if self._library_for(found) else "exact",
            "tags": tags,
            "bridges": bridges.names(self.folder),
            "versions": [
                versions.told(self.folder, name, tags) for name in versions.names(self.folder)
            ],
            "bytes": leftovers.sizes(self.folder),
            "cut_off": self.cut_off,
        }

    # Within

    def _fits(self, parent: Version, dimension: int, space: str) -> None:
        if parent.documents and dimension != parent.dimension:
            raise DataError(
                f"{self.folder} holds vectors of {parent.dimension} numbers, and these have "
                f"{dimension}: they are of another encoder; `undertow index build` makes a version of it"
            )
        for own in parent.spaces:
            if compare_spaces(space, own) is Match.FOREIGN:
                raise DataError(
                    f"{self.folder} holds vectors of {space_label(own)}, and these are of "
                    f"{space_label(space)}: a mixed index finds nothing right; `undertow index build` "
                    "makes a version of the new encoder"
                )

    def _library_for(self, version: Version) -> bool:
        most = max((each.found for each in version.segments), default=0)
        return self.library is not None and most > near.EXACT

    def _opened(self, version: Version, segment: Segment) -> tuple[Near, NDArray[np.bool_] | None]:
        """Return a segment's rows, and which of them the version holds."""
        rows = self._near.get(segment.name)
        if rows is None:
            rows = near.open_near(self.folder, segment)
            if self.library is not None and segment.found > near.EXACT:
                rows = near.with_library(self.folder, segment, rows, self.library)
            self._near[segment.name] = rows
        known = self._alive  # another thread may put that of another version there
        if known[0] != version.name:
            dead = gone.read(self.folder, version)
            known = self._alive = version.name, {name: ~each for name, each in dead.items()}
        alive = known[1].get(segment.name)
        return rows, None if alive is None else alive[rows.rows]

    def _openable(self, version: Version) -> None:
        """Raise DataError where a file of a version is not there or not as long as it was."""
        for segment in version.segments:
            path = self.folder / record.SEGMENTS / f"{segment.name}.parquet"
            with durable.told(path, f"{version.name} cannot answer: cannot read"):
                size = path.stat().st_size
            if size != segment.bytes:
                raise DataError(
                    f"{version.name} cannot answer: {path} has {size:,} bytes, and "
                    f"{segment.bytes:,} were written"
                )
        gone.read(self.folder, version)


def _queries(given: NDArray[np.floating]) -> Matrix:
    rows = np.asarray(given)
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise DataError(f"queries of shape {rows.shape} and type {rows.dtype}: give (q, d) numbers")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise DataError(f"query {bad[0] + 1} of {len(rows):,} holds NaN or infinity: leave it out")
    return np.asarray(rows, np.float32)

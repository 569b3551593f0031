"""Versions of an index: small manifests that never change, names for them, and one pointer.

    undertow-index.json   the format
    answers.json          the pointer: which version answers, and which did before, in order
    tags.json             names
    versions/v3.json      a manifest: the files of a version, and what they hold

Each is JSON, carries the digest of the rest of it, and is replaced in one step.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from undertow.core.embeds import space_label
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.index import durable

FORMAT = 1
MARKER = "undertow-index.json"
POINTER = "answers.json"
TAGS = "tags.json"
VERSIONS = "versions"
_NAME = re.compile(r"v[1-9]\d{0,8}")
SEGMENT = re.compile(r"v[1-9]\d{0,8}-[0-9a-f]{6}")
_GONE = re.compile(r"v[1-9]\d{0,8}\.gone")
_MOST = 2**40
"""More than any count in a manifest."""
_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
REMEMBERED = 100
"""Versions that the pointer remembers, for rolling back."""


@dataclass(frozen=True)
class Segment:
    """A file of the record: `rows` documents, of which `found` have a vector that can be found."""

    name: str
    rows: int
    found: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class Gone:
    """A file that says which rows of its segments a version no longer holds."""

    name: str
    rows: int
    digest: str


@dataclass(frozen=True)
class Version:
    """What a version is: its parent, its files, and what they hold.

    `spaces` counts documents by space. `encoder` is JSON: {"name", "file"}, what it is called, and
    the file of its state where it learnt from the documents. `ids` says what the ids were made of.
    """

    name: str
    parent: str | None
    made: str
    what: str
    dimension: int
    documents: int
    without_vector: int
    spaces: Mapping[str, int]
    segments: tuple[Segment, ...]
    gone: Gone | None = None
    encoder: Mapping[str, Any] | None = None
    ids: str = "text"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the manifest as the bytes of its file."""
        return sealed({"undertow_index": FORMAT, **asdict(self)})

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Self:
        """Return the version of a manifest; raise DataError where it is damaged or newer."""
        told = opened(content, name)
        try:
            told.pop("undertow_index")
            segments = tuple(Segment(**each) for each in told.pop("segments"))
            lost = told.pop("gone")
            made = cls(**told, segments=segments, gone=None if lost is None else Gone(**lost))
            sound = made.sound
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{name} is no manifest of an index, or a damaged one") from error
        if not sound:
            raise DataError(
                f"{name} is no manifest of an index: undertow did not write what it says"
            )
        return made

    @property
    def sound(self) -> bool:
        """Tell whether names are those of files in the index, and counts are counts.

        A digest proves no author: an index may come from anybody, and a name may lead out of it.
        """
        files: list[Segment | Gone] = [*self.segments, *([] if self.gone is None else [self.gone])]
        counts = [self.dimension, self.documents, self.without_vector, *self.spaces.values()]
        counts += [each.rows for each in files]
        counts += [count for each in self.segments for count in (each.found, each.bytes)]
        return (
            _NAME.fullmatch(self.name) is not None
            and all(SEGMENT.fullmatch(each.name) for each in self.segments)
            and (self.gone is None or _GONE.fullmatch(self.gone.name) is not None)
            and all(type(each) is int and 0 <= each < _MOST for each in counts)
            and all(isinstance(each.digest, str) for each in files)
            and all(isinstance(each, str) for each in (self.made, self.what, self.ids))
            and isinstance(self.encoder, dict | None)
        )


@dataclass(frozen=True)
class Pointer:
    """Which version answers, and those that did before it, the last one last."""

    version: str
    before: tuple[str, ...] = ()

    def to(self, version: str) -> Pointer:
        """Return the pointer at another version, which remembers this one."""
        return Pointer(version, (*self.before, self.version)[-REMEMBERED:])


def sealed(told: Mapping[str, Any]) -> bytes:
    """Return JSON with the digest of itself."""
    text = _canonical(told)
    told = {**told, "digest": hashlib.blake2b(text, digest_size=16).hexdigest()}
    return json.dumps(told, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def opened(content: bytes, name: str) -> dict[str, Any]:
    """Return sealed JSON, without its digest; raise DataError where it is damaged or newer."""
    try:
        told = json.loads(content)
        version = int(told["undertow_index"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"{name} is damaged, or no file of an index") from error
    if version > FORMAT:
        raise DataError(
            f"{name} is of format {version}, and this undertow reads {FORMAT}: update undertow"
        )
    digest = told.pop("digest", None)
    if hashlib.blake2b(_canonical(told), digest_size=16).hexdigest() != digest:
        raise DataError(f"{name} is damaged: it does not fit its digest")
    return dict(told)


def _canonical(told: Mapping[str, Any]) -> bytes:
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def read_version(folder: Path, name: str) -> Version:
    """Return a version by its name; raise DataError where it is gone or damaged."""
    path = folder / VERSIONS / f"{name}.json"
    with durable.told(path, "cannot read"):
        content = path.read_bytes()
    return Version.from_bytes(content, str(path))


def write_version(folder: Path, version: Version) -> None:
    """Write a manifest."""
    durable.put(folder / VERSIONS / f"{version.name}.json", version.to_bytes())


def names(folder: Path) -> tuple[str, ...]:
    """Return the names of all versions, oldest first."""
    found = [each.stem for each in (folder / VERSIONS).glob("v*.json")]
    return tuple(sorted((each for each in found if _NAME.fullmatch(each)), key=_number))


def following(known: tuple[str, ...]) -> str:
    """Return the name of the next version.

    >>> following(()), following(("v1", "v12"))
    ('v1', 'v13')
    """
    return f"v{max(map(_number, known), default=0) + 1}"


def _number(name: str) -> int:
    return int(name[1:])


def read_pointer(folder: Path) -> Pointer:
    """Return the pointer; raise DataError where it is gone or damaged."""
    path = folder / POINTER
    try:
        told = opened(path.read_bytes(), str(path))
        return Pointer(_named(told["version"]), tuple(map(_named, told["before"])))
    except FileNotFoundError:
        there = ", ".join(names(folder))
        then = (
            f"say which does, with `undertow index switch {folder} VERSION`; there is {there}"
            if there
            else "build it again"
        )
        raise DataError(f"{folder} is half written: no version answers; {then}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (DataError, KeyError, TypeError) as error:
        there = ", ".join(names(folder)) or "none"
        raise DataError(
            f"{path} is damaged: say which version answers, with "
            f"`undertow index switch {folder} VERSION`; there is {there}"
        ) from error


def _named(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TypeError(f"{name!r} names no version")
    return name


def write_pointer(folder: Path, pointer: Pointer) -> None:
    """Let a version answer: the one step that a switch is."""
    told = {"undertow_index": FORMAT, "version": pointer.version, "before": list(pointer.before)}
    durable.put(folder / POINTER, sealed(told))


def read_tags(folder: Path) -> dict[str, str]:
    """Return the tags and the versions they name."""
    path = folder / TAGS
    try:
        told = opened(path.read_bytes(), str(path))["tags"]
        return {str(tag): str(version) for tag, version in told.items()}
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, AttributeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def write_tags(folder: Path, tags: Mapping[str, str]) -> None:
    """Write the tags."""
    told = {"undertow_index": FORMAT, "tags": dict(sorted(tags.items()))}
    durable.put(folder / TAGS, sealed(told))


def check_tag(name: str) -> str:
    """Return the name of a tag, or raise UsageError where it is none.

    >>> check_tag("prod")
    'prod'
    """
    if _NAME.fullmatch(name) or not _TAG.fullmatch(name):
        raise UsageError(
            f"tag {name!r}: write letters, digits, dots, - and _, up to 64, and no version's name"
        )
    return name


def resolve(folder: Path, name: str) -> str:
    """Return the version that a version's name or a tag stands for; raise UsageError for neither."""
    there = names(folder)
    if name in there:
        return name
    tags = read_tags(folder)
    if tags.get(name) in there:
        return tags[name]
    raise UsageError(f"{folder}: no version or tag {name!r}{did_you_mean(name, [*there, *tags])}")


def told(folder: Path, name: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return a version as JSON values, for people."""
    found = read_version(folder, name)
    return {
        "version": name,
        "parent": found.parent,
        "made": found.made,
        "what": found.what,
        "documents": found.documents,
        "without_vector": found.without_vector,
        "dimension": found.dimension,
        "spaces": {space_label(each): count for each, count in found.spaces.items()},
        "tags": sorted(tag for tag, version in tags.items() if version == name),
    }

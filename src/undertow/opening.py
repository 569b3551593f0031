"""What people give is opened: rows with their vectors gathered and images made plain, or a profile."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from undertow import plugins
from undertow.adapters.images import developed
from undertow.config import write_file
from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.profile import Profile
from undertow.core.schema import Kind
from undertow.core.vectors import is_list
from undertow.observe.declare import Declared
from undertow.sources import gathered, open_dataset, spelled_columns
from undertow.stores import profile_file


def opened(
    data: Any,
    said: Declared,
    *,
    where: str | None = None,
    like: Dataset | Profile | None = None,
    encoder: Any = None,
) -> Dataset | Profile:
    """Return a saved profile, or the rows with their vectors gathered and their images made plain.

    What is a vector or an image in the reference (`like`) is one here; either may be gone here.
    Raises UsageError where a column that was named is not in the reference.
    """
    if isinstance(data, Profile) or (
        isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
    ):
        if where is not None:
            raise UsageError("a condition needs rows; a profile holds none, make it with --where")
        return data if isinstance(data, Profile) else load(data)
    rows = _gathered(open_dataset(data, where=where), said, like)
    if like is None:
        for name in said.images:
            if name not in rows.arrow.names:
                hint = did_you_mean(name, rows.arrow.names)
                raise UsageError(f"no column {name!r} in {rows.source}{hint}")
    images = set(getattr(like, "images", ()))
    if isinstance(like, Profile):
        images = {column.name for column in like.schema.of(kind=Kind.IMAGE)}
    # What is bytes in the reference is bytes here too, whatever they look like.
    left = said.names if like is None else rows.arrow.names
    found = developed(rows, [*said.images, *sorted(images)], left=left, encoder=encoder)
    if like is None and encoder is not None and not getattr(found, "images", ()):
        raise UsageError("an image encoder reads an image column, and there is none; give --image")
    return found


def _gathered(rows: Dataset, said: Declared, like: Dataset | Profile | None) -> Dataset:
    """Return the rows with the vectors that were named, that look like it, or that `like` has."""
    if like is None:
        others = [name for name in spelled_columns(rows) if name not in said.names]
    elif isinstance(like, Profile):
        others = [column.name for column in like.schema.of(kind=Kind.VECTOR)]
    else:
        others = [field.name for field in like.arrow if is_list(field.type)]
    found, _ = gathered(rows, [*said.vectors, *others], required=like is None)
    return found


def save(profile: Profile, path: str | os.PathLike[str]) -> None:
    """Write a profile to a file, whole or not at all."""
    write_file(path, profile_file.to_bytes(profile))


def load(path: str | os.PathLike[str]) -> Profile:
    """Return the profile in a file; raise ProfileError where it is damaged or of another version."""
    content = profile_file.read(path)
    profile = profile_file.from_bytes(content, os.fspath(path), plugins.summary, plugins.lenses())
    return replace(profile, source=profile.source or os.fspath(path))

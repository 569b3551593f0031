"""The encoder of an index: what a version remembers of it, and how it is opened again."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow.adapters.encoders import open_encoder
from undertow.adapters.tfidf import FittedTfidf
from undertow.core.embeds import Embeds, Fits
from undertow.core.errors import DataError, UsageError
from undertow.index.folder import Index
from undertow.index.leftovers import KEPT
from undertow.options import Encoder

_NAMED = re.compile(r"tfidf|minilm|[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def remembered(given: Encoder | None, encoder: Embeds) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what a manifest says of an encoder, and the files to keep for it."""
    name = os.fspath(given) if isinstance(given, str | os.PathLike) else encoder.name
    if isinstance(encoder, FittedTfidf):
        content = encoder.to_bytes()
        file = f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.npz"
        return {"name": name, "file": file}, {file: content}
    if Path(name).exists() and isinstance(given, str | os.PathLike):
        name = str(Path(name).resolve())
    if "://" in name and "@" in name:  # an address may hold a password
        name = encoder.name
    return {"name": name, "file": None}, {}


def encoder_of(index: Index, given: Encoder | None = None) -> Embeds:
    """Return the encoder to ask an index with: the one given, or the one its version remembers.

    A version's word is taken for what undertow brings itself, for models by name and for files that are
    there. Code (module:function) and addresses are run or called only where the user names them:
    an index may come from anybody. Raises UsageError or DataError where there is none.
    """
    version = index.version()
    kept: Mapping[str, Any] = version.encoder or {}
    name = kept.get("name")
    if given is None:
        if not isinstance(name, str) or not name:
            raise UsageError(
                f"{index.folder} does not say what made its vectors: give --encoder ENCODER"
            )
        if os.sep in name and "://" not in name and Path(name).is_absolute():
            if not Path(name).exists():
                raise UsageError(
                    f"{index.folder} was built with {name}, which is not there: give --encoder PATH"
                )
        elif not kept.get("file") and not _trusted(name):
            raise UsageError(
                f"{index.folder} was built with {name!r}; code and addresses are not taken from an "
                f"index: repeat it, as --encoder {name}"
            )
        given = name
    if given == "tfidf":
        file = kept.get("file")
        if not file:
            raise UsageError(
                f"tfidf is made of the documents, and {index.folder} was not built with it: give "
                f"--encoder {name or 'ENCODER'}"
            )
        return _restored(index.folder / KEPT / str(file))
    opened = open_encoder(given)
    if isinstance(opened, Fits):
        raise UsageError(f"{opened.name} is made of the documents: build the index with it")
    return opened


def _trusted(name: str) -> bool:
    return bool(_NAMED.fullmatch(name))


def _restored(path: Path) -> FittedTfidf:
    if path.parent.name != KEPT or not re.fullmatch(r"[0-9a-f]{32}\.npz", path.name):
        raise DataError(f"{path} is no file of an encoder")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}; build again") from error
    return FittedTfidf.from_bytes(content, str(path))

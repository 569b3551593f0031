"""Encoders by name: "tfidf", "minilm", "module:function", an address, a file of weights, a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from undertow.adapters import callables
from undertow.adapters.tfidf import Tfidf
from undertow.core.embeds import Embeds, Fits
from undertow.core.errors import UsageError, did_you_mean

NAMES = ("tfidf", "minilm")
_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def open_encoder(
    spec: str | Callable[[Sequence[str]], Any] | Embeds | Fits, **options: Any
) -> Embeds | Fits:
    """Return the encoder a name stands for, or a function or an encoder as one.

    "tfidf" reads the texts first: `fitted(texts)` makes the encoder of it. "minilm" is the
    packaged all-MiniLM-L6-v2; "module:function" any function; "https://...#model" an endpoint of
    the OpenAI embeddings shape; a path is an .onnx file, or a folder for ONNX Runtime or
    sentence-transformers; "organisation/model" one in the local Hugging Face cache. Raises
    UsageError for a name or an option that is not known, MissingExtra where a library is missing.

    >>> open_encoder("tfdf")
    Traceback (most recent call last):
    undertow.core.errors.UsageError: no encoder 'tfdf'; did you mean 'tfidf'?
    """
    if not isinstance(spec, str):
        return _given(spec)
    opened = _opener(spec)
    try:
        return opened(**options)
    except TypeError as error:
        if options and "keyword argument" in str(error):
            told = str(error).rsplit(" ", 1)[-1]
            raise UsageError(f"encoder {spec!r} has no option {told}") from error
        raise


def _opener(spec: str) -> Callable[..., Embeds | Fits]:
    from functools import partial

    if spec == "tfidf":
        return Tfidf
    if spec == "minilm":
        from undertow.adapters import sentence_transformers

        return sentence_transformers.minilm
    if spec.startswith(("http://", "https://")):
        from undertow.adapters import endpoint

        return partial(endpoint.Endpoint, spec)
    path = Path(spec)
    if spec and path.exists():
        return _file(path)
    if _CALLABLE.fullmatch(spec):
        return partial(_given, callables.imported(spec), name=spec)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", spec) and path.suffix != ".onnx":
        from undertow.adapters import sentence_transformers

        return partial(sentence_transformers.cached, spec)
    if path.suffix == ".onnx" or "/" in spec or "\\" in spec:
        raise UsageError(f"encoder {spec!r}: no such file or folder")
    raise UsageError(f"no encoder {spec!r}{did_you_mean(spec, NAMES)}")


def _file(path: Path) -> Callable[..., Embeds | Fits]:
    from functools import partial

    if path.suffix == ".onnx" or (path.is_dir() and any(path.glob("*.onnx"))):
        from undertow.adapters import onnx

        return partial(onnx.opened, path)
    if path.is_dir() and ((path / "modules.json").exists() or (path / "config.json").exists()):
        from undertow.adapters import sentence_transformers

        return partial(sentence_transformers.folder, path)
    raise UsageError(
        f"encoder {str(path)!r} is neither an .onnx file nor a folder with one, "
        "nor a sentence-transformers folder (modules.json)"
    )


def _given(found: Any, *, name: str | None = None) -> Embeds | Fits:
    if isinstance(found, Embeds | Fits):
        return found
    if not callable(found):
        raise UsageError(
            f"encoder {found!r:.60}: give a name, a function of texts, or an object that embeds"
        )
    return callables.Function(found, name) if name else callables.named(found)

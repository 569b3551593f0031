"""Encoders that ONNX Runtime runs: a graph, and a tokenizer.json beside it; no torch.

Weights of 8 bits that are quantised as they run (DynamicQuantizeLinear) take the scale of the whole
batch, so a text's vector depends on its neighbours: measured on MiniLM, a cosine of 0.991 on average.
Such a graph is given one text at a time, which costs a third of the speed on short texts and nothing
on long ones.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.adapters import files
from undertow.core.embeds import Fact
from undertow.core.encode import Matrix
from undertow.core.errors import DataError, MissingExtra, UsageError, did_you_mean
from undertow.stats.neighbours import unit

BATCH = 8
"""Texts run together: measured fastest on one processor core, for short texts and for long ones."""
LONGEST = 256
"""Word pieces read where nothing says how many."""
_DYNAMIC = b"DynamicQuantizeLinear"
_INPUTS = {
    "ids": ("input_ids", "ids", "i"),
    "mask": ("attention_mask", "mask", "a"),
    "kinds": ("token_type_ids", "type_ids", "segment_ids", "t"),
}
_POOLINGS = ("mean", "cls", "max")


@dataclass(frozen=True, eq=False)
class OnnxEncoder:
    """A graph, its tokenizer, and how its output becomes one vector a text.

    `inputs` says which of ids, mask and kinds each input of the graph takes. `pooled` is True where
    the graph itself returns one vector a text; it is then left as it is.
    """

    name: str
    session: Any
    tokenizer: Any
    inputs: Mapping[str, str]
    output: str
    pooled: bool
    pooling: str
    normalised: bool
    batch: int
    facts: Mapping[str, Fact]

    def __call__(self, texts: Sequence[str], /) -> Matrix:
        """Return the vectors (n, d) of n texts."""
        done = [
            self._run(texts[start : start + self.batch])
            for start in range(0, len(texts), self.batch)
        ]
        return np.concatenate(done)

    def identity(self) -> Mapping[str, Fact]:
        """Return hashes of weights and tokenizer, pooling, precision, normalisation, maximum length."""
        return dict(self.facts)

    def _run(self, texts: Sequence[str]) -> Matrix:
        pieces = self.tokenizer.encode_batch(list(texts))
        told = {
            "ids": np.array([each.ids for each in pieces], np.int64),
            "mask": np.array([each.attention_mask for each in pieces], np.int64),
            "kinds": np.array([each.type_ids for each in pieces], np.int64),
        }
        types = {each.name: each.type for each in self.session.get_inputs()}
        fed = {
            name: told[what].astype(np.int32 if types[name] == "tensor(int32)" else np.int64)
            for name, what in self.inputs.items()
        }
        found = np.asarray(self.session.run([self.output], fed)[0], np.float32)
        if self.pooled:
            return found
        made = _pooled(found, told["mask"], self.pooling)
        return unit(made) if self.normalised else made


def opened(
    path: str | os.PathLike[str],
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    max_length: int | None = None,
    pooling: str | None = None,
    batch: int | None = None,
    threads: int = 1,
) -> OnnxEncoder:
    """Return the encoder of an .onnx file, or of a folder that holds one.

    The tokenizer is tokenizer.json beside it or in the folder above. Where the graph returns a
    vector a word piece, `pooling` makes one of them (what the folder says, else the mean) and it is
    scaled to length 1 unless the folder says otherwise. Raises MissingExtra where a library is not
    installed, UsageError where files are missing, DataError where they cannot be read.
    """
    for library in ("onnxruntime", "tokenizers"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtra("onnx", library, f"encoder {os.fspath(path)!r}")
    graph = _graph(Path(path))
    tokens = _tokens(graph) if tokenizer is None else Path(tokenizer)
    place = tokens.parent
    session = _session(graph, threads)
    inputs = _inputs(session, graph)
    output, pooled = _output(session, graph)
    how = pooling or files.pooling(place) or "mean"
    if not pooled and how not in _POOLINGS:
        raise UsageError(f"{graph}: no pooling {how!r}{did_you_mean(how, _POOLINGS)}")
    normalised = files.normalises(place) is not False
    dynamic = _holds(graph, _DYNAMIC)
    reader, most = _reader(tokens, session, max_length or files.longest(place))
    facts: dict[str, Fact] = {
        "weights": files.sha256([graph, *sorted(graph.parent.glob(f"{graph.name}[._]data*"))]),
        "tokenizer": files.sha256([tokens]),
        "pooling": "in the graph" if pooled else how,
        "normalised": "in the graph" if pooled else normalised,
        "precision": "int8, dynamic" if dynamic else "as the graph's weights",
        "max_length": most,
    }
    rows = session.get_inputs()[0].shape[0]
    step = rows if isinstance(rows, int) else batch or (1 if dynamic else BATCH)
    if step != 1 and isinstance(rows, int):
        raise DataError(
            f"{graph}: made for {rows} texts at a time; export it with a free first axis"
        )
    name = (
        graph.name if graph.name != "model.onnx" else f"{graph.absolute().parent.name}/{graph.name}"
    )
    return OnnxEncoder(name, session, reader, inputs, output, pooled, how, normalised, step, facts)


def _graph(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.onnx")) or sorted(path.glob("onnx/*.onnx"))
    named = [each for each in found if each.name == "model.onnx"]
    if len(named) == 1 or len(found) == 1:
        return (named or found)[0]
    shown = ", ".join(each.name for each in found[:4])
    raise UsageError(f"{path}: several graphs ({shown}); name the one to use")


def _tokens(graph: Path) -> Path:
    for place in (graph.parent, graph.parent.parent):
        if (place / "tokenizer.json").exists():
            return place / "tokenizer.json"
    raise UsageError(f"{graph}: no tokenizer.json beside it or in the folder above; copy it there")


def _session(graph: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        what = str(error).split("\n")[0][:120] or type(error).__name__
        raise DataError(f"{graph}: ONNX Runtime cannot load it ({what})") from error


def _inputs(session: Any, graph: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in session.get_inputs():
        what = next((w for w, names in _INPUTS.items() if each.name.lower() in names), None)
        if what is None:
            raise DataError(
                f"{graph}: no idea what its input {each.name!r} is; "
                "input_ids, attention_mask and token_type_ids are known"
            )
        found[each.name] = what
    if "ids" not in found.values():
        raise DataError(f"{graph}: it has no input_ids, so it reads no text")
    return found


def _output(session: Any, graph: Path) -> tuple[str, bool]:
    """Return the output to read and whether it is one vector a text already."""
    ranks = {each.name: len(each.shape) for each in session.get_outputs()}
    if ranks.get("sentence_embedding") == 2:
        return "sentence_embedding", True
    deep = [name for name, rank in ranks.items() if rank == 3]
    flat = [name for name, rank in ranks.items() if rank == 2]
    if deep:  # before pooler_output, which is trained for another task
        return next((name for name in deep if name == "last_hidden_state"), deep[0]), False
    if len(flat) == 1:
        return flat[0], True
    raise DataError(f"{graph}: none of its outputs ({', '.join(ranks)}) is a vector a text")


def _reader(tokens: Path, session: Any, most: int | None) -> tuple[Any, int]:
    """Return the tokenizer, cutting and padding as the graph needs, and where it cuts."""
    from tokenizers import Tokenizer

    try:
        reader = Tokenizer.from_file(str(tokens))
    except Exception as error:
        raise DataError(f"{tokens}: no tokenizer ({str(error)[:120]})") from error
    wide = session.get_inputs()[0].shape[1]
    said = (reader.truncation or {}).get("max_length")
    most = min(each for each in (most or said or LONGEST, wide) if isinstance(each, int))
    reader.enable_truncation(most)
    before = reader.padding or {}
    mark = before.get("pad_token") or next(
        (mark for mark in ("[PAD]", "<pad>") if reader.token_to_id(mark) is not None), "[PAD]"
    )
    number = before.get("pad_id", reader.token_to_id(mark) or 0)
    length = wide if isinstance(wide, int) else None
    reader.enable_padding(pad_id=number, pad_token=mark, length=length)
    return reader, most


def _pooled(found: NDArray[np.float32], mask: NDArray[np.int64], how: str) -> Matrix:
    if how == "cls":
        return found[:, 0]
    there = mask[:, :, None].astype(np.float32)
    if how == "max":
        return np.asarray(np.where(there > 0, found, -np.inf).max(axis=1), np.float32)
    return np.asarray((found * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1), np.float32)


def _holds(path: Path, word: bytes) -> bool:
    """Tell whether a file holds a word, a block at a time."""
    tail = b""
    with path.open("rb") as content:
        while block := content.read(2**20):
            if word in tail + block:
                return True
            tail = block[-len(word) :]
    return False

"""Graphs for ONNX Runtime: inputs, pooling and padding; with the library itself in the marked job."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from undertow.adapters import files, onnx
from undertow.core.encode import encode
from undertow.core.errors import DataError, UsageError

WORDS = ("[PAD]", "[UNK]", "red", "blue", "door", "sea")


class Graph:
    """What ONNX Runtime shows of a graph, with a table of vectors for its weights."""

    def __init__(self, inputs=("input_ids", "attention_mask"), outputs=None, kind="int64"):
        self.inputs, self.outputs, self.kind = inputs, outputs or {"last_hidden_state": 3}, kind
        self.fed: list[dict] = []

    def get_inputs(self):
        return [
            SimpleNamespace(name=name, type=f"tensor({self.kind})", shape=["b", "s"])
            for name in self.inputs
        ]

    def get_outputs(self):
        return [SimpleNamespace(name=n, shape=["x"] * rank) for n, rank in self.outputs.items()]

    def run(self, names, fed):
        self.fed.append(fed)
        vectors = np.eye(6, 4)[fed["input_ids"]] * 2
        return [vectors if self.outputs[names[0]] == 3 else vectors.sum(axis=1)]


class Pieces:
    """A tokenizer of words, which pads to the longest."""

    def encode_batch(self, texts):
        rows = [[WORDS.index(word) for word in text.split()] for text in texts]
        longest = max(map(len, rows))
        return [
            SimpleNamespace(
                ids=row + [0] * (longest - len(row)),
                attention_mask=[1] * len(row) + [0] * (longest - len(row)),
                type_ids=[0] * longest,
            )
            for row in rows
        ]


def made(graph, *, pooled=False, pooling="mean", normalised=True, batch=8):
    """Return an encoder of a graph that is no file."""
    return onnx.OnnxEncoder(
        "graph.onnx",
        graph,
        Pieces(),
        onnx._inputs(graph, "g"),
        onnx._output(graph, "g")[0],
        pooled,
        pooling,
        normalised,
        batch,
        {"weights": "abc"},
    )


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", [1.0, 1.0]), ("cls", [2.0, 0.0]), ("max", [2.0, 2.0])],
)
def test_padding_is_no_part_of_a_vector(pooling, expected):
    """The mean, the first and the largest are over the text's own pieces."""
    encoder = made(Graph(), pooling=pooling, normalised=False)
    found = encoder(["red blue", "red red blue blue"])
    assert found[0, 2:].tolist() == expected
    assert found[0].tolist() == encoder(["red blue"])[0].tolist()


def test_vectors_are_scaled_unless_the_graph_pools():
    """What the graph returns as one vector a text is left as it is."""
    assert np.linalg.norm(made(Graph())(["red blue"])) == pytest.approx(1.0)
    pooled = made(Graph(outputs={"sentence_embedding": 2}), pooled=True)
    assert pooled(["red blue"])[0].tolist() == [0, 0, 2, 2]
    assert pooled.identity() == {"weights": "abc"}


def test_texts_run_in_batches_of_the_types_the_graph_takes():
    """Batches are of the size asked for, and whole numbers of the width asked for."""
    graph = Graph(("input_ids", "attention_mask", "token_type_ids"), kind="int32")
    found = encode(made(graph, batch=2), ["red", "blue", "door", "sea", "red sea"])
    assert found.shape == (5, 4)
    assert [len(fed["input_ids"]) for fed in graph.fed] == [2, 2, 1]
    assert {array.dtype for array in graph.fed[0].values()} == {np.dtype(np.int32)}


def test_the_right_output_is_read():
    """A sentence vector before vectors of pieces, and never the pooler's."""
    wanted = {
        ("sentence_embedding", True): {"token_embeddings": 3, "sentence_embedding": 2},
        ("last_hidden_state", False): {"pooler_output": 2, "last_hidden_state": 3},
        ("tokens", False): {"tokens": 3},
        ("e", True): {"e": 2},
    }
    for expected, outputs in wanted.items():
        assert onnx._output(Graph(outputs=outputs), "g") == expected
    with pytest.raises(DataError, match=r"none of its outputs \(a, b\)"):
        onnx._output(Graph(outputs={"a": 2, "b": 2}), "g")


def test_inputs_that_nobody_knows_are_refused():
    """A graph of images is no encoder of texts."""
    with pytest.raises(DataError, match="no idea what its input 'pixels' is"):
        onnx._inputs(Graph(("pixels",)), "g")
    with pytest.raises(DataError, match="has no input_ids"):
        onnx._inputs(Graph(("attention_mask",)), "g")


def test_the_graph_and_its_tokenizer_are_found(tmp_path):
    """model.onnx, the only graph, or the one in onnx/; the tokenizer beside it or above."""
    (tmp_path / "onnx").mkdir()
    inner = tmp_path / "onnx" / "model.onnx"
    inner.write_bytes(b"")
    assert onnx._graph(tmp_path) == inner
    with pytest.raises(UsageError, match=r"no tokenizer\.json beside it"):
        onnx._tokens(inner)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert onnx._tokens(inner) == tmp_path / "tokenizer.json"
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=r"several graphs \(a\.onnx, b\.onnx\)"):
        onnx._graph(tmp_path)
    assert onnx._graph(tmp_path / "b.onnx") == tmp_path / "b.onnx"


def test_a_word_is_found_across_blocks(tmp_path):
    """Dynamic quantisation is seen wherever its name stands in the file."""
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"\0" * (2**20 - 5) + onnx._DYNAMIC + b"\0")
    assert onnx._holds(path, onnx._DYNAMIC)
    path.write_bytes(b"\0" * 2**20)
    assert not onnx._holds(path, onnx._DYNAMIC)


def test_what_the_files_beside_the_weights_say(tmp_path):
    """Pooling, normalisation and maximum length are read; nothing said is None, as is a broken file."""
    assert files.pooling(tmp_path) is files.normalises(tmp_path) is files.longest(tmp_path) is None
    (tmp_path / "1_Pooling").mkdir()

    def says(name, content):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))

    for content, expected in [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}, "cls+max"),
        ({"pooling_mode": "mean"}, "mean"),
        ({}, None),
        ([], None),
        ("{", None),
    ]:
        says("1_Pooling/config.json", content)
        assert files.pooling(tmp_path) == expected
    says("modules.json", [{"type": "a.Transformer"}, {"type": "b.Normalize"}])
    assert files.normalises(tmp_path) is True
    says("modules.json", [{"type": "a.Transformer"}])
    assert files.normalises(tmp_path) is False
    says("modules.json", "null")
    assert files.normalises(tmp_path) is None
    says("tokenizer_config.json", {"model_max_length": 1e30})
    assert files.longest(tmp_path) is None
    says("tokenizer_config.json", {"model_max_length": 512})
    says("sentence_bert_config.json", {"max_seq_length": 256})
    assert files.longest(tmp_path) == 256
    with pytest.raises(DataError, match="No such file"):
        files.sha256([tmp_path / "none"])


def written(place, *, fixed=None, outputs="tokens"):
    """Write a tiny graph, a table of 6 vectors of 4 numbers, with its tokenizer; return the folder."""
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers

    table = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
    mix = np.random.default_rng(4).normal(size=(4, 4)).astype(np.float32)
    rows, pieces = fixed or ("b", "s")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["found"]),
            helper.make_node("MatMul", ["found", "mix"], ["tokens"]),
        ],
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, [rows, pieces])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info(outputs, TensorProto.FLOAT, [rows, pieces, 4])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(mix, "mix")],
    )
    place.mkdir(exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(model, str(place / "model.onnx"))
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(place / "tokenizer.json"))
    return place


@pytest.mark.encoder
def test_a_graph_runs_as_its_arithmetic_says(tmp_path):
    """Vectors are the mean over the text's pieces, of length 1, alone and in a batch."""
    encoder = onnx.opened(written(tmp_path / "tiny"), max_length=3)
    assert encoder.name == "tiny/model.onnx"
    texts = ["red", "blue door", "sea red blue", "sea red blue door door door"]
    together = encode(encoder, texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(together[2], together[3], atol=1e-6)  # cut after three
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(encode(encoder, [text])[0], vector, atol=1e-6)
    assert encoder.identity()["pooling"] == "mean"
    assert encoder.identity()["max_length"] == 3


@pytest.mark.encoder
def test_a_graph_of_fixed_shape_is_fed_as_it_wants(tmp_path):
    """One text at a time and a fixed number of pieces work; several at a time are refused."""
    encoder = onnx.opened(written(tmp_path / "tiny", fixed=(1, 5)))
    free = onnx.opened(written(tmp_path / "free"))
    texts = ["red", "blue door", "sea red blue"]
    np.testing.assert_allclose(encode(encoder, texts), encode(free, texts), atol=1e-6)
    with pytest.raises(DataError, match="made for 4 texts at a time"):
        onnx.opened(written(tmp_path / "four", fixed=(4, 5)))


@pytest.mark.encoder
def test_a_dynamically_quantised_graph_runs_one_text_at_a_time(tmp_path):
    """Its vectors would depend on the batch; they do not."""
    from onnxruntime.quantization import quantize_dynamic

    place = written(tmp_path / "tiny")
    quantize_dynamic(place / "model.onnx", place / "small.onnx", op_types_to_quantize=["MatMul"])
    encoder = onnx.opened(place / "small.onnx")
    assert encoder.batch == 1
    assert encoder.identity()["precision"] == "int8, dynamic"
    texts = ["red", "blue door", "sea red blue"]
    alone = np.vstack([encode(encoder, [text]) for text in texts])
    assert encode(encoder, texts).tobytes() == alone.tobytes()


@pytest.mark.encoder
def test_files_that_are_no_graph_or_tokenizer_are_refused(tmp_path):
    """Each broken file is one line."""
    place = written(tmp_path / "tiny")
    (place / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="no tokenizer"):
        onnx.opened(place)
    (place / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(DataError, match="ONNX Runtime cannot load it"):
        onnx.opened(place)
    with pytest.raises(DataError, match="ONNX Runtime cannot load it"):
        onnx.opened(place / "gone.onnx")
    with pytest.raises(UsageError, match="no pooling 'men'; did you mean 'mean'"):
        onnx.opened(written(tmp_path / "other"), pooling="men")

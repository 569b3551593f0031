"""The packaged MiniLM through sentence-transformers, and its ONNX versions by the page's own script."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import ANCHORS, Fingerprint, Match, fingerprint
from undertow.core.encode import encode, steadiness
from undertow.core.errors import DataError, UsageError

pytestmark = [
    pytest.mark.encoder,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
PAGE = Path(__file__).parents[2] / "docs" / "encoders.md"
KNOWN = (
    "74cdd67c2826 384 1 "
    "-PEKGO3lCQPWJe8Y9SS1JAXmwfbs1DL-CyEe6QjTJNbqAQr-BjP67Azg6Pn6IdYqAxQc48sF9ezrNun5HCUO69"
    "QnH_wEGhED3i44APkc1grdN-QG3CCN29JUrxEwGAnw6_3pEBntDdboG-4Qu-n62Ps1AScMUC3V9jEoEP9IMtA minilm"
)
"""The fingerprint of all-MiniLM-L6-v2, by torch 2.13.0 and sentence-transformers 6.2.0."""
TEXTS = [*ANCHORS, "transfer money to my savings", "move cash into savings", "is it going to rain"]


@pytest.fixture(scope="module")
def minilm():
    """The packaged encoder, opened once."""
    return open_encoder("minilm")


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """The folder that the script of docs/encoders.md writes."""
    place = tmp_path_factory.mktemp("onnx")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    script = next(block for block in blocks if "quantize_dynamic" in block)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(place)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return place


def test_texts_of_one_meaning_are_near(minilm):
    """384 numbers of length 1, and a paraphrase without a word in common is nearer than a stranger."""
    found = encode(minilm, [*TEXTS, "", None])
    assert found.shape == (len(TEXTS) + 2, 384)
    np.testing.assert_allclose(np.linalg.norm(found[:-2], axis=1), 1.0, atol=1e-5)
    one, same, other = found[16:19]
    assert one @ same > 0.6
    assert one @ other < 0.3
    assert not found[-2].any()
    assert np.isnan(found[-1]).all()


def test_it_says_what_it_is_made_of(minilm):
    """Weights, tokenizer, pooling, precision, normalisation, maximum length."""
    facts = minilm.identity()
    assert facts["weights"] == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert len(facts["tokenizer"]) == 64
    assert (facts["pooling"], facts["normalised"]) == ("mean", True)
    assert (facts["precision"], facts["max_length"]) == ("float32", 256)


def test_its_fingerprint_is_the_one_of_every_machine(minilm):
    """Another version of a library, another machine: the same space as the one written down here."""
    assert fingerprint(minilm).compare(Fingerprint.parse(KNOWN)) is Match.SAME


def test_it_is_steady_and_leaves_torch_as_it_was(minilm):
    """The same vector alone and in a batch; the number of threads is put back."""
    import torch

    torch.set_num_threads(2)
    try:
        assert steadiness(minilm, TEXTS).note("minilm") is None
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_another_maximum_length_and_another_pooling_are_seen(minilm):
    """128 pieces instead of 256 move the space; the first piece instead of the mean makes it foreign."""
    genuine = fingerprint(minilm)
    assert genuine.compare(fingerprint(open_encoder("minilm", max_length=128))) is Match.MOVED
    other = open_encoder("minilm")
    other.model[1].pooling_mode = "cls"
    assert genuine.compare(fingerprint(other)) is Match.FOREIGN


def test_a_folder_is_the_same_encoder(minilm, tmp_path):
    """A saved folder opens by its path; half precision is another identity and the same space."""
    place = tmp_path / "saved"
    minilm.model.save(str(place))
    found = open_encoder(str(place))
    assert found.name == "saved"
    assert fingerprint(found).compare(fingerprint(minilm)) is Match.SAME
    half = replace(open_encoder(str(place)), facts={"precision": "float16"})
    half.model.half()
    assert fingerprint(half).compare(fingerprint(minilm)) is Match.SAME
    (place / "config.json").write_text("{")
    with pytest.raises(DataError, match="cannot be loaded"):
        open_encoder(str(place))


def test_nothing_is_downloaded(monkeypatch):
    """Opening asks no other machine for anything, and a model that is not here is refused."""

    def refuse(*args):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert open_encoder("minilm").name == "minilm"
    with pytest.raises(UsageError, match="undertow downloads nothing"):
        open_encoder("undertow-tests/no-such-model")


def test_the_pages_script_writes_the_same_space_for_onnx(versions, minilm):
    """32 bits agree with torch to 0.9999 and share its space."""
    found = open_encoder(str(versions / "fp32"))
    cosine = (encode(found, TEXTS) * encode(minilm, TEXTS)).sum(axis=1)
    assert cosine.min() >= 0.9999
    assert fingerprint(found).compare(fingerprint(minilm)) is Match.SAME


def test_weights_of_8_bits_have_moved_and_hold_still(versions, minilm):
    """Another space than 32 bits, but a text's vector does not depend on its neighbours."""
    found = open_encoder(str(versions / "int8"))
    assert fingerprint(found).compare(fingerprint(minilm)) is Match.MOVED
    alone = np.vstack([encode(found, [text]) for text in TEXTS])
    np.testing.assert_array_equal(encode(found, TEXTS), alone)
    in_batches = replace(found, batch=8)
    assert "beside other texts" in steadiness(in_batches, TEXTS).note("int8")

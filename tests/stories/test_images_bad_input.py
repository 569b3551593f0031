"""Images that are no good, and encoders of them: refused in one line, or judged rightly."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import undertow as ut


def _picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _claims(size: int) -> bytes:
    """Return a PNG that says it is size by size, and holds next to nothing."""

    def chunk(name: bytes, held: bytes) -> bytes:
        return (
            struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
        )

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def album(cells: Sequence[bytes | None]) -> pa.Table:
    """Return a table of one image column."""
    return pa.table({"img": pa.array(cells, pa.binary())})


PICTURES = album([_picture(n) for n in range(120)])
BROKEN = [b"\x89PNG\r\n\x1a\nrubbish", b"", _picture(0)[:40], b"no image"] * 5


@pytest.mark.parametrize(("bad", "state"), [(BROKEN, "broken"), ([_claims(60_000)] * 20, "huge")])
def test_images_that_cannot_be_read_are_told_by_their_state(bad: Any, state: str) -> None:
    """Broken images and such as would fill the memory are counted, and no row is lost."""
    now = album([*bad, *(_picture(200 + n) for n in range(100))])
    report = ut.check(PICTURES, now, image="img")
    told = [f for f in report.findings if (f.column or "").startswith("img:state")]
    assert any(f.verdict is ut.Verdict.CHANGED for f in told)
    assert any(state in str(f.evidence) + str(f.shape) + f.says for f in told)
    assert report.current.rows == 120


def test_bytes_that_were_no_images_in_the_reference_are_none_now() -> None:
    """What was made of images in one side only is no list of new columns."""
    report = ut.check(album([b"xx"] * 50), PICTURES)
    assert not [f for f in report.findings if (f.column or "").startswith("img:")]


def _pixels(pictures: Sequence[Any]) -> np.ndarray:
    return np.array([np.asarray(each.resize((3, 3))).ravel() for each in pictures], float)


def _raises(pictures: Sequence[Any]) -> np.ndarray:
    message = "out of memory\nsecond line"
    raise RuntimeError(message)


IMAGE_ENCODERS = {
    "too few": (lambda given: _pixels(given)[:-1], "one vector each"),
    "raising": (_raises, "RuntimeError: out of memory"),
    "nan": (lambda given: _pixels(given) * np.nan, "NaN or infinity"),
    "words": (lambda given: ["x"] * len(given), "no matrix of numbers"),
    "random": (
        lambda given: np.random.default_rng().normal(size=(len(given), 8)),
        "is not deterministic",
    ),
}


@pytest.mark.parametrize("name", IMAGE_ENCODERS)
def test_an_image_encoder_that_does_not_do_its_work_is_refused(name: str) -> None:
    """It is told as the encoder's, in one line."""
    encoder, words = IMAGE_ENCODERS[name]
    with pytest.raises(ut.UndertowError) as refused:
        ut.check(PICTURES, PICTURES, image="img", image_encoder=encoder)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_pillow_a_named_image_column_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra is named; images that nobody named stay bytes."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ut.UndertowError, match=r"undertow\[images\]"):
        ut.check(PICTURES, PICTURES, image="img")
    assert ut.check(PICTURES, PICTURES).verdict is not ut.Verdict.CHANGED

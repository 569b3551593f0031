"""Images: what is measured of them, what is wrong with some, and what the checks say."""

from __future__ import annotations

import io
import sys

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow.adapters.images import NUMBERS, developed, image_columns
from undertow.core.errors import DataError, MissingExtra, UsageError
from undertow.core.verdict import Verdict
from undertow.sources import open_dataset

Image = pytest.importorskip("PIL.Image")


def picture(seed=0, size=(24, 16), level=None, form="PNG", mode="RGB"):
    """Return the bytes of an image of noise, or of one grey."""
    random = np.random.default_rng(seed)
    cells = random.integers(0, 256, (*size[::-1], 3), np.uint8)
    if level is not None:
        cells[:] = level
    buffer = io.BytesIO()
    Image.fromarray(cells).convert(mode).save(buffer, form)
    return buffer.getvalue()


def smooth(seed, light=1.0):
    """Return a small scene: a slope of light and a spot."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 32))
    at = random.uniform(0, 1, 4)
    cells = 90 * at[0] + 80 * x * at[1] + 120 * np.exp(-20 * ((x - at[2]) ** 2 + (y - at[3]) ** 2))
    shades = np.stack([cells * light * c for c in (1, 0.8, 0.6)], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(shades, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def rows(cells, kind=None, **options):
    """Return what is made of images, a dict a row."""
    dataset = open_dataset(pa.table({"n": list(range(len(cells))), "photo": pa.array(cells, kind)}))
    made = developed(dataset, ["photo"], **options)
    return [row for batch in made.batches() for row in batch.to_pylist()]


def test_what_is_measured_is_what_is_there():
    """What is measured is what is there."""
    black, white, noise = rows([picture(level=0), picture(level=255), picture(1)])
    assert (black["photo:brightness"], white["photo:brightness"]) == (0.0, 1.0)
    assert black["photo:contrast"] == white["photo:sharpness"] == 0.0
    assert noise["photo:sharpness"] > 1
    assert noise["photo:saturation"] > 0.3
    assert (noise["photo:width"], noise["photo:height"], noise["photo:aspect"]) == (24, 16, 1.5)
    assert (noise["photo:format"], noise["photo:state"]) == ("PNG", "read")
    assert noise["n"] == 2
    assert max(Image.open(io.BytesIO(noise["photo"])).size) <= 48


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_mode_is_read(mode):
    """Every mode is read."""
    buffer = io.BytesIO()
    form = "TIFF" if mode == "CMYK" else "PNG"
    grey = Image.fromarray(np.full((20, 20), 128, np.uint8))
    if mode == "I;16":
        Image.fromarray(np.full((20, 20), 32_896, np.uint16)).save(buffer, form)
    else:
        grey.convert(mode).save(buffer, form)
    (row,) = rows([buffer.getvalue()])
    assert row["photo:state"] == "read"
    if mode != "1":
        assert row["photo:brightness"] == pytest.approx(128 / 255, abs=0.02)


def test_what_cannot_be_read_is_told_and_no_row_is_lost(tmp_path):
    """What cannot be read is told and no row is lost."""
    good = picture()
    huge = bytearray(picture(size=(8, 8)))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2  # the size a PNG claims to have
    made = rows([good, b"not an image", good[:60], None, b"", bytes(huge)], pa.binary())
    assert [row["n"] for row in made] == [0, 1, 2, 3, 4, 5]
    states = [row["photo:state"] for row in made]
    assert states[:2] == ["read", "broken"]
    assert states[2:5] == ["broken", "absent", "broken"]
    assert states[5] in {"huge", "broken"}
    assert all(made[n]["photo:brightness"] is None for n in range(1, 6))


def test_paths_are_read_and_a_missing_file_is_missing(tmp_path):
    """Paths are read and a missing file is missing."""
    (tmp_path / "a.png").write_bytes(picture(3))
    made = rows([str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path)])
    assert [row["photo:state"] for row in made] == ["read", "absent", "broken"]


def test_a_batch_is_the_same_read_twice_and_by_columns():
    """A batch is the same read twice and by columns."""
    dataset = open_dataset(pa.table({"n": [1, 2, 3], "photo": [picture(n) for n in range(3)]}))
    made = developed(dataset, ["photo"])
    whole = pa.Table.from_batches(made.batches())
    assert pa.Table.from_batches(made.batches()).equals(whole)
    some = pa.Table.from_batches(made.batches(["photo:brightness", "n"]))
    assert some.equals(whole.select(["photo:brightness", "n"]))
    assert pa.Table.from_batches(made.batches(["n"])).num_rows == 3
    assert len(NUMBERS) == 7


def test_bytes_that_are_images_are_found_and_others_are_not():
    """Bytes that are images are found and others are not."""
    table = pa.table({"photo": [picture()], "raw": [b"\x00\x01"], "word": ["x"]})
    assert image_columns(open_dataset(table)) == ("photo",)


def test_a_number_is_no_image():
    """A number is no image."""
    with pytest.raises(UsageError, match="'n' holds no images: it is int64"):
        developed(open_dataset(pa.table({"n": [1]})), ["n"])


def test_without_pillow_an_image_that_was_named_asks_for_it(monkeypatch):
    """Without pillow an image that was named asks for it."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    dataset = open_dataset(pa.table({"photo": [picture()]}))
    with pytest.raises(MissingExtra, match=r"undertow\[images\]"):
        developed(dataset, ["photo"])
    assert developed(dataset, []) is dataset


def test_vectors_of_images_come_from_any_callable():
    """Vectors of images come from any callable."""

    def encoder(images):
        return [np.asarray(each.resize((2, 2)), np.float32).ravel() for each in images]

    made = rows([picture(1), b"broken", picture(2)], encoder=encoder)
    assert [None if row["photo~vector"] is None else len(row["photo~vector"]) for row in made] == [
        12,
        None,
        12,
    ]
    with pytest.raises(DataError, match=r"shape \(1, 2\) for 2 images"):
        rows([picture(1), picture(2)], encoder=lambda _: [[1.0, 2.0]])
    with pytest.raises(DataError, match="no matrix of numbers"):
        rows([picture(1)], encoder=lambda _: [["a"]])


def sides(light=1.0, broken=0, rows=400):
    """Sides."""
    before = pa.table({"photo": [smooth(n) for n in range(rows)]})
    now = [smooth(5000 + n, light) for n in range(rows)]
    now[:broken] = [b"broken"] * broken
    return before, pa.table({"photo": now})


def test_darker_images_are_found_and_shown():
    """Darker images are found and shown."""
    report = ut.check(*sides(light=0.4))
    found = report["photo:brightness"]
    assert found.verdict is Verdict.CHANGED
    assert found.examples[0]["photo"].startswith("data:image/jpeg;base64,")
    assert all(not each.examples for each in report.redact().findings)


def test_the_same_light_is_quiet():
    """The same light is quiet."""
    report = ut.check(*sides())
    assert report.verdict in {Verdict.STEADY, Verdict.UNKNOWN}


def test_broken_images_are_told_once():
    """Broken images are told once."""
    report = ut.check(*sides(broken=60))
    told = {f.subject for f in report.findings if f.verdict is Verdict.CHANGED}
    assert "photo:state=broken" in told
    assert not {name for name in told if name.startswith("photo:bright")}


def test_copies_are_found():
    """Copies are found."""
    before = pa.table({"photo": [picture(n) for n in range(300)]})
    now = pa.table({"photo": [picture(999)] * 60 + [picture(5000 + n) for n in range(240)]})
    report = ut.check(before, now)
    twins = next(f for f in report.findings if f.check == "quality.twins")
    assert twins.verdict is Verdict.CHANGED


@pytest.mark.real
def test_two_halves_of_real_photographs_are_quiet(real):
    """Two halves of real photographs are quiet."""
    import pyarrow.parquet as pq

    table = pq.read_table(real("cifar10n_first10k")).select(["jpeg"])
    report = ut.check(table.slice(0, 5000), table.slice(5000))
    assert report.verdict is Verdict.STEADY
    assert report["jpeg:brightness"].effect.high < 0.1

"""Images made plain: each is decoded once, and becomes a thumbnail and a few columns beside it.

Of a column `photo` (bytes, or paths to files) stay a thumbnail and `photo:brightness`, `:contrast`,
`:saturation`, `:sharpness`, `:width`, `:height`, `:aspect`, `:format`, `:state` and `:print`, and with
an encoder the vectors `photo~vector`. Needs Pillow (extra `images`).
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.adapters.callables import imported
from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, MissingExtra, UsageError

NUMBERS = ("brightness", "contrast", "saturation", "sharpness", "width", "height", "aspect")
WORDS = ("format", "state", "print")
READ, ABSENT, BROKEN, HUGE = "read", "absent", "broken", "huge"
"""States: decoded; null or no such file; not to be decoded; more pixels than MOST_PIXELS."""
MOST_PIXELS = 64_000_000
"""An image of more is told and not decoded: a small file can spell one that fills the memory."""
LOOKED_AT = 256
"""Pixels of the longer side at which an image is measured."""
THUMBNAIL = 48
UNSTEADY = 0.99
"""Cosine of one image's two vectors below which an encoder is refused."""
TEXTS = (pa.types.is_string, pa.types.is_large_string)
BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_BATCH = 256

Matrix = NDArray[np.float32]
Encodes = Callable[[Sequence[Any]], Any]
"""What makes vectors of images: a list of PIL images (RGB) -> (n, d) numbers."""


def image_columns(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns of bytes whose first values are images."""
    names = [field.name for field in dataset.arrow if any(test(field.type) for test in BYTES)]
    if not names:
        return ()
    for batch in dataset.batches(names):
        found = []
        for name in names:
            cells = batch.column(name).drop_null().slice(0, 20).to_pylist()
            if cells and sum(_is_image(cell) for cell in cells) > len(cells) / 2:
                found.append(name)
        return tuple(found)
    return ()


def _is_image(cell: bytes) -> bool:
    return cell.startswith(MAGIC) or (cell[:4] == b"RIFF" and cell[8:12] == b"WEBP")


def developed(
    dataset: Dataset,
    columns: Iterable[str],
    *,
    left: Collection[str] = (),
    encoder: Encodes | str | None = None,
) -> Dataset:
    """Return the data set with its images made plain: these columns, and bytes that are images.

    Columns in `left` are images only where `columns` says so. Raises UsageError for a column that is
    neither bytes nor paths, MissingExtra without Pillow; without it, images that nobody named stay
    bytes, which no check compares.
    """
    asked = [name for name in dict.fromkeys(columns) if name in dataset.arrow.names]
    for name in asked:
        kind = dataset.arrow.field(name).type
        if not any(test(kind) for test in (*TEXTS, *BYTES)):
            raise UsageError(
                f"column {name!r} holds no images: it is {kind}; give bytes, or paths to files"
            )
    found = [name for name in image_columns(dataset) if name not in left]
    names = tuple(dict.fromkeys([*asked, *found]))
    if not names:
        return dataset
    try:
        import PIL.Image  # noqa: F401 - only whether it is there
    except ImportError:
        if not asked:
            return dataset
        raise MissingExtra("images", "Pillow", f"the image column {asked[0]!r}") from None
    return Developed(dataset, names, imported(encoder) if isinstance(encoder, str) else encoder)


class Developed:
    """A data set whose images are decoded once, at the first reading, and kept as plain columns."""

    def __init__(self, inner: Dataset, images: Sequence[str], encoder: Encodes | None) -> None:
        """Take a data set, its image columns, and what makes vectors of images, if anything does."""
        self.source, self.inner, self.images = inner.source, inner, tuple(images)
        self.encoder = encoder
        self._file: IO[bytes] | None = None
        self._sizes: dict[str, int] = {}
        fields = []
        for field in inner.arrow:
            if field.name not in self.images:
                fields.append(field)
                continue
            fields.append(pa.field(field.name, pa.binary()))
            made = {f"{field.name}:{what}": pa.float64() for what in NUMBERS}
            made |= {f"{field.name}:{what}": pa.string() for what in WORDS}
            if encoder is not None:
                made[f"{field.name}~vector"] = pa.list_(pa.float32())
            told = {"undertow.origin": field.name}
            fields += [pa.field(name, kind, metadata=told) for name, kind in made.items()]
        taken = [field.name for field in fields]
        for name in taken:
            if taken.count(name) > 1:
                raise UsageError(f"{inner.source} has a column {name!r} already; rename it")
        self.arrow: pa.Schema = pa.schema(fields)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows again from the start, in order, only these columns."""
        wanted = list(self.arrow.names if columns is None else columns)
        made = [
            name for name in wanted if name not in self.inner.arrow.names or name in self.images
        ]
        if not made:
            yield from self.inner.batches(wanted)
            return
        if self._file is None:
            self._file = self._develop()
        kept = _Kept(self._file)
        schema = pa.schema([self.arrow.field(name) for name in wanted])
        plain = [name for name in wanted if name not in made]
        if not plain:
            for ours in kept:
                yield pa.record_batch([ours.column(name) for name in wanted], schema=schema)
            return
        for batch in self.inner.batches(plain):
            here = kept.take(batch.num_rows)
            arrays = [
                here.column(name).combine_chunks() if name in made else batch.column(name)
                for name in wanted
            ]
            yield pa.record_batch(arrays, schema=schema)

    def digest(self) -> str | None:
        """Return the digest of the data set."""
        return self.inner.digest()

    def _develop(self) -> IO[bytes]:
        """Decode every image and return a nameless file of what was made of them."""
        file: IO[bytes] = tempfile.TemporaryFile(prefix="undertow-")  # noqa: SIM115 - kept open
        weakref.finalize(self, file.close)
        names = [
            field.name
            for field in self.arrow
            if field.name in self.images or field.name not in self.inner.arrow.names
        ]
        schema = pa.schema([self.arrow.field(name) for name in names])
        with pa.ipc.new_file(file, schema) as writer:
            for batch in self.inner.batches(list(self.images)):
                made: dict[str, pa.Array] = {}
                for name in self.images:
                    made |= self._made(name, batch.column(name))
                writer.write_batch(pa.record_batch([made[n] for n in names], schema=schema))
        return file

    def _made(self, name: str, cells: pa.Array) -> dict[str, pa.Array]:
        rows: list[dict[str, Any]] = []
        vectors: list[list[float] | None] = []
        pictures: list[Any] = []
        for cell in cells:
            row, picture = _row(cell.as_py())
            rows.append(row)
            pictures.append(picture)
            if self.encoder is not None and len(pictures) == _BATCH:
                vectors += self._vectors(name, pictures)
            if self.encoder is None or len(pictures) == _BATCH:
                pictures = []
        made = {name: pa.array([row.get("thumbnail") for row in rows], pa.binary())}
        for what in NUMBERS:
            made[f"{name}:{what}"] = pa.array([row.get(what) for row in rows], pa.float64())
        for what in WORDS:
            made[f"{name}:{what}"] = pa.array([row.get(what) for row in rows], pa.string())
        if self.encoder is not None:
            vectors += self._vectors(name, pictures)
            made[f"{name}~vector"] = pa.array(vectors, pa.list_(pa.float32()))
        return made

    def _vectors(self, name: str, pictures: Sequence[Any]) -> list[list[float] | None]:
        """Return the vectors of images; one that could not be read has none."""
        assert self.encoder is not None
        there = [picture for picture in pictures if picture is not None]
        if not there:
            return [None] * len(pictures)
        found = self._called(name, there)
        if found.ndim != 2 or len(found) != len(there):
            raise DataError(
                f"the encoder of {name!r} gave shape {found.shape} for {len(there)} images: it has to "
                "give one vector each"
            )
        if not np.isfinite(found).all():
            raise DataError(f"the encoder of {name!r} gave NaN or infinity; see for which image")
        if name not in self._sizes:
            self._twice(name, there[0], found[0])
        if self._sizes.setdefault(name, found.shape[1]) != found.shape[1]:
            raise DataError(
                f"the encoder of {name!r} gave vectors of {self._sizes[name]} numbers, then of "
                f"{found.shape[1]}"
            )
        rows = iter(found.tolist())
        return [None if picture is None else next(rows) for picture in pictures]

    def _called(self, name: str, pictures: Sequence[Any]) -> Matrix:
        assert self.encoder is not None
        try:
            found = self.encoder(pictures)
        except Exception as error:  # whatever the user's code raises, it is one thing to the user
            what = str(error).strip().split("\n")[0][:120]
            told = f"{type(error).__name__}: {what}" if what else type(error).__name__
            raise DataError(
                f"the encoder of {name!r} failed on {len(pictures)} images ({told}); try it on one"
            ) from error
        try:
            with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinity
                return np.asarray(found, np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the encoder of {name!r} gave no matrix of numbers: {error}"
            ) from error

    def _twice(self, name: str, picture: Any, first: Matrix) -> None:
        """Raise DataError where an image, encoded again, gives another vector."""
        again = self._called(name, [picture]).ravel()
        size = float(np.linalg.norm(first)) * float(np.linalg.norm(again))
        if again.shape != first.shape or (size > 0 and float(first @ again) / size < UNSTEADY):
            raise DataError(
                f"the encoder of {name!r} is not deterministic: one image, encoded twice, gave two "
                "vectors; switch dropout or sampling off"
            )


class _Kept:
    """What was made of images, read again in pieces of any size."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = pa.ipc.open_file(file)
        self.at, self.left = 0, pa.Table.from_batches([], self.file.schema)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return (self.file.get_batch(place) for place in range(self.file.num_record_batches))

    def take(self, rows: int) -> pa.Table:
        while self.left.num_rows < rows:
            more = pa.Table.from_batches([self.file.get_batch(self.at)])
            self.left, self.at = pa.concat_tables([self.left, more]), self.at + 1
        taken, self.left = self.left.slice(0, rows), self.left.slice(rows)
        return taken


def _row(cell: bytes | str | None) -> tuple[dict[str, Any], Any]:
    """Return what is made of one image, and the image itself at the size it was looked at."""
    from PIL import Image, UnidentifiedImageError

    if cell is None:
        return {"state": ABSENT}, None
    row: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = Path(os.fspath(cell)) if isinstance(cell, str) else io.BytesIO(cell)
            with Image.open(source) as image:
                row = {
                    "width": float(image.width),
                    "height": float(image.height),
                    "aspect": image.width / max(image.height, 1),
                    "format": image.format,
                }
                if image.width * image.height > MOST_PIXELS:
                    return {**row, "state": HUGE}, None
                picture = _small(image)
                return {**row, **_measured(picture), "state": READ}, picture
    except FileNotFoundError:
        return {"state": ABSENT}, None
    except Image.DecompressionBombError:
        return {**row, "state": HUGE}, None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, MemoryError):
        return {**row, "state": BROKEN}, None


def _small(image: Any) -> Any:
    """Return an image in RGB, upright, at most LOOKED_AT pixels long; what is clear is white."""
    from PIL import Image, ImageOps

    image.draft("RGB", (LOOKED_AT, LOOKED_AT))  # a JPEG is decoded at the size it is needed in
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        deep = np.asarray(image, np.float64)
        top = 65_535.0 if deep.max(initial=0.0) > 255 else 255.0
        image = Image.fromarray(np.clip(deep * (255 / top), 0, 255).astype(np.uint8))
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        image = Image.alpha_composite(white, clear)
    image = ImageOps.exif_transpose(image).convert("RGB")
    image.thumbnail((LOOKED_AT, LOOKED_AT))
    return image


def _measured(image: Any) -> dict[str, Any]:
    """Return the numbers of an image in RGB, its print and its thumbnail.

    Brightness and contrast are mean and standard deviation of the luma, saturation the mean of HSV's,
    each from 0 to 1; sharpness is the variance of the Laplacian of the luma, in percent of its range
    squared (Pech-Pacheco et al. 2000, section 2). The print is a difference hash of 64 bits: images
    that look the same have the same one.
    """
    from PIL import Image

    luma = np.asarray(image.convert("L"), np.float64) / 255
    colours = np.asarray(image.convert("HSV"), np.float64)[..., 1] / 255
    tiny = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BILINEAR), np.int16)
    bits = np.packbits((tiny[:, 1:] > tiny[:, :-1]).ravel())
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "PNG" if max(small.size) <= 16 else "JPEG", quality=70)
    return {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "saturation": float(colours.mean()),
        "sharpness": 100 * float(_laplacian(luma).var()) if min(luma.shape) > 2 else None,
        "print": bytes(bits).hex(),
        "thumbnail": buffer.getvalue(),
    }


def _laplacian(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return np.asarray(around - 4 * middle)

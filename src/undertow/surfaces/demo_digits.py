"""The demo's first story: a new scanner, and a model that goes on answering."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Images = NDArray[np.float64]
SEED = 7


@dataclass(frozen=True)
class Story:
    """What was planted, and the two tables that a team would have logged."""

    before: str
    planted: str
    reference: pa.Table
    production: pa.Table
    options: dict[str, str]
    truth: str


def digits() -> Story:
    """Train a classifier on scikit-learn's digits; send half of its later traffic through a new scanner.

    597 images train it, 600 others are the reference, the last 600 are production.
    """
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(SEED)
    data = load_digits()
    order = random.permutation(len(data.images))
    images, labels = data.images[order], data.target[order]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(images[:597].reshape(597, -1), labels[:597])
    live = images[1197:].copy()
    replaced = random.permutation(len(live))[: len(live) // 2]
    live[replaced] = new_scanner(live[replaced])

    def logged(pictures: Images, truth: NDArray[np.int64]) -> tuple[pa.Table, float]:
        sure = model.predict_proba(pictures.reshape(len(pictures), -1))
        answers = sure.argmax(axis=1)
        table = pa.table(
            seen(pictures)
            | {
                "prediction": answers.astype(str),
                "confidence": sure.max(axis=1),
                "label": truth.astype(str),
            }
        )
        return table, float((answers == truth).mean())

    reference, right = logged(images[597:1197], labels[597:1197])
    production, wrong = logged(live, labels[1197:])
    return Story(
        f"a logistic regression trained on 597 scans; {right:.0%} right on the 600 of the reference",
        "600 later scans. Half of them come from a new scanner: paler, one pixel to the right, a smudge "
        "in one corner. No exception is raised",
        reference,
        production,
        _options(),
        f"the new scanner took accuracy from {right:.0%} to {wrong:.0%}",
    )


def new_scanner(images: Images) -> Images:
    """Return the images as the new scanner sees them: paler, shifted by a pixel, smudged."""
    shifted = np.roll(images, 1, axis=2)
    shifted[:, :, 0] = 0
    paler = np.floor(shifted * 0.55) + 2
    paler[:, 6:, :2] += 7
    return np.asarray(np.minimum(paler, 16.0))


def _options() -> dict[str, str]:
    told = {"prediction": "prediction", "score": "confidence", "label": "label"}
    if find_spec("PIL") is None:
        return told
    return told | {"image": "scan", "image_encoder": "undertow.surfaces.demo_digits:pixels"}


def seen(images: Images) -> dict[str, Any]:
    """Return what is logged: the scans and where their ink is; without Pillow, numbers alone."""
    numbers = features(images)
    if find_spec("PIL") is None:
        return dict(numbers)
    kept = ("ink_left_to_right", "ink_top_to_bottom", "lower_left_corner")
    return {"scan": [png(image) for image in images]} | {name: numbers[name] for name in kept}


def png(image: NDArray[np.float64]) -> bytes:
    """Return a digit of 8 x 8 shades from 0 to 16 as a PNG, dark ink on white."""
    from PIL import Image

    buffer = io.BytesIO()
    shades = np.clip(255 - image * 255 / 16, 0, 255).round().astype(np.uint8)
    Image.fromarray(shades).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(images: Sequence[Any]) -> list[NDArray[np.float32]]:
    """Return the ink of each pixel: the vectors that this model sees."""
    return [255 - np.asarray(image.convert("L"), np.float32).ravel() for image in images]


def features(images: Images) -> dict[str, NDArray[np.float64]]:
    """Return what a team logs of an image: ink, contrast, where the ink is, the corners."""
    ink = images.sum(axis=(1, 2))
    columns = np.arange(images.shape[2])
    return {
        "mean_ink": images.mean(axis=(1, 2)),
        "contrast": images.std(axis=(1, 2)),
        "darkest": images.max(axis=(1, 2)),
        "ink_left_to_right": (images.sum(axis=1) * columns).sum(axis=1) / ink,
        "ink_top_to_bottom": (images.sum(axis=2) * columns).sum(axis=1) / ink,
        "lower_left_corner": images[:, 6:, :2].mean(axis=(1, 2)),
        "blank_pixels": (images == 0).mean(axis=(1, 2)),
    }

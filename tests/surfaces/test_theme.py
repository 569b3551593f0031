"""The palette is read from the style sheet and measured: contrast, and for every sight."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from undertow.surfaces.html import source

Colours = dict[str, np.ndarray]
# Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def themes() -> dict[str, Colours]:
    """Return the light and the dark palette, as linear RGB."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", source("theme.css"))
    made: dict[str, Colours] = {"light": {}, "dark": {}}
    for name, light, dark in pairs:
        made["light"][name], made["dark"][name] = linear(light), linear(dark)
    return made


def linear(code: str) -> np.ndarray:
    """Return a hexadecimal colour as linear RGB."""
    c = np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Return the contrast ratio as WCAG 2 defines it."""
    a, b = (float(c @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other))
    return max(a, b) / min(a, b)


def lab(colour: np.ndarray) -> np.ndarray:
    """Return a linear RGB colour in CIE Lab (D65)."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    t = to_xyz @ np.clip(colour, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: np.ndarray, other: np.ndarray, sight: np.ndarray) -> float:
    """Return how far apart two colours look (CIE76) to an eye."""
    return math.dist(lab(sight @ one), lab(sight @ other))


@pytest.fixture(params=["light", "dark"])
def colours(request: pytest.FixtureRequest) -> Colours:
    """Return one palette."""
    return themes()[request.param]


@pytest.mark.parametrize("name", ["ink", "ink2", "link", "changed", "cur"])
@pytest.mark.parametrize("ground", ["bg", "panel"])
def test_text_can_be_read(colours: Colours, name: str, ground: str) -> None:
    """Every colour that text has is at least 4.5 to 1 on every ground."""
    assert contrast(colours[name], colours[ground]) >= 4.5


@pytest.mark.parametrize("name", ["ref", "cur", "changed", "watch", "steady", "axis"])
def test_marks_can_be_seen(colours: Colours, name: str) -> None:
    """Every colour that carries data is at least 3 to 1 on the page."""
    assert contrast(colours[name], colours["bg"]) >= 3


@pytest.mark.parametrize("sight", SIGHT)
def test_states_differ_for_every_eye(colours: Colours, sight: str) -> None:
    """States, and the two inks, stay apart with normal, protan, deutan and tritan sight."""
    for one, other in [*itertools.combinations(("changed", "watch", "steady"), 2), ("ref", "cur")]:
        assert distance(colours[one], colours[other], SIGHT[sight]) >= 20, (one, other)


def test_each_colour_is_written_once() -> None:
    """Style sheets name colours by variable; a code stands only where a variable is declared."""
    for name in ("theme.css", "report.css"):
        rest = re.sub(r"--[\w-]+: light-dark\([^)]*\)", "", source(name))
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b", rest), name

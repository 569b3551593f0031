"""A bridge recovers what an orthogonal map can, says what it cannot, and comes back as it was."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError
from undertow.repair.bridge import Bridge, attempt
from undertow.stats.neighbours import unit


def points(rows: int, dimensions: int, seed: int = 0):
    """Return random directions in a few clumps, as texts lie."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(rows // 12, dimensions))
    made = centres[random.integers(len(centres), size=rows)]
    return unit((made + 0.5 * random.normal(size=made.shape)).astype(np.float32))


def turned(rows, seed: int = 1):
    """Return the rows in another space: turned at random."""
    random = np.random.default_rng(seed)
    return unit(rows @ np.linalg.qr(random.normal(size=(rows.shape[1],) * 2))[0].astype(np.float32))


@settings(max_examples=10)
@given(st.integers(3, 24), st.integers(0, 20), st.floats(0.1, 50))
def test_a_pure_rotation_is_undone(dimensions, seed, scale):
    """Rows that were never seen come back to where they were, in whatever scale they come."""
    old = points(240, dimensions, seed)
    new = turned(old, seed)
    bridge = Bridge.fit(new[:200] * scale, old[:200])
    assert bridge.apply(new[200:] * scale) == pytest.approx(old[200:], abs=1e-4)
    assert bridge.map.inverse(old[200:]) == pytest.approx(new[200:], abs=1e-4)
    assert bridge.recovery.value > 0.99


def test_a_foreign_space_is_refused_with_the_recovery():
    """Independent vectors have nothing to map, and the reason says how little came back."""
    with pytest.raises(DataError, match=r"no bridge: it recovers 0\.\d\d .* 0\.95 is needed"):
        Bridge.fit(points(300, 8), points(300, 8, seed=9))


def test_too_few_pairs_are_refused_with_how_many_it_takes():
    """A rotation of 64 numbers needs 84 pairs; below 50 nothing is tried."""
    old = points(240, 64)
    new = turned(old)
    with pytest.raises(DataError, match="60 pairs are too few to fit one: give 84 or more"):
        Bridge.fit(new[:60], old[:60])
    with pytest.raises(DataError, match="at least 50"):
        Bridge.fit(new[:40], old[:40])
    assert Bridge.fit(new[:200], old[:200]).pairs == 200


def test_the_gate_follows_the_tolerance():
    """What recovers .9 goes through a gate of .8 and not through one of .95."""
    old = points(600, 16)
    noisy = unit(
        turned(old) + np.random.default_rng(2).normal(size=old.shape).astype(np.float32) * 0.25
    )
    tried = attempt(noisy, old)
    assert 0.5 < tried.recovery.value < 0.93
    assert tried.refusal
    assert not attempt(noisy, old, tolerance=0.4).refusal


@pytest.mark.parametrize(("new", "old"), [(16, 8), (8, 16)])
def test_spaces_of_two_lengths_are_bridged(new, old):
    """A map between 8 and 16 numbers keeps angles as far as the fewer of them can."""
    rows = points(400, 8)
    wide = unit(np.hstack([rows, np.zeros_like(rows)]))
    wide = turned(wide)
    sides = {8: rows, 16: wide}
    bridge = Bridge.fit(sides[new], sides[old])
    assert bridge.dimensions == (new, old)
    assert bridge.apply(sides[new]) == pytest.approx(sides[old], abs=1e-4)


def test_a_decomposition_that_gives_up_is_done_another_way(monkeypatch):
    """LAPACK's fast routine fails on some matrices; the map is the same by the slow one."""
    old = points(200, 8)
    bridge = Bridge.fit(turned(old), old)

    def gives_up(*_, **__):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(np.linalg, "svd", gives_up)
    again = Bridge.fit(turned(old), old)
    assert again.map.weights == pytest.approx(bridge.map.weights, abs=1e-6)


def test_labels_say_what_is_relevant():
    """With labels, what the map must bring back is texts of one label."""
    old = points(300, 8)
    labels = np.repeat(np.arange(25), 12)
    assert Bridge.fit(turned(old), old, labels=labels).recovery.value == pytest.approx(1, abs=0.01)


def test_a_bridge_comes_back_from_its_file(tmp_path):
    """Saved and loaded, it maps alike and knows its spaces; there is no pickle in the file."""
    old = points(200, 8)
    bridge = Bridge.fit(turned(old), old, source="model-3", target="model-2")
    path = tmp_path / "bridge.npz"
    bridge.save(path)
    again = Bridge.load(path)
    assert again.about() == bridge.about()
    assert (again.apply(turned(old)) == bridge.apply(turned(old))).all()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bridge.npz"]
    with np.load(path, allow_pickle=False) as held:
        assert json.loads(held["about"].tobytes())["source"] == "model-3"


def test_vectors_of_another_space_are_refused():
    """Another dimension, another known space, NaN: one line each; rows of zeros stay zeros."""
    old = points(200, 8)
    bridge = Bridge.fit(turned(old), old, source="model-3", target="model-2")
    with pytest.raises(DataError, match="takes vectors of 8 numbers, these are 5 x 7"):
        bridge.apply(np.ones((5, 7), np.float32))
    with pytest.raises(DataError, match="takes vectors of model-3, these are of model-4"):
        bridge.apply(old, space="model-4")
    assert len(bridge.apply(old, space="model-3")) == 200
    with pytest.raises(DataError, match="1 of 2 vectors hold NaN"):
        bridge.apply(np.array([[1.0] * 8, [np.nan] * 8]))
    zeros = bridge.apply(np.zeros((2, 8), np.float32))
    assert not zeros.any()


@pytest.mark.parametrize("harm", ["empty", "text", "cut", "version", "bent", "pickle"])
def test_a_damaged_file_is_refused(tmp_path, harm):
    """Whatever is in the file, it is one line that says so."""
    old = points(200, 8)
    path = tmp_path / "b.npz"
    bridge = Bridge.fit(turned(old), old)
    content = bridge.to_bytes()
    parts = {
        "weights": bridge.map.weights,
        "centre": bridge.map.centre,
        "target": bridge.map.target,
    }
    about = bridge.about()
    if harm == "version":
        about["undertow_bridge"] = 9
    if harm == "bent":
        parts["weights"] = parts["weights"] * 1.5
    if harm == "pickle":
        parts["centre"] = np.array([{}], object)
    out = io.BytesIO()
    np.savez(out, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **parts)
    made = {"empty": b"", "text": b"no bridge", "cut": content[: len(content) // 2]}
    path.write_bytes(made.get(harm, out.getvalue()))
    with pytest.raises(DataError, match=r"b\.npz: "):
        Bridge.load(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    """Reading and writing fail with the path."""
    with pytest.raises(DataError, match=r"none\.npz: No such file"):
        Bridge.load(tmp_path / "none.npz")
    old = points(200, 8)
    with pytest.raises(DataError, match="cannot be written"):
        Bridge.fit(old, old).save(tmp_path / "no" / "b.npz")


def test_rows_that_are_no_pairs_are_refused():
    """Two lengths, NaN and zero rows never reach the fit."""
    old = points(200, 8)
    with pytest.raises(DataError, match="200 and 150 vectors"):
        Bridge.fit(old, old[:150])
    spoiled = old.copy()
    spoiled[3] = 0
    with pytest.raises(DataError, match="none of them zero"):
        Bridge.fit(spoiled, old)

"""A profile file comes back whole, or is refused in one line."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow import plugins
from undertow.core.errors import ProfileError, UndertowError
from undertow.stores import profile_file


@pytest.fixture(scope="module")
def made():
    """The bytes of a profile with every kind of summary in it."""
    random = np.random.default_rng(0)
    rows = pa.table(
        {
            "x": random.normal(size=300),
            "c": random.choice(["a", "b\x00", "\u202e"], 300),
            "p": random.choice(["yes", "no"], 300),
            "label": random.choice(["yes", "no"], 300),
            "t": [f"some words number {i} of a longer text" for i in range(300)],
        }
    )
    profile = ut.profile(rows, prediction="p", text="t")
    return profile, profile_file.to_bytes(profile)


def read(content: bytes) -> ut.Profile:
    """Return the profile in these bytes."""
    return profile_file.from_bytes(content, "x.profile", plugins.summary, plugins.lenses())


def changed(content: bytes, edit) -> bytes:
    """Return the file with its JSON edited, everything else as it was."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "profile.json":
                header = json.loads(body)
                edit(header)
                body = json.dumps(header).encode()
            new.writestr(name, body)
    return out.getvalue()


def test_it_comes_back_whole(made):
    """Every summary, column and lens is the same after a round trip."""
    profile, content = made
    again = read(content)
    assert again.plan_id == profile.plan_id
    assert again.schema == profile.schema
    assert profile_file.to_bytes(again) == content


@pytest.mark.parametrize(
    "edit",
    [
        lambda h: h["parts"].pop(),
        lambda h: h.update(rows=-1),
        lambda h: h["parts"][0].update(tag="no-such-summary"),
        lambda h: h["columns"][0].update(kind="shape"),
        lambda h: h.update(plan="000000000000"),
        lambda h: h.pop("digest"),
        lambda h: h["parts"][0].update(state={"$array": [0, "|O", [1]]}),
        lambda h: h["parts"][0].update(state={"$array": [10**12, "<i8", [1]]}),
        lambda h: h["parts"][0].update(state={"$table": 99}),
    ],
)
def test_a_damaged_header_is_refused(made, edit):
    """Parts missing, unknown types, another plan, arrays that point elsewhere: one clear line."""
    with pytest.raises(UndertowError) as caught:
        read(changed(made[1], edit))
    assert "\n" not in str(caught.value)


def test_another_version_is_refused(made):
    """A file of a later undertow says so instead of being misread."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made[1])) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"undertow profile 9" if name == "magic.txt" else old.read(name))
    with pytest.raises(ProfileError, match="undertow profile 9"):
        read(out.getvalue())


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x03\x04magic.txtundertow profile 1", b"\0" * 300]
)
def test_what_is_no_profile_is_refused(content):
    """Nothing, noise and halves of files are refused."""
    with pytest.raises(ProfileError):
        read(content)


def test_a_saved_file_is_known_by_its_first_bytes(made, tmp_path):
    """`check` tells a profile from data by content, whatever the file is called."""
    path = tmp_path / "reference.parquet"
    ut.save(made[0], path)
    assert profile_file.is_profile(path)
    assert ut.load(path).rows == 300
    (tmp_path / "rows.csv").write_text("magic.txt\n")
    assert not profile_file.is_profile(tmp_path / "rows.csv")

"""No damage to a profile file gives a traceback or another profile: it is whole, or it is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import undertow as ut
from undertow import plugins
from undertow.core.errors import UndertowError
from undertow.stores import profile_file

CASES = 4000
_RANDOM = np.random.default_rng(0)
_ROWS = pa.table({"x": _RANDOM.normal(size=50), "c": _RANDOM.choice(["a", "b"], 50)})


@pytest.mark.heavy
def test_flipped_cut_and_spliced_files():
    """Thousands of damaged files: each is refused in one line, or reads as the very same profile."""
    profile = ut.profile(_ROWS)
    content = profile_file.to_bytes(profile)
    seen = {"cases": 0, "refused": 0, "lines": 0}

    @settings(max_examples=CASES)
    @given(st.data())
    def damage(data):
        spot = st.integers(0, len(content) - 1)
        broken = bytearray(content)
        for _ in range(data.draw(st.integers(1, 4))):
            kind = data.draw(st.sampled_from(["flip", "cut", "insert", "zero"]))
            at = data.draw(spot) % max(len(broken), 1)
            if kind == "flip" and broken:
                broken[at] ^= data.draw(st.integers(1, 255))
            elif kind == "cut":
                del broken[at : at + data.draw(st.integers(1, 64))]
            elif kind == "insert":
                broken[at:at] = data.draw(st.binary(min_size=1, max_size=16))
            else:
                broken[at : at + 8] = bytes(8)
        seen["cases"] += 1
        try:
            made = profile_file.from_bytes(bytes(broken), "x", plugins.summary, plugins.lenses())
        except UndertowError as error:
            seen["refused"] += 1
            seen["lines"] += str(error).count("\n") + 1
        else:
            # Damage the reader cannot notice (a date in the zip) must change nothing.
            assert profile_file.to_bytes(made) == content

    damage()
    print(
        f"profile files: {seen['cases']:,} damaged, {seen['refused']:,} refused, the rest unharmed"
    )
    assert seen["cases"] >= CASES

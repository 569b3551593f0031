"""An index whose writer is killed, or whose disk is full: the old version or the new, no other."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from undertow.core.errors import DataError
from undertow.index import check, durable
from undertow.index.folder import create, open_index


@pytest.fixture
def folder(tmp_path):
    """Return where the index goes."""
    return str(tmp_path / "index")


def full_disk(monkeypatch, step, error=errno.ENOSPC):
    """Let the n-th step on the disk fail; return a list that holds how many were taken."""
    taken = [0]

    def counted(function):
        def held(*args, **more):
            taken[0] += 1
            if taken[0] == step:
                raise OSError(error, os.strerror(error))
            return function(*args, **more)

        return held

    watched = SimpleNamespace(**vars(os))
    for name in ("open", "write", "fsync"):
        setattr(watched, name, counted(getattr(os, name)))
    monkeypatch.setattr(durable, "os", watched)
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    return taken


@pytest.mark.parametrize("what", ["build", "add", "switch", "tag", "rollback"])
def test_a_full_disk_at_any_step_leaves_the_old_version_or_the_new(folder, what):
    """Whatever step fails, one line says so, nothing half written is left, and it can be done again."""
    random = np.random.default_rng(0)
    rows, names = random.normal(size=(30, 4)).astype(np.float32), [f"d{row}" for row in range(30)]
    index = create(folder)
    index.build(names, rows, space="s")
    index.build(names, -rows, space="s")
    works = {
        "build": lambda: index.build(names, rows[::-1], space="s"),
        "add": lambda: index.add(["d1", "new"], rows[:2], space="s"),
        "switch": lambda: index.switch("v1"),
        "tag": lambda: index.tag("prod"),
        "rollback": index.rollback,
    }
    step, taken = 0, [1]
    while step <= taken[0]:
        step += 7 if what in {"build", "add"} and 5 < step < taken[0] - 10 else 1
        before = open_index(folder).version()
        with pytest.MonkeyPatch.context() as patch:
            taken = full_disk(patch, step)
            try:
                works[what]()
            except DataError as error:
                assert "no space left" in str(error)  # noqa: PT017 - it may as well succeed
        found = check.check(Path(folder))
        assert not found.faults
        assert not found.leftovers
        assert found.cut_off is None
        after = open_index(folder).version()
        assert open_index(folder).search(rows[:1], 3).ids.all()
        if after != before and what != "tag":
            index.switch(before.name)


def test_a_full_disk_says_what_still_answers(folder, monkeypatch):
    """The line names the version, as it was."""
    rows = np.eye(4, dtype=np.float32)
    index = create(folder)
    index.build(list("abcd"), rows)
    full_disk(monkeypatch, 9)
    with pytest.raises(DataError, match="no space left on device; v1 still answers, as it was"):
        index.build(list("abcd"), -rows)


def test_a_folder_that_cannot_be_written_is_still_read(folder, monkeypatch):
    """A search answers from memory where its file is gone; a change is refused in one line."""
    rows = np.eye(4, dtype=np.float32)
    create(folder).build(list("abcd"), rows)
    before = open_index(folder).search(rows, 2)
    next(Path(folder, "search").glob("*")).unlink()

    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    watched = SimpleNamespace(**vars(os))
    watched.open = refused
    monkeypatch.setattr(durable, "os", watched)
    assert open_index(folder).search(rows, 2).ids.tolist() == before.ids.tolist()
    with pytest.raises(DataError, match="permission denied"):
        open_index(folder).add(["e"], rows[:1])


def killed(folder, how, number):
    """Run the killer in an interpreter of its own, and return what it tells."""
    script = Path(__file__).with_name("killed_index.py")
    more = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), folder, how, str(number)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | more,
        timeout=900,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killer forks")
def test_kill_9_at_random_moments_leaves_one_whole_version(folder):
    """8 processes that change an index without end are killed: each time one version is whole."""
    told = killed(folder, "random", 8)
    assert told["killed"] == 8
    assert not told["wrong"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killer forks")
def test_kill_9_before_steps_on_the_disk_leaves_the_old_version_or_the_new(folder):
    """A process is killed before every thirteenth step that an add, a switch and the like take."""
    told = killed(folder, "steps", 13)
    assert told["old"] + told["new"] > 10
    assert not told["wrong"]


@pytest.mark.heavy
def test_kill_9_at_200_moments_and_before_every_step(folder, tmp_path):
    """The same, 200 times, and before each of the steps."""
    told = killed(folder, "random", 200)
    print(told)
    assert told["killed"] == 200
    assert not told["wrong"]
    told = killed(str(tmp_path / "steps"), "steps", 1)
    print(told)
    assert not told["wrong"]
    assert told["new"] > 5

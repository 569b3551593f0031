"""Kill a process that changes an index, again and again, and see what is left each time.

    python killed_index.py FOLDER random 50      at random moments of adds, switches and rollbacks
    python killed_index.py FOLDER steps 1        before each step that a change takes on the disk,
                                                 or each ninth with 9

Prints one line of JSON. It forks, so that one interpreter is started for all.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from undertow.index import check, durable, lock
from undertow.index.folder import create, open_index

DOCUMENTS = 200
CHANGED = [f"d{row}" for row in range(50)]


def vectors(number, count):
    """Return vectors, the same ones for a number."""
    return np.random.default_rng(number).normal(size=(count, 16)).astype(np.float32)


def add(index, number):
    """Give 50 documents the same new text: in a whole version all of them have it."""
    index.add(CHANGED, vectors(number, 50), texts=[f"write {number}"] * 50, space="one")


def whole(folder):
    """Return why an index is not one whole version, or ""."""
    index = open_index(folder)
    held = index.stored()
    texts = {text for name, text in zip(held.ids, held.texts, strict=True) if name in set(CHANGED)}
    if len(texts) != 1 or len(held) != DOCUMENTS or len(index) != DOCUMENTS:
        return f"{index.version().name}: {sorted(texts)}, {len(held)} documents"
    rows = held.vectors[:20]
    if index.search(rows, 1, space="one").ids[:, 0].tolist() != list(held.ids[:20]):
        return f"{index.version().name}: documents do not find themselves"
    return "; ".join(f"{each.file}: {each.says}" for each in check.check(folder).faults)


def child(folder, work):
    """Run some work in a process of its own, and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work(open_index(folder))
    finally:
        os._exit(0)


def busy(index):
    """Change an index until killed."""
    number = int(time.monotonic() * 1e6)
    while True:
        number += 1
        add(index, number)
        index.rollback()
        index.switch("prod")
        index.tag("seen")
        index.prune(3)


def at_random(folder, times):
    """Kill at random moments, and return what was left."""
    told = {"killed": 0, "cut_off": 0, "wrong": []}
    for each in range(times):
        pid = child(folder, busy)
        time.sleep(random.Random(each).uniform(0.005, 0.12))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        told["killed"] += 1
        left = open_index(folder).cut_off
        told["cut_off"] += left is not None
        wrong = whole(folder)
        if wrong:
            told["wrong"].append(wrong)
        add(open_index(folder), each)  # the next writer is not stopped by it
        if left is not None and open_index(folder).cut_off is None:
            told["wrong"].append("the mark of a cut-off change is gone before a verify")
        check.mend(folder, check.check(folder))
        if open_index(folder).cut_off is not None or check.check(folder).leftovers:
            told["wrong"].append("a verify left something")
    return told


def dies_at(step, where):
    """Let this process be killed before its n-th step on the disk; `where` is told how many there are."""
    done = 0

    def counted(function):
        def held(*args, **more):
            nonlocal done
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            where.write_text(str(done))
            return function(*args, **more)

        return held

    def watched(*names):
        """Return the module os with these functions counted."""
        found = SimpleNamespace(**vars(os))
        for name in names:
            setattr(found, name, counted(getattr(os, name)))
        return found

    durable.os = watched("open", "write", "fsync")
    lock.os = watched("ftruncate")
    Path.replace, Path.unlink = counted(Path.replace), counted(Path.unlink)


WORKS = {
    "add": lambda index: add(index, 7),
    "switch": lambda index: index.switch("prod"),
    "rollback": lambda index: index.rollback(),
    "tag": lambda index: index.tag("other"),
    "prune": lambda index: index.prune(1),
}


def at_steps(folder, stride):
    """Kill before each n-th step of each change, and return what was left."""
    told = {"steps": {}, "old": 0, "new": 0, "wrong": []}
    for name, work in WORKS.items():
        step, last = 1 - stride, 10**6
        while step < last:
            step += stride
            count = folder.with_name(f"{folder.name}.count")
            count.write_text("0")
            add(open_index(folder), step)
            index = open_index(folder)
            before = index.version().name

            def run(index, step=step, count=count, work=work):
                dies_at(step, count)
                work(index)

            _, ended = os.waitpid(child(folder, run), 0)
            if not os.WIFSIGNALED(ended):
                last = step
            told["old" if open_index(folder).version().name == before else "new"] += 1
            wrong = whole(folder)
            if wrong:
                told["wrong"].append(f"{name}, step {step}: {wrong}")
            check.mend(folder, check.check(folder))
        told["steps"][name] = int(count.read_text())
    return told


def main():
    """Make an index, and kill who changes it."""
    folder = Path(sys.argv[1])
    index = create(folder)
    names = [f"d{row}" for row in range(DOCUMENTS)]
    index.build(
        names, vectors(0, DOCUMENTS), texts=["write 0"] * DOCUMENTS, space="one", tag="prod"
    )
    ways = {"steps": at_steps, "random": at_random}
    print(json.dumps(ways[sys.argv[2]](folder, int(sys.argv[3]))))


if __name__ == "__main__":
    main()

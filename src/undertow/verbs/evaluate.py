"""Score an encoder on tasks of one's own, and tell whether it moved since an earlier report."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np

from undertow.adapters import mteb
from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import Matrix, encode
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.report import Report, Source
from undertow.core.task import Answers, Embed, Evaluates, Task
from undertow.core.verdict import check_tolerance
from undertow.detect import evaluation
from undertow.detect.evaluation import Result
from undertow.options import Encoder, Progress
from undertow.sources.earlier import Earlier, read_earlier
from undertow.sources.tasks import read_tasks
from undertow.stats.answers import answered
from undertow.stats.graded import graded
from undertow.stats.itemised import EFFECT

LIBRARIES = ("mteb", "builtin")
TOLERANCE = 0.02
NEAR = 1e-4
"""How far the library's own score may lie from the one that its answers add up to."""


class Options(TypedDict, total=False):
    """What else can be said of a run.

    `reference` is an earlier report of this verb as JSON. `tolerance` is the smallest fall of a score
    that matters (0.02). `library` is "mteb", "builtin" (the same protocol in numpy and scikit-learn),
    or anything that `Evaluates`.
    """

    reference: str | os.PathLike[str] | None
    tolerance: float | None
    library: str | Evaluates
    progress: Progress | None


def evaluate(encoder: Encoder, tasks: str | os.PathLike[str], **options: Unpack[Options]) -> Report:
    """Score `encoder` on the tasks of a folder, offline, and compare with an earlier report of them.

    A task is a folder of its own with tables: retrieval, classification, clustering, sts or pair
    classification. Without a reference each score is a baseline, with its interval; the report's JSON
    is the next run's reference. With one, each task's score is compared item by item; a rise is told
    and is no alarm.

    Raises UsageError or DataError where the tasks, the encoder or the earlier report are unusable,
    MissingExtra where mteb is asked for and not installed.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = [f"the {a} cat,the {a} dog,{n % 5}" for n, a in enumerate("abcdefghijkl")]
    ...     table = chr(10).join(["text1,text2,score", *rows])
    ...     _ = pathlib.Path(folder, "pets.csv").write_text(table)
    ...     report = evaluate("tfidf", folder, library="builtin")
    >>> report.verdict, report.findings[0].evidence["type"]
    (<Verdict.UNKNOWN: 'unknown'>, 'sts')
    """
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(
                f"no option {name!r}{did_you_mean(name, sorted(Options.__annotations__))}"
            )
    tolerance = options.get("tolerance")
    limit = check_tolerance(EFFECT, TOLERANCE if tolerance is None else tolerance)
    runner = _library(options.get("library", "mteb"))
    reference = options.get("reference")
    kept = None if reference is None else read_earlier(reference)
    before = None if kept is None else evaluation.earlier(kept.findings, kept.source)
    if before is not None:
        _one_library(runner, before, os.fspath(reference or ""))
    found = read_tasks(tasks)
    opened = open_encoder(encoder)
    notes = [f"task {task.name!r}: {note}" for task in found for note in task.notes]
    results = []
    for task in found:
        result, said = _scored(task, opened, runner, options.get("progress"))
        results.append(result)
        notes += said
    if before is not None:
        notes += _versions(results, before)
        if (said_of := evaluation.renamed(results, before)) is not None:
            notes.append(said_of)
        notes += evaluation.rises(results, before)
    made = evaluation.findings(results, before, limit)
    return Report.of(*_sources(opened.name, results, before, kept), made, notes=notes)


@dataclass(frozen=True)
class _Builtin:
    """The same protocol in numpy and scikit-learn; it gives no scores of its own."""

    name: str = "builtin"

    def __call__(self, task: Task, embed: Embed, /) -> Answers:
        """Return what the encoder answers."""
        return answered(task, embed)


def _library(given: str | Evaluates) -> Evaluates:
    if not isinstance(given, str):
        return given
    if given == "mteb":
        return mteb.opened()
    if given == "builtin":
        return _Builtin(f"builtin, scikit-learn {importlib.metadata.version('scikit-learn')}")
    raise UsageError(f"no library {given!r}{did_you_mean(given, LIBRARIES)}")


def _one_library(runner: Evaluates, before: dict[str, Result], source: str) -> None:
    """Refuse scores of two libraries: their rules differ where ties and rounding do."""
    named = {each.library.partition(" ")[0].rstrip(",") for each in before.values()}
    mine = runner.name.partition(" ")[0].rstrip(",")
    if named != {mine}:
        told = " and ".join(sorted(named))
        raise UsageError(
            f"{source}: was scored by {told}, this run by {mine}; give --library {told}"
        )


def _versions(now: Sequence[Result], before: dict[str, Result]) -> list[str]:
    old, new = ({each.library for each in some} for some in (before.values(), now))
    if old == new:
        return []
    return [f"scored by {', '.join(sorted(new))}, before by {', '.join(sorted(old))}"]


def _scored(
    task: Task, opened: Embeds | Fits, runner: Evaluates, progress: Progress | None
) -> tuple[Result, list[str]]:
    """Put a task to the encoder, and return what it scored, and what a reader should know of it."""
    encoder = opened.fitted(task.texts) if isinstance(opened, Fits) else opened
    vectors: dict[str, Matrix] = {}
    wanted = len(set(task.texts))

    def embed(texts: Sequence[str]) -> Matrix:
        """Return vectors, each text's made once a task."""
        new = [text for text in dict.fromkeys(texts) if text not in vectors]
        if new:
            tick = _tick(progress, task.name, len(vectors), wanted)
            vectors.update(zip(new, encode(encoder, new, tick=tick), strict=True))
        return np.stack([vectors[text] for text in texts])

    answers = runner(task, embed)
    made = graded(task, answers)
    scores = dict(answers.scores or made.scores)
    notes = []
    told = scores.get(task.metric)
    if told is None:
        raise DataError(
            f"task {task.name!r}: {runner.name} gives no {task.metric}; see whether {encoder.name} "
            "gives every text the same vector"
        )
    if abs(told - made.score) > NEAR:
        raise DataError(
            f"task {task.name!r}: {runner.name} says {told:.4f}, and its answers add up to "
            f"{made.score:.4f}; give --library builtin, and tell us of it"
        )
    blank = sum(not text.strip() for text in task.texts)
    if blank:
        notes.append(f"task {task.name!r}: {blank:,} of {len(task.texts):,} texts are empty")
    result = Result(
        task.name,
        task.sort,
        task.metric,
        task.items,
        task.digest,
        runner.name,
        encoder.name,
        str(fingerprint(encoder)),
        made.items,
        made.experiments,
        scores,
        task.asked,
    )
    return result, notes


def _tick(
    progress: Progress | None, stage: str, done: int, total: int
) -> Callable[[int], None] | None:
    if progress is None:
        return None
    settled = done

    def tick(rows: int) -> None:
        nonlocal settled
        settled += rows
        progress(stage, settled, max(total, settled))

    return tick


def _sources(
    name: str, now: Sequence[Result], before: dict[str, Result] | None, kept: Earlier | None
) -> tuple[Source, Source]:
    current = Source(name, sum(len(each.items) for each in now), now[0].space.partition(" ")[0])
    if before is None or kept is None:
        return Source("no earlier report", 0), current
    rows = sum(len(each.items) for each in before.values())
    return Source(kept.source, rows, kept.digest), current

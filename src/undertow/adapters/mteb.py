"""The mteb library puts a local task to an encoder: offline, silent, and without a file left behind.

The only place that imports mteb and datasets (mteb 2; extra `mteb`). A task's rows are handed over in
memory, so nothing is looked up on a hub. mteb seeds the process's generators, writes bars and caches,
and reads the network's settings from the environment: all of it is put back as it was.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import os
import random
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from undertow.core.encode import Matrix
from undertow.core.errors import DataError, MissingExtra, UndertowError, UsageError
from undertow.core.task import (
    Answers,
    Classification,
    Clustering,
    Embed,
    Ints,
    PairClassification,
    Retrieval,
    Task,
)

OLDEST = 2
DEPTH = 10
"""Documents of each query that are kept: the scores at 10 need no more."""
NAME = "local"
_TYPES = {
    "retrieval": ("Retrieval", "retrieval", "ndcg_at_10", "t2t"),
    "classification": ("Classification", "classification", "accuracy", "t2c"),
    "clustering": ("Clustering", "clustering", "v_measure", "t2c"),
    "sts": ("STS", "sts", "cosine_spearman", "t2t"),
    "pair_classification": ("PairClassification", "pair_classification", "cosine_ap", "t2t"),
}
"""mteb's name of a type, the module of its abstract task, its main score, and its category."""
_AT = f"_at_{DEPTH}"
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def opened() -> Mteb:
    """Return the runner; raise MissingExtra where mteb is not installed, UsageError for mteb 1."""
    if importlib.util.find_spec("mteb") is None:
        raise MissingExtra("mteb", "mteb", "evaluate, without --library builtin,")
    version = importlib.metadata.version("mteb")
    if int(version.partition(".")[0]) < OLDEST:
        raise UsageError(f'mteb {version} is too old: pip install -U "undertow[mteb]"')
    return Mteb(version)


@dataclass(frozen=True)
class Mteb:
    """Puts a task to an encoder through mteb, and returns what was answered and mteb's scores."""

    version: str

    @cached_property
    def name(self) -> str:
        """The library and its version."""
        return f"mteb {self.version}"

    def __call__(self, task: Task, embed: Embed, /) -> Answers:
        """Return what the encoder answered, and mteb's own scores of it.

        Raises DataError where mteb fails; an error of the encoder's own passes through.
        """
        with ExitStack() as held:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="undertow-mteb-")))
            held.enter_context(_quiet_and_offline(folder))
            try:
                return self._run(task, embed, folder)
            except UndertowError:
                raise
            except Exception as error:
                what = str(error).strip().split("\n")[0][:160] or type(error).__name__
                raise DataError(
                    f"{self.name} failed on task {task.name!r} ({what}); --library builtin scores "
                    "it without mteb"
                ) from error

    def _run(self, task: Task, embed: Embed, folder: Path) -> Answers:
        import mteb

        local = _local(task)
        source = _Recorded(local.seed)
        local.rng_state = source
        found = mteb.evaluate(
            _encoder(embed),
            [local],
            cache=None,
            co2_tracker=False,
            prediction_folder=folder,
            show_progress_bar=False,
        )
        scores = found.task_results[0].scores["test"][0]
        told = json.loads(next(folder.glob("*_predictions.json")).read_text("utf-8"))
        return _answers(task, told["default"]["test"], _usual(task, scores), source)


def _local(task: Task) -> Any:
    """Return the task as one of mteb's: a class of its own whose rows are there already."""
    from datasets import Dataset, DatasetDict

    kind, module, main, category = _TYPES[task.sort]
    base = getattr(importlib.import_module(f"mteb.abstasks.{module}"), f"AbsTask{kind}")
    metadata = importlib.import_module("mteb.abstasks.task_metadata").TaskMetadata(
        name=NAME,
        description="A task from a local folder.",
        dataset={"path": "local", "revision": "local"},
        type=kind,
        category=category,
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=main,
    )
    # Four hundredths of a benchmark are enough for mteb; of a team's own texts all are wanted.
    more: dict[str, Any] = {"max_fraction_of_documents_to_embed": None}
    made = type(
        "Local", (base,), {"metadata": metadata, **(more if kind == "Clustering" else {})}
    )()
    made.dataset = {"default": _rows(task, Dataset, DatasetDict)}
    made.data_loaded = True
    if kind == "STS":
        made.min_score, made.max_score = float(task.score.min()), float(task.score.max())  # type: ignore[union-attr]  # STS
    return made


def _rows(task: Task, table: Any, tables: Any) -> Any:
    """Return the rows of a task as mteb wants them for its type."""
    if isinstance(task, Retrieval):
        judged: dict[str, dict[str, int]] = {}
        for query, document, gain in zip(
            task.query.tolist(), task.document.tolist(), _whole(task.gain), strict=True
        ):
            judged.setdefault(f"q{query}", {})[_called(document, task)] = gain
        names = [_called(place, task) for place in range(len(task.documents))]
        corpus = {"id": names, "text": list(task.documents), "title": [""] * len(names)}
        queries = {
            "id": [f"q{place}" for place in range(len(task.queries))],
            "text": list(task.queries),
        }
        return {
            "test": {
                "corpus": table.from_dict(corpus),
                "queries": table.from_dict(queries),
                "relevant_docs": judged,
                "top_ranked": None,
            }
        }
    if isinstance(task, Classification):
        parts = {
            "train": {"text": list(task.train), "label": task.train_label.tolist()},
            "test": {"text": list(task.test), "label": task.test_label.tolist()},
        }
        return tables({part: table.from_dict(rows) for part, rows in parts.items()})
    if isinstance(task, Clustering):
        rows: dict[str, Any] = {"sentences": list(task.texts), "labels": task.label.tolist()}
    else:
        rows = {"sentence1": list(task.one), "sentence2": list(task.other)}
        if isinstance(task, PairClassification):
            rows["labels"] = task.score.astype(int).tolist()
        else:
            rows["score"] = task.score.tolist()
    return tables({"test": table.from_dict(rows)})


def _called(place: int, task: Retrieval) -> str:
    """Return a document's id: of equal scores trec_eval ranks the later id first, we the earlier."""
    return f"d{len(task.documents) - place:09d}"


def _whole(gains: Any) -> list[int]:
    """Return gains as whole numbers, the only ones trec_eval knows; raise DataError for others."""
    made = np.rint(gains)
    if np.abs(made - gains).max(initial=0.0) > 1e-9:
        raise DataError(
            "mteb knows judgements in whole numbers, and one is "
            f"{gains[np.abs(made - gains).argmax()]:g}; --library builtin takes any"
        )
    return [int(each) for each in made]


def _encoder(embed: Embed) -> Any:
    """Return an encoder of mteb's shape around a function of texts."""
    from mteb.models.model_meta import ModelMeta
    from mteb.similarity_functions import cos_sim, pairwise_cos_sim

    class Encoder:
        """Takes batches of texts, and asks for their vectors in one call."""

        mteb_model_meta = ModelMeta.create_empty({"name": "undertow/local", "revision": "local"})

        def __init__(self, *_: Any, **__: Any) -> None:
            """Take what mteb would load a model by; this one is there already."""

        def encode(self, inputs: Iterable[Mapping[str, Any]], **_: Any) -> Matrix:
            """Return the vectors of all texts of all batches."""
            return embed([text for batch in inputs for text in batch["text"]])

        def similarity(self, one: Any, other: Any) -> Any:
            """Return the cosines of all pairs."""
            return cos_sim(one, other)

        def similarity_pairwise(self, one: Any, other: Any) -> Any:
            """Return the cosines, pair by pair."""
            return pairwise_cos_sim(one, other)

    return Encoder()


class _Recorded(random.Random):
    """A generator that remembers which rows were drawn: mteb tells clusters, and not of what."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.drawn: list[list[int]] = []

    def choices(self, population: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """Draw with replacement, and remember what."""
        made = super().choices(population, *args, **kwargs)
        self.drawn.append(made)
        return made


def _answers(task: Task, told: Any, scores: Mapping[str, float], source: _Recorded) -> Answers:
    """Return what mteb wrote down of the encoder's answers, by position."""
    if isinstance(task, Retrieval):
        return Answers(_found(task, told), scores=scores)
    if isinstance(task, Classification):
        return Answers(np.array(told, np.int64), scores=scores)
    if isinstance(task, Clustering):
        drawn: Ints = np.array(source.drawn, np.int64)
        return Answers(np.array(told["Level 0"], np.int32), drawn, scores)
    near = told["cosine_scores"] if isinstance(told, Mapping) else told
    return Answers(np.array(near, np.float64), scores=scores)


def _found(task: Retrieval, told: Mapping[str, Mapping[str, float]]) -> Ints:
    """Return the positions of the documents ranked first for each query (q, k), best first.

    Queries without a judgement are not asked; their row repeats the first document.
    """
    deep = min(DEPTH, len(task.documents))
    made = np.zeros((len(task.queries), deep), np.int64)
    for query, ranked in told.items():
        best = sorted(ranked.items(), key=lambda each: (-each[1], -int(each[0][1:]), each[0]))
        made[int(query[1:])] = [len(task.documents) - int(name[1:]) for name, _ in best[:deep]]
    return made


def _usual(task: Task, scores: Mapping[str, Any]) -> dict[str, float]:
    """Return mteb's scores that are numbers, at 10 where there are many depths, as people write them."""
    numbers = {name: float(x) for name, x in scores.items() if isinstance(x, int | float)}
    kept = {}
    for name, value in numbers.items():
        if "nauc" in name or name in {"main_score", "hf_subset"} or not np.isfinite(value):
            continue
        if isinstance(task, Retrieval):
            if name.endswith(_AT):
                kept[name.removesuffix(_AT).replace("hit_rate", "hit") + f"@{DEPTH}"] = value
        else:
            kept[name] = value
    return kept


@contextmanager
def _quiet_and_offline(folder: Path) -> Iterator[None]:
    """Hold the network, bars, log lines, caches and generators, and put all of them back."""
    with ExitStack() as held:
        for name, value in _OFFLINE.items():
            held.callback(_environ, name, os.environ.get(name))
            os.environ[name] = value
        held.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # of the libraries; an encoder's are its own
        state, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002  # mteb seeds it
        held.callback(np.random.set_state, numbers)
        held.callback(random.setstate, state)
        for name in (
            "mteb",
            "datasets",
            "sentence_transformers",
            "transformers",
            "huggingface_hub",
        ):
            log = logging.getLogger(name)
            held.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)
        _imported()
        import datasets
        import torch

        held.callback(torch.set_rng_state, torch.get_rng_state())
        if datasets.are_progress_bars_disabled() is False:
            datasets.disable_progress_bars()
            held.callback(datasets.enable_progress_bars)
        cache = datasets.config.HF_DATASETS_CACHE
        datasets.config.HF_DATASETS_CACHE = folder
        held.callback(setattr, datasets.config, "HF_DATASETS_CACHE", cache)
        yield


def _environ(name: str, value: str | None) -> None:
    """Put a variable of the environment back."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _imported() -> None:
    """Import mteb, and take away the empty folder that importing it makes."""
    place = Path(os.environ.get("MTEB_CACHE") or Path.home() / ".cache" / "mteb")
    there = place.exists()
    try:
        importlib.import_module("mteb")
    finally:
        if not there:
            with suppress(OSError):
                place.rmdir()

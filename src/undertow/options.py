"""What can be said of the columns, in words: read once, for every verb and all sides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from undertow.config import read_schema
from undertow.core.embeds import Embeds, Fits
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.schema import Kind, Schema
from undertow.observe.declare import Declared, named, roles

Progress = Callable[[str, int, int | None], None]
Tolerance = float | str | Mapping[str, float | str] | None
Columns = Iterable[str] | str
Encoder = str | Callable[[Sequence[str]], Any] | Embeds | Fits
"""What makes vectors of texts: a name (see docs/encoders.md), a function, or an encoder."""

_ROLES = ("prediction", "score", "label", "time", "id", "segment", "ignore")


class Options(TypedDict, total=False):
    """What can be said of the columns, once for all sides; every verb takes these."""

    text: Columns
    vector: Columns
    image: Columns
    encoder: Encoder | None
    image_encoder: str | Callable[[Sequence[Any]], Any] | None
    prediction: Columns
    score: Columns
    label: Columns
    time: str | None
    id: str | None
    segment: Columns
    by: Columns
    evidence: Columns
    map: str | None
    ignore: Columns
    kinds: Mapping[str, str]
    schema: Schema | str | os.PathLike[str] | None
    tolerance: Tolerance
    progress: Progress | None


def declared(options: Options) -> Declared:
    """Return what the options say of the columns; raise UsageError for a wrong one."""
    for name in options:
        if name not in Options.__annotations__:
            hint = did_you_mean(name, sorted(Options.__annotations__))
            raise UsageError(f"no option {name!r}{hint}")
    given = {
        name: Kind(kind) if kind in set(Kind) else _no_kind(name, kind)
        for name, kind in (options.get("kinds") or {}).items()
    }
    given |= dict.fromkeys(named("text", options.get("text")), Kind.TEXT)
    given |= dict.fromkeys(named("vector", options.get("vector")), Kind.VECTOR)
    given |= dict.fromkeys(named("image", options.get("image")), Kind.IMAGE)
    said = roles(**{name: named(name, options.get(name)) for name in _ROLES})
    filed = options.get("schema")
    schema = filed if filed is None or isinstance(filed, Schema) else read_schema(filed)
    return Declared(given, said, schema)


def _no_kind(name: str, kind: str) -> Kind:
    raise UsageError(
        f"column {name!r}: no kind {kind!r}{did_you_mean(kind, [k.value for k in Kind])}"
    )


def ticker(progress: Progress | None, stage: str, total: int) -> Callable[[int], None] | None:
    """Return what counts the rows of a stage and tells them to `progress`; None where nobody looks.

    >>> tick = ticker(lambda *told: print(*told), "encoding", 9)
    >>> tick(4), tick(5)
    encoding 4 9
    encoding 9 9
    (None, None)
    """
    if progress is None:
        return None
    done = 0

    def tick(rows: int) -> None:
        nonlocal done
        done += rows
        progress(stage, done, total)

    return tick


def tolerances(given: Tolerance) -> tuple[dict[str, float], frozenset[str]]:
    """Return the declared tolerances by name ("*" for all), and the names to learn them for."""
    if given is None:
        return {}, frozenset()
    listed = dict(given) if isinstance(given, Mapping) else {"*": given}
    auto = frozenset(name for name, value in listed.items() if value == "auto")
    fixed: dict[str, float] = {}
    for name, value in listed.items():
        if name in auto:
            continue
        try:
            fixed[name] = float(value)
        except (TypeError, ValueError):
            raise UsageError(f"tolerance {value!r}: give a number such as 0.1, or auto") from None
    return fixed, auto

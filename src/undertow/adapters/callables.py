"""Any function from texts to vectors as an encoder: "package.module:function", or the function itself."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from undertow.core.embeds import Fact
from undertow.core.encode import Matrix
from undertow.core.errors import UsageError, did_you_mean
from undertow.stats.neighbours import one_thread


@dataclass(frozen=True)
class Function:
    """A function from a list of texts to vectors, with a name.

    What it is made of is not known: its fingerprint rests on what it does.

    >>> made = Function(lambda texts: [[len(text)] for text in texts], "length")
    >>> made(["four"])
    [[4]]
    """

    function: Callable[[Sequence[str]], Any]
    name: str

    @one_thread
    def __call__(self, texts: Sequence[str], /) -> Matrix:
        """Return what the function returns; `encode` checks it."""
        found: Matrix = self.function(texts)
        return found

    def identity(self) -> Mapping[str, Fact]:
        """Return the function's name, the only thing that is known of it."""
        return {"callable": self.name}


def named(function: Callable[[Sequence[str]], Any]) -> Function:
    """Return a function as an encoder under its own name."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None)
    return Function(function, f"{module}:{name}" if module else name)


def imported(spec: str) -> Any:
    """Return what "package.module:name" names; raise UsageError where it cannot be had.

    The module is imported, so its code runs: name only what you trust.

    >>> imported("math:sqr")
    Traceback (most recent call last):
    undertow.core.errors.UsageError: encoder 'math:sqr': math has no 'sqr'; did you mean 'sqrt'?
    """
    place, _, path = spec.partition(":")
    try:
        found: Any = importlib.import_module(place)
    except Exception as error:  # whatever the user's module raises, it is one thing to the user
        what = str(error).split("\n")[0][:120] or type(error).__name__
        raise UsageError(
            f"encoder {spec!r}: cannot import {place!r} ({what}); it must be on PYTHONPATH"
        ) from error
    for name in path.split("."):
        if not hasattr(found, name):
            there = [each for each in dir(found) if not each.startswith("_")]
            shown = getattr(found, "__name__", place)
            raise UsageError(
                f"encoder {spec!r}: {shown} has no {name!r}{did_you_mean(name, there)}"
            )
        found = getattr(found, name)
    if inspect.isclass(found) or not callable(found):
        what = "a class; name a function or an object" if inspect.isclass(found) else "not callable"
        raise UsageError(f"encoder {spec!r} is {what} that takes texts and returns vectors")
    return found

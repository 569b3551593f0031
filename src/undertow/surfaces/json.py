"""A report as version 1 JSON: the same findings give the same bytes, on one line a finding."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from undertow.core.report import Report

# Valid in JSON text, and yet they act on a terminal (C1, bidi), are no UTF-8 (lone surrogates), or
# begin a command to the runner that keeps a CI's log (the first mark of ##[).
_ACTING = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]|#(?=#\\[)"
)


def render(report: Report) -> str:
    """Return the report as JSON, a key or a finding a line; numbers that are none become null."""
    return dumps(report.to_dict())


def dumps(document: Mapping[str, Any]) -> str:
    """Return a document as strict JSON text, the dictionaries of its lists one a line.

    >>> print(dumps({"a": float("nan"), "b": [{"c": float("inf")}, {"c": 1}]}))
    {
    "a": null,
    "b": [
     {"c": "inf"},
     {"c": 1}]
    }
    <BLANKLINE>
    """
    lines = [f"{_line(str(key))}: {_value(value)}" for key, value in document.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return "[\n " + ",\n ".join(_line(each) for each in value) + "]"
    return _line(value)


def _line(value: Any) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    return _ACTING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _plain(value: Any) -> Any:
    """Return a value as what JSON knows: arrays and sets become lists, everything strange text."""
    if hasattr(value, "tolist"):  # arrays and scalars of numpy and pyarrow
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        listed = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_plain(each) for each in listed]
    return str(value)


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(_plain(key))

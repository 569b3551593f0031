"""Evidence as two small tables: numbers with a before and an after, and those that stand alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from undertow.core.finding import percent
from undertow.surfaces.safe import safe

LABELS = {
    "auc": "AUC",
    "brier": "Brier score",
    "chi2": "Chi-square",
    "chi_square": "Chi-square",
    "cv": "Coefficient of variation",
    "ece": "Expected calibration error",
    "f1": "F1",
    "iqr": "Interquartile range",
    "js": "Jensen-Shannon",
    "kl": "Kullback-Leibler",
    "ks": "Kolmogorov-Smirnov",
    "log_loss": "Log loss",
    "macro_f1": "Macro F1",
    "mad": "Median absolute deviation",
    "max": "Maximum",
    "min": "Minimum",
    "psi": "PSI",
    "rsa": "RSA",
    "isoscore": "IsoScore",
    "mrr": "MRR",
    "ndcg": "nDCG",
    "cka": "CKA",
    "mmd": "MMD",
    "c2st": "Classifier two-sample test",
    "sd": "Standard deviation",
    "std": "Standard deviation",
}
_SIDES = ("reference", "current")
_SHARES = {"share", "change", "interval", "chance"}
"""Fields of a list that hold shares of rows."""
_MOST = 40


class Listed(NamedTuple):
    """A list of things of one form, such as regions: what they are, their fields, a row each."""

    title: str
    fields: list[str]
    rows: list[list[str]]


class Evidence(NamedTuple):
    """Rows of (label, before, after), rows of (label, value), and lists, all of it text."""

    pairs: list[tuple[str, str, str]]
    singles: list[tuple[str, str]]
    lists: list[Listed]


def tables(evidence: Mapping[str, Any]) -> Evidence:
    """Return evidence as text to show, numbers rounded and names as people know them.

    >>> tables({"mean": {"reference": 40.25, "current": 52}, "ks_p": 1.4e-41})
    Evidence(pairs=[('Mean', '40.25', '52')], singles=[('Kolmogorov-Smirnov p', '1.4e-41')], lists=[])
    """
    things = {key: value for key, value in evidence.items() if _is_list(value)}
    found = Evidence([], [], [_listed(key, value) for key, value in things.items()])
    rest = {key: value for key, value in evidence.items() if key not in things}
    for name, value in _flat(rest, ()):
        if len(found.pairs) + len(found.singles) >= _MOST:
            break
        if isinstance(value, Mapping):
            found.pairs.append((name, say(value["reference"]), say(value["current"])))
        else:
            tiny = name.endswith(" p") and value == 0  # a p-value is never nought
            told = "under 1e-300" if tiny else say(value)
            if name.endswith(" change") and told.count(", ") == 1:  # an interval of the change
                told = told.replace(", ", " to ")
            found.singles.append((name, told))
    return found


def _is_list(value: object) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(each, Mapping) for each in value)
    )


def _listed(key: object, things: Sequence[Mapping[str, Any]]) -> Listed:
    """Return a list of things as a table.

    >>> _listed("regions", [{"name": "card", "share": {"reference": 0.01, "current": 0.12}}])
    Listed(title='Regions', fields=['Name', 'Share'], rows=[['card', '1% → 12%']])
    """
    names = list(dict.fromkeys(name for each in things for name in each))[:8]
    rows = [[_told(name, each.get(name)) for name in names] for each in things[:_MOST]]
    return Listed(label(key), [label(name) for name in names], rows)


def _told(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        if set(value) == set(_SIDES):
            old, new = (_told(name, value[side]) for side in _SIDES)
            return old if old == new else f"{old or '-'} → {new or '-'}"
        return ", ".join(f"{safe(key, 30)} {say(each)}" for key, each in list(value.items())[:3])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " to ".join(_told(name, each) for each in value)
    if isinstance(value, float) and name in _SHARES and abs(value) <= 1:
        return percent(value)
    return "" if value is None else say(value)


def _flat(evidence: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for key, value in evidence.items():
        path = (*above, label(key))
        if isinstance(value, list | tuple | dict) and not value:
            continue
        if isinstance(value, Mapping) and set(value) == {"value", "low", "high"}:
            told, low, high = (say(value[each]) for each in ("value", "low", "high"))
            yield safe(" · ".join(path), 60), f"{told} ({low} to {high})"
        elif not isinstance(value, Mapping) or set(value) == set(_SIDES):
            yield safe(" · ".join(path), 60), value
        elif len(path) < 4:
            yield from _flat(value, path)


def label(key: object) -> str:
    """Return a key of evidence as people write it.

    >>> label("psi"), label("ks_p"), label("p90"), label("new_categories")
    ('PSI', 'Kolmogorov-Smirnov p', '90th percentile', 'New categories')
    """
    text = safe(key, 60)
    if text in LABELS:
        return LABELS[text]
    if text[:1] in {"p", "q"} and text[1:].isascii() and text[1:].isdigit():
        return f"{text[1:]}th percentile"
    metric, at, depth = text.partition("@")
    if at and metric in LABELS:
        return f"{LABELS[metric]}@{depth}"
    head, _, tail = text.rpartition("_")
    if head in LABELS:
        return f"{LABELS[head]} {tail}"
    words = text.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def say(value: object) -> str:
    """Return a value of evidence as text.

    >>> say(0.30000000000000004), say(48210), say(None), say([1, "a"]), say(True)
    ('0.3', '48,210', '-', '1, a', 'yes')
    """
    if value is None or isinstance(value, bool):
        return {None: "-", True: "yes", False: "no"}[value]
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        listed = ", ".join(say(each) for each in value[:8])
        return f"{listed} and {len(value) - 8} more" if len(value) > 8 else listed
    return safe(value, 80)


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else f"about 1e{len(str(abs(value))) - 1}"
    if math.isfinite(value) and 1e4 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.4g}"

"""undertow finds, explains and repairs the failures of AI models that raise no exception.

    import undertow as ut

    report = ut.check(reference, current, prediction="p")
    print(report.to_text())

Frames, files, folders, SQL or saved profiles go in; a report with calibrated verdicts comes out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undertow.core.errors import (
        DataError,
        ProfileError,
        UndertowError,
        UsageError,
    )
    from undertow.core.finding import Finding
    from undertow.core.profile import Profile
    from undertow.core.report import Report
    from undertow.core.schema import Column, Kind, Role, Schema
    from undertow.core.verdict import Effect, Verdict
    from undertow.loop import Loop
    from undertow.opening import load, save
    from undertow.verbs.check import check, skew
    from undertow.verbs.encoders import compare_encoders
    from undertow.verbs.evaluate import evaluate
    from undertow.verbs.feedback import feedback
    from undertow.verbs.forecast import forecast
    from undertow.verbs.index import add_to_index, build_index, open_index, search_index
    from undertow.verbs.index_verify import verify_index
    from undertow.verbs.meaning import meaning
    from undertow.verbs.ood import ood
    from undertow.verbs.profile import infer_schema, profile
    from undertow.verbs.retrieval import retrieval
    from undertow.verbs.senses import senses
    from undertow.verbs.tokens import tokens

__all__ = [
    "Column",
    "DataError",
    "Effect",
    "Finding",
    "Kind",
    "Loop",
    "Profile",
    "ProfileError",
    "Report",
    "Role",
    "Schema",
    "UndertowError",
    "UsageError",
    "Verdict",
    "add_to_index",
    "build_index",
    "check",
    "compare_encoders",
    "evaluate",
    "feedback",
    "forecast",
    "infer_schema",
    "load",
    "meaning",
    "ood",
    "open_index",
    "profile",
    "retrieval",
    "save",
    "search_index",
    "senses",
    "skew",
    "tokens",
    "verify_index",
]

# Names are fetched when first used: importing undertow in a serving process costs nothing.
_ROOMS = {
    "undertow.core.errors": {
        "DataError", "ProfileError", "UndertowError", "UsageError",
    },
    "undertow.core.finding": {"Finding"},
    "undertow.core.profile": {"Profile"},
    "undertow.core.report": {"Report"},
    "undertow.core.schema": {"Column", "Kind", "Role", "Schema"},
    "undertow.core.verdict": {"Effect", "Verdict"},
    "undertow.loop": {"Loop"},
    "undertow.opening": {"load", "save"},
    "undertow.verbs.check": {"check", "skew"},
    "undertow.verbs.encoders": {"compare_encoders"},
    "undertow.verbs.evaluate": {"evaluate"},
    "undertow.verbs.feedback": {"feedback"},
    "undertow.verbs.forecast": {"forecast"},
    "undertow.verbs.index": {"add_to_index", "build_index", "open_index", "search_index"},
    "undertow.verbs.index_verify": {"verify_index"},
    "undertow.verbs.meaning": {"meaning"},
    "undertow.verbs.ood": {"ood"},
    "undertow.verbs.profile": {"infer_schema", "profile"},
    "undertow.verbs.retrieval": {"retrieval"},
    "undertow.verbs.senses": {"senses"},
    "undertow.verbs.tokens": {"tokens"},
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module 'undertow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

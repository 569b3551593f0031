"""Verify an index: its files against their digests, its vectors against fresh ones of the same texts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from undertow.core.errors import UndertowError, UsageError
from undertow.core.finding import Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.verdict import Verdict, check_tolerance
from undertow.index import versions, write
from undertow.index.check import Checked, Fault, check, mend
from undertow.index.folder import Index
from undertow.index.versions import Version
from undertow.options import Encoder, Progress
from undertow.repair.bridge import Bridge
from undertow.sides.index_documents import read_documents
from undertow.sides.index_encoder import encoder_of
from undertow.verbs.index import Columns, Path_, open_index

PROBED = 60


def verify_index(
    path: Path_,
    *,
    encoder: Encoder | None = None,
    documents: Any = None,
    m: int = PROBED,
    allowed: Sequence[str] = (),
    bridge: Path_ | None = None,
    tolerance: float = 0.05,
    progress: Progress | None = None,
    **columns: Unpack[Columns],
) -> Report:
    """Return whether an index is what was written, and whether its vectors are those of its texts.

    Every file is read and compared with its digest. Then `m` documents are encoded again, by `encoder`
    or the one that the index remembers, and compared with what is stored; `documents` are those that
    should be in it. What a cut-off writer left is removed, and its mark with it, where the files are
    whole. Raises UsageError where there is no index, and for documents, an `encoder`, a `bridge`, an `m`
    or a `tolerance` that make no sense, DataError for documents that are there twice.
    """
    folder = Path(path)
    write.expect(folder)
    if m < 1:
        raise UsageError(f"m {m}: give the number of documents to encode again, 1 or more")
    check_tolerance("moved_share", tolerance)
    wanted = None if documents is None else _wanted(documents, columns)
    over = None if bridge is None else Bridge.load(bridge)
    checked = check(folder)
    notes: list[str] = []
    found = [*_files(checked, os.fspath(path)), *_shutdown(checked)]
    version: Version | None = None
    try:
        index = open_index(folder)
        version = index.version()
        made, said = _probed(
            index,
            encoder,
            wanted,
            m=m,
            allowed=allowed,
            bridge=over,
            tolerance=tolerance,
            progress=progress,
        )
        found += made
        notes += said
    except UndertowError as error:
        if encoder is not None and isinstance(error, UsageError):
            raise  # of what the user gave, and not of the index
        found.append(
            Finding(
                "index.probe",
                "vectors",
                f"no vector was compared with a fresh one: {error}",
                verdict=Verdict.UNKNOWN,
            )
        )
    notes += _mended(folder, checked)
    name = os.fspath(path)
    count = 0 if version is None else version.documents
    source = Source(f"{name} as written", count)
    current = Source(name if version is None else f"{name} {version.name}", count)
    return Report.of(source, current, found, notes=notes)


def _probed(
    index: Index, encoder: Encoder | None, wanted: Mapping[str, str] | None, **options: Any
) -> tuple[list[Finding], list[str]]:
    from undertow.verbs.integrity import verify

    return verify(index.stored(), encoder_of(index, encoder), wanted, **options)


def _wanted(documents: Any, columns: Columns) -> dict[str, str]:
    """Return the texts that should be in the index, by id; raise DataError for ids there twice."""
    listed = read_documents(documents, **columns)
    write.once(listed.ids)
    texts = listed.texts or [None] * len(listed.ids)
    return {name: text or "" for name, text in zip(listed.ids, texts, strict=True)}


def _files(checked: Checked, name: str) -> list[Finding]:
    if not checked.faults:
        says = (
            f"all {checked.files:,} files are what was written ("
            f"{checked.versions:,} {'version' if checked.versions == 1 else 'versions'})"
        )
        return [Finding("index.files", "files", says, verdict=Verdict.STEADY)]
    return [_fault(each, name) for each in checked.faults]


def _fault(fault: Fault, name: str) -> Finding:
    used = f" (of {', '.join(fault.versions[:5])})" if fault.versions else ""
    then = (f"undertow index rollback {name}, or restore {fault.file} from a copy",)
    if fault.made:
        then = ("nothing: it was removed, and is made again from the record",)
    return Finding(
        "index.files",
        fault.file,
        f"{fault.says}{used}",
        verdict=Verdict.CHANGED,
        evidence={"versions": list(fault.versions), "documents": list(fault.documents[:20])},
        rows=Rows(len(fault.documents), len(fault.documents)),
        next=then,
    )


def _shutdown(checked: Checked) -> list[Finding]:
    if checked.cut_off is None and not checked.leftovers:
        return []
    what = checked.cut_off or "a change left files behind"
    whole = "the version that answers is whole" if not checked.faults else "see the files"
    count = len(checked.leftovers)
    left = f", {count:,} leftover {'file' if count == 1 else 'files'}" if count else ""
    return [
        Finding(
            "index.shutdown",
            "last change",
            f"{what}{left}; {whole}",
            verdict=Verdict.STEADY if not checked.faults else Verdict.WATCH,
            evidence={"leftovers": [each.name for each in checked.leftovers[:20]]},
        )
    ]


def _mended(folder: Path, checked: Checked) -> list[str]:
    if (
        checked.cut_off is None
        and not checked.leftovers
        and not any(each.made for each in checked.faults)
    ):
        return []
    try:
        return mend(folder, checked)
    except UndertowError as error:
        return [f"nothing was put right: {error}"]


def stats(path: Path_) -> Mapping[str, Any]:
    """Return what there is in an index, as JSON values."""
    return open_index(path).stats()


def resolve(path: Path_, name: str) -> str:
    """Return the version that a version's name or a tag stands for."""
    return versions.resolve(Path(path), name)

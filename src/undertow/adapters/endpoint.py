"""Any endpoint of the OpenAI embeddings shape, over HTTP: the standard library alone.

    POST {"model": ..., "input": [texts]}   ->   {"data": [{"index": 0, "embedding": [floats]}, ...]}

The key comes from the environment and goes into one header; it is never logged, stored or shown.
`UNDERTOW_API_KEY` is sent to the endpoint that is named, `OPENAI_API_KEY` to openai.com only, and
neither over plain http to another machine.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

import numpy as np

from undertow.core.embeds import Fact
from undertow.core.encode import Matrix
from undertow.core.errors import DataError, UsageError

LARGEST = 64 * 2**20
"""Bytes of an answer that are read; a batch of 64 vectors of 4,096 numbers takes 6 MB."""
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Endpoint:
    """An address that turns texts into vectors, and the model asked for there.

    The model is the option or what stands behind # in the address. A request that fails for a
    passing reason (429, 5xx, no answer) is tried `tries` times, after waits of `wait`, 2 `wait`, ...
    seconds, or what the server asks for, at most 30 s.

    >>> Endpoint("https://api.openai.com/v1/embeddings#text-embedding-3-small").identity()["model"]
    'text-embedding-3-small'
    """

    address: str
    model: str = ""
    dimensions: int | None = None
    batch: int = 64
    timeout: float = 60.0
    tries: int = 4
    wait: float = 0.5

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.address)
            host = parts.hostname if parts.port != 0 else None
        except ValueError as error:
            raise UsageError(
                f"encoder: no address ({error}); https://host/v1/embeddings"
            ) from error
        if parts.username or parts.password:
            raise UsageError(
                f"encoder {self.name!r}: put the key in UNDERTOW_API_KEY, not the address"
            )
        if not host:
            raise UsageError(
                f"encoder {self.name!r}: an address needs a host: https://host/v1/embeddings"
            )
        model = self.model or urllib.parse.unquote(parts.fragment)
        if not model:
            raise UsageError(f"encoder {self.name!r}: say which model: {self.name}#MODEL")
        object.__setattr__(self, "model", model)

    @property
    def name(self) -> str:
        """The address without what may be secret in it, and the model."""
        parts = urllib.parse.urlsplit(self.address)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        shown = f"{parts.scheme}://{host}{port}{parts.path}"
        return f"{shown}#{self.model}" if self.model else shown

    def __call__(self, texts: Sequence[str], /) -> Matrix:
        """Return the vectors (n, d) of n texts; raise DataError where the endpoint gives none."""
        done: list[list[float]] = []
        for start in range(0, len(texts), self.batch):
            done += self._ask(list(texts[start : start + self.batch]))
        found: Any = done
        if len({len(row) for row in done}) == 1:
            found = np.array(done, np.float32)
        vectors: Matrix = found  # ragged rows are refused, with their lengths, by `encode`
        return vectors

    def identity(self) -> Mapping[str, Fact]:
        """Return the model's name and the dimensions asked for; its weights are the server's own."""
        return {"model": self.model, "dimensions": self.dimensions or 0}

    def _ask(self, texts: list[str]) -> list[list[float]]:
        asked: dict[str, Any] = {"model": self.model, "input": texts}
        if self.dimensions is not None:
            asked["dimensions"] = self.dimensions
        body = json.dumps(asked).encode()
        for turn in range(1, self.tries + 1):
            answer, failure, pause = self._post(body)
            if answer is not None:
                return self._vectors(answer, len(texts))
            if turn < self.tries:
                time.sleep(min(max(self.wait * 2 ** (turn - 1), pause), _LONGEST_WAIT))
        raise DataError(f"{self.name}: {failure}, {self.tries} times; try again later")

    def _post(self, body: bytes) -> tuple[bytes | None, str, float]:
        """Return the answer, or None, what went wrong for now, and how long the server wants peace."""
        address = urllib.parse.urldefrag(self.address).url
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = self._key()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310  # http(s)
        try:
            with urllib.request.build_opener(_Stay()).open(request, timeout=self.timeout) as reply:
                answer = reply.read(LARGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                return None, self._refused(error, key), _asked_for(error.headers)
        except TimeoutError:
            return None, f"no answer within {self.timeout:g} s", 0.0
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                return None, f"no answer within {self.timeout:g} s", 0.0
            return None, f"cannot be reached ({str(reason)[:100] or type(reason).__name__})", 0.0
        if len(answer) > LARGEST:
            raise DataError(
                f"{self.name}: the answer is longer than {LARGEST // 2**20} MB; use a smaller batch"
            )
        return answer, "", 0.0

    def _refused(self, error: urllib.error.HTTPError, key: str) -> str:
        """Return what a passing refusal says; raise DataError for one that will not pass."""
        code = error.code
        if code in _PASSING:
            return f"it answered {code}"
        if 300 <= code < 400:
            there = urllib.parse.urlsplit(error.headers.get("Location", "")).hostname
            told = f" to {there}" if there else ""
            raise DataError(f"{self.name}: it sends on{told} ({code}); give the final address")
        if code in {401, 403}:
            told = "the key was refused" if key else "it wants a key and none was sent"
            raise DataError(
                f"{self.name}: {told} ({code}); set UNDERTOW_API_KEY (sent over https only)"
            )
        said = error.read(2000).decode("utf-8", "replace")
        said = " ".join(said.split())[:160]
        shown = said.replace(key, "...") if key else said
        raise DataError(f"{self.name}: it answered {code} ({shown}); see the model and the address")

    def _key(self) -> str:
        parts = urllib.parse.urlsplit(self.address)
        host = parts.hostname or ""
        if parts.scheme != "https" and host not in _LOCAL:
            return ""
        own = os.environ.get("UNDERTOW_API_KEY", "")
        if own:
            return own
        openai = host == "openai.com" or host.endswith(".openai.com")
        return os.environ.get("OPENAI_API_KEY", "") if openai else ""

    def _vectors(self, answer: bytes, count: int) -> list[list[float]]:
        try:
            rows = json.loads(answer)["data"]
            found = [(row.get("index", place), row["embedding"]) for place, row in enumerate(rows)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{self.name}: the answer is not of the OpenAI embeddings shape "
                '({"data": [{"index": 0, "embedding": [...]}]})'
            ) from error
        if len(found) != count or sorted(place for place, _ in found) != list(range(count)):
            raise DataError(
                f"{self.name}: it returned {len(found)} vectors for {count} texts, or numbered them "
                "wrongly; one a text is needed"
            )
        vectors = [row for _, row in sorted(found, key=lambda each: each[0])]
        if not all(isinstance(row, list) and _numbers(row) for row in vectors):
            raise DataError(
                f"{self.name}: an embedding is not a list of numbers; ask it for floats"
            )
        return vectors


def _numbers(row: list[Any]) -> bool:
    return all(isinstance(each, int | float) for each in row)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow nothing: the texts and the key stay with the host that was named."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Return no request, so that the redirect is an error."""


def _asked_for(headers: Message) -> float:
    """Return the seconds of Retry-After, 0 where it is absent or a date."""
    try:
        return max(float(headers.get("Retry-After", "0")), 0.0)
    except ValueError:
        return 0.0

"""Headless Chromium over its own debugging pipe: no driver, only the standard library."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

# File descriptors 3 and 4 are where Chromium reads and writes with --remote-debugging-pipe.
_LAUNCH = (
    "import fcntl,os,sys; a,b=(fcntl.fcntl(int(x),fcntl.F_DUPFD,10) for x in sys.argv[1:3]);"
    "os.dup2(a,3); os.dup2(b,4); os.execvp(sys.argv[3],sys.argv[3:])"
)


def chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    names = ("chromium", "google-chrome", "chrome")
    named = os.environ.get("UNDERTOW_CHROMIUM")
    return named or next(filter(None, map(shutil.which, names)), None)


def axe() -> str | None:
    """Return the source of axe-core, from UNDERTOW_AXE or from axe-playwright-python."""
    if named := os.environ.get("UNDERTOW_AXE"):
        return Path(named).read_text(encoding="utf-8")
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        return None
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


class Browser:
    """One headless browser; `with Browser() as b: page = b.page()`."""

    def __init__(self) -> None:
        program = chromium()
        assert program is not None
        self._home = tempfile.TemporaryDirectory(
            prefix="undertow-chromium-", ignore_cleanup_errors=True
        )
        read, self._out = os.pipe()
        self._in, write = os.pipe()
        command = [
            program,
            "--headless=new",
            "--no-sandbox",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            f"--user-data-dir={self._home.name}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCH, str(read), str(write), *command],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._ids = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self.call("Browser.close", timeout=5)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._home.cleanup()

    def call(
        self, method: str, session: str | None = None, timeout: float = 30, **params: Any
    ) -> Any:
        """Send one command and return its result; events that come in between are kept."""
        wanted = next(self._ids)
        message = {"id": wanted, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._send(message)
        end = time.monotonic() + timeout
        while True:
            answer = self._next(end)
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method: str, timeout: float = 20) -> dict[str, Any]:
        """Return the next event of a name."""
        end = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return event
            self.events.append(self._next(end))

    def page(self, width: int = 1280, height: int = 900) -> Page:
        """Open a tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, width, height)

    def _send(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._out, data) :]

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium did not answer")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise RuntimeError("Chromium has gone")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)  # type: ignore[no-any-return]


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, width: int, height: int) -> None:
        self._browser, self._session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.call(f"{domain}.enable")
        self.size(width, height)

    def call(self, method: str, timeout: float = 30, **params: Any) -> Any:
        """Send one command to this tab."""
        return self._browser.call(method, self._session, timeout, **params)

    def size(self, width: int, height: int, scale: float = 1) -> None:
        """Set the size of the window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 500,
        )

    def media(self, kind: str = "", **features: str) -> None:
        """Emulate a medium ("print") and features (prefers_color_scheme="dark")."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", media=kind, features=listed)

    def scripts(self, *, on: bool) -> None:
        """Switch scripts on or off."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def open(self, path: Path, anchor: str = "") -> None:
        """Open a file and wait until it has loaded."""
        self._browser.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri() + anchor)
        self._browser.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Return what a script (or the promise it makes) comes to."""
        answer = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", "failed"))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release one key."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {"Enter": 13, " ": 32, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37}[key]
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key if key != " " else "Space",
                windowsVirtualKeyCode=code,
                **extra,
            )

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what has been reported under a name since the page was opened."""
        self.run("1") if name.startswith("Log") else None
        return [each["params"] for each in self._browser.events if each.get("method") == name]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write a screenshot."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def pdf(self, path: Path) -> None:
        """Print to a file."""
        data = self.call(
            "Page.printToPDF",
            printBackground=False,
            preferCSSPageSize=True,
            paperWidth=8.27,
            paperHeight=11.69,
        )
        path.write_bytes(base64.b64decode(data["data"]))

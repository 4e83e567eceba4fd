"""A headless Chromium that tests can ask things, over the pipe of its DevTools protocol, and a static server."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
PATIENCE = 120  # seconds, on a busy machine


class Static(SimpleHTTPRequestHandler):
    """Files of a folder, and what was asked for."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, format: str, *words: Any) -> None:
        """Nothing is printed."""

    def end_headers(self) -> None:
        """Another page may fetch these files, as from a CDN."""
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Static, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Browser:
    """One Chromium with one page.

    Args:
        profile: an empty folder for its settings.
        width: of the page, in pixels.
        height: of the page.
    """

    def __init__(self, profile: Path, width: int = 1000, height: int = 760) -> None:
        assert CHROMIUM is not None
        (read, self._write), (self._read, write) = os.pipe(), os.pipe()
        # Chromium reads from descriptor 3 and writes to 4; sh would move none above 9.
        command = ["bash", "-c", f'exec "$0" "$@" 3<&{read} 4>&{write}', CHROMIUM, *FLAGS]
        command += [f"--user-data-dir={profile}", "about:blank"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, pass_fds=(read, write), stdout=quiet, stderr=quiet)
        os.close(read)
        os.close(write)
        self._rest, self._number, self._session = b"", 0, ""
        self._events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Another size of the page; that of a phone has no scroll bars."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def colours(self, scheme: str) -> None:
        """What the reader prefers: ``light`` or ``dark``."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def watch(self) -> None:
        """Note from now on what pages ask for and complain of, and forget what was noted."""
        for domain in ("Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        self._events.clear()

    def requests(self) -> list[str]:
        """Addresses that were asked for since :meth:`watch`."""
        asked = [event for event in self._events if event.get("method") == "Network.requestWillBeSent"]
        return [str(event["params"]["request"]["url"]) for event in asked]

    def complaints(self) -> list[dict[str, Any]]:
        """Exceptions, and errors and warnings of the console, since :meth:`watch`."""
        kinds = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}
        found = [event["params"] for event in self._events if event.get("method") in kinds]
        return [one for one in found if one.get("type") not in ("log", "debug", "info")]

    def press(self, key: str, code: int) -> None:
        """A key of the keyboard."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def open(self, address: str) -> None:
        """Show a page."""
        self._call("Page.enable")
        self._call("Page.navigate", url=address)

    def shown(self, history: str) -> list[str]:
        """Ids on the list, as soon as the page shows what follows from this history."""
        end = time.monotonic() + PATIENCE
        while (found := self.value("document.body?.dataset.shown")) != history:
            if found == "error" or time.monotonic() > end:
                raise AssertionError(self.value("document.body.innerText"))
            time.sleep(0.1)
        ids: list[str] = self.value("[...document.querySelectorAll('#top button')].map(row => row.dataset.id)")
        return ids

    def value(self, expression: str) -> Any:
        """What JavaScript gives for an expression."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def picture(self, path: Path) -> None:
        """Store what the page looks like as PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End Chromium."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._write)
        os.close(self._read)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise AssertionError(f"Chromium has ended with {self._process.wait()}")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

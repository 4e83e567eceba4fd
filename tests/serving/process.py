"""A service in a process of its own, which must do without torch.

    python tests/serving/process.py '{"k": 5, ...}' 0.3

answers on any free port with the model of :mod:`tests.serving.dot`; each batch takes as many seconds as the second
argument says.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]


class Served:
    """A running service.

    Args:
        process: of it.
        printed: file that gets its log. A pipe that nobody reads would stop it when it is full.
    """

    def __init__(self, process: subprocess.Popen[str], printed: Path) -> None:
        self.process, self.printed = process, printed
        self.log: list[dict[str, Any]] = []
        while not (lines := printed.read_text().splitlines()) and process.poll() is None:
            time.sleep(0.01)
        assert lines, process.communicate()[1]
        self.port = int(json.loads(lines[0])["url"].rpartition(":")[2])

    def connect(self) -> socket.socket:
        """A connection, on which nothing may take long."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def post(self, asked: Any, path: str = "/recommend") -> tuple[int, Any]:
        """One question on a connection of its own: status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", path, json.dumps(asked), {"content-type": "application/json"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        return answer.status, found

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests are read or wait for the model."""
        until = time.perf_counter() + 20
        while f"requests_under_way {requests}\n" not in self.page("/metrics"):
            assert time.perf_counter() < until
            time.sleep(0.01)

    def page(self, path: str) -> str:
        """What a GET gives."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def stop(self) -> tuple[int, float]:
        """Ask it to stop; its exit status and how many seconds it took. ``log`` has the lines of its log then."""
        started = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        errors = self.process.communicate(timeout=30)[1]
        assert not errors, errors
        self.log = [json.loads(line) for line in self.printed.read_text().splitlines()]
        return self.process.returncode, time.perf_counter() - started


def request(asked: Any, path: str = "/recommend", more: str = "") -> bytes:
    """A question as it goes over the wire.

    Args:
        asked: JSON.
        path: of the route.
        more: further headers, each with its end of line.
    """
    body = json.dumps(asked).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def served(seconds: float = 0.0, **limits: Any) -> Iterator[Served]:
    """A service; ``limits`` other than those of :mod:`tests.serving.asking`."""
    from tests.serving.asking import LIMITS

    with TemporaryDirectory() as folder, Path(folder, "log").open("w") as printed:
        process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(LIMITS | limits), str(seconds)], stdout=printed,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield Served(process, Path(printed.name))
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def main(limits: dict[str, Any], seconds: float) -> None:
    """Serve."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # importing it fails now
    from seqrec.serving.service.limits import Limits
    from seqrec.serving.service.lines import Lines
    from seqrec.serving.service.server import listening, run
    from tests.serving.dot import dot

    model = dot()
    recommend = model.recommend

    def slow(histories: Any, k: int, **options: Any) -> Any:
        time.sleep(seconds if k > 1 else 0)  # the first list, at the start, has one item
        return recommend(histories, k, **options)

    model.recommend = slow  # type: ignore[method-assign, assignment]
    run(model, Limits(**limits), "1.2", listening("127.0.0.1", 0), Lines())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), float(sys.argv[2]))

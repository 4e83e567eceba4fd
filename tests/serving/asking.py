"""Asking a service in this process, without a network: what a server would hand over, and what comes back."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

from seqrec.serving.recommend import LoadedModel
from seqrec.serving.service.app import service
from seqrec.serving.service.limits import Limits
from seqrec.serving.service.lines import Lines

LIMITS: dict[str, Any] = {
    "body_bytes": 2000, "body_seconds": 0.2, "histories": 20, "history": 30, "k": 50, "concurrency": 4,
    "connections": 40, "idle_seconds": 2, "stop_seconds": 3,
}  # fmt: skip


class Answer(NamedTuple):
    """What came back; status 0 where nothing did."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Service:
    """A service of a model, and its log.

    Args:
        model: answers.
        together: see :class:`seqrec.serving.service.waiting.Waiting`.
        **limits: other than :data:`LIMITS`.
    """

    def __init__(self, model: LoadedModel, together: int = 16, **limits: Any) -> None:
        self.printed = io.StringIO()
        self.app = service(model, Limits(**(LIMITS | limits)), "1.2", Lines(self.printed), together)

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its lines."""
        return [json.loads(line) for line in self.printed.getvalue().splitlines()]

    def post(self, path: str, asked: Any) -> Answer:
        """One question, JSON unless it is bytes already."""
        return asyncio.run(
            ask(self.app, "POST", path, asked if isinstance(asked, bytes) else json.dumps(asked).encode())
        )

    def get(self, path: str, method: str = "GET") -> Answer:
        """One page."""
        return asyncio.run(ask(self.app, method, path))


async def ask(
    app: ASGIApp, method: str, path: str, body: bytes | Sequence[bytes | None] = b"",
    headers: dict[str, str] | None = None,
) -> Answer:  # fmt: skip
    """One request.

    Args:
        app: is asked.
        method, path: of the request.
        body: at once, or in parts; after a None nothing comes any more.
        headers: besides ``content-type: application/json``, or in its place.
    """
    parts = [body] if isinstance(body, bytes) else list(body)
    given = {"content-type": "application/json"} | (headers or {})
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1), "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        if not parts:
            await asyncio.Event().wait()  # a client that waits for the answer
        part = parts.pop(0)
        if part is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next((message for message in sent if message["type"] == "http.response.start"), None)
    content = b"".join(message.get("body", b"") for message in sent)
    if start is None:
        return Answer(0, {}, content)
    return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, content)

"""Around the routes: every request is counted, logged and answered, whatever happens inside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seqrec.serving.service.counters import Counters
from seqrec.serving.service.lines import Lines

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
CLIENT_GONE = 499
"""In log and counts: nobody waited for the answer."""

COUNTS = "seqrec.counts"
"""Key of a scope under which a route leaves counts for the log."""


class Watched:
    """An application that is watched.

    Args:
        app: the routes.
        counters: count.
        lines: the log.
        routes: paths that have a name in log and counts; all others are "other", since users choose them.
    """

    def __init__(self, app: ASGIApp, counters: Counters, lines: Lines, routes: Collection[str]) -> None:
        self.app, self.counters, self.lines, self.routes = app, counters, lines, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As any ASGI application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        scope[COUNTS] = {}

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        route = scope["path"] if scope["path"] in self.routes else "other"
        try:
            await self.app(scope, receive, noting)
        except ClientDisconnect:
            status = CLIENT_GONE
        except asyncio.CancelledError:  # a stop waits no longer
            if not status:
                await _fail(noting, 503, b'{"error":"the service stops"}')
        except Exception as error:
            self.lines.failure(error, route=route)
            if status:
                raise
            await _fail(noting, 500, b'{"error":"the service failed; its log says where"}')
        seconds = time.perf_counter() - started
        self.counters.answered(route, status, seconds)
        method = scope["method"] if scope["method"] in METHODS else "other"
        about = {"route": route, "method": method, "status": status, "ms": round(seconds * 1000, 2)}
        self.lines.write(**about, **scope[COUNTS])


async def _fail(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""From a loaded model to a process that answers on a port until it is asked to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from seqrec.serving.recommend import LoadedModel
from seqrec.serving.service.app import service
from seqrec.serving.service.limits import Limits
from seqrec.serving.service.lines import Handler, Lines

HEAD_BYTES = 16384
"""Of the head of a request."""


class Connection(H11Protocol):
    """A connection that is closed where the head of a request does not arrive in time, which uvicorn waits for."""

    patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take some bytes; what comes after the end of the last answer is left."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the connection."""
        self._calm()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Be impatient while a head has begun, or none has come yet."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._calm()
        elif self.patience is None:
            self.patience = self.loop.call_later(self.config.timeout_keep_alive, self.transport.close)

    def _calm(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ValueError: the port is in use, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where a socket does not name TCP, asyncio leaves Nagle's delay on: answers on an open connection wait 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except (OSError, OverflowError, UnicodeError) as error:
        sock.close()
        number = getattr(error, "errno", None)
        reason = os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error)
        raise ValueError(
            f"{host} port {port} cannot be listened on ({reason}); choose others with task.host=... task.port=..."
        ) from None
    return sock


def run(model: LoadedModel, limits: Limits, version: str, sock: socket.socket, lines: Lines) -> None:
    """Answer until SIGTERM or SIGINT; requests under way are answered first, in at most ``limits.stop_seconds``.

    Args:
        model: what ``seqrec.load`` gives.
        limits: of requests.
        version: of this package.
        sock: listens, see :func:`listening`.
        lines: the log.
    """
    if len(model.items.raw):
        model.recommend([[model.items.raw[0]]], 1, users=None if model.users is None else [model.users.raw[0]])
    config = uvicorn.Config(
        service(model, limits, version, lines),
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with _stopped_by_signals(), _logging_to(lines):
        lines.write(event="listening", url=url, model=model.name, items=len(model.items.raw))
        uvicorn.Server(config).run([sock])
        lines.write(event="stopped")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """uvicorn repeats a signal after it has stopped; then it has been heeded, and the process ends as any other."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logging_to(lines: Lines) -> Iterator[None]:
    """What uvicorn and asyncio log is in the log."""
    handler = Handler(lines)
    loggers = [logging.getLogger(name) for name in ("uvicorn", "asyncio")]
    before = [(logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, (propagates, level) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagates
            logger.setLevel(level)

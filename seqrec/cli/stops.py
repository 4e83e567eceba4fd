"""Ctrl+C and SIGTERM, which schedulers send before they take a machine away: each ends a run with its own status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143  # exit status of a shell's command that SIGINT or SIGTERM ended


class Terminated(SystemExit):
    """Someone sent SIGTERM."""


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """While nothing but imports and checks is under way, Ctrl+C ends the program at once.

    As an exception it would interrupt an import, and a library that tries another one continues with half a module.
    """
    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def terminable() -> Iterator[None]:
    """Raise :class:`Terminated` where SIGTERM arrives, unless a launcher has a handler of its own."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def stop_of(end: BaseException) -> int | None:
    """The exit status of a run that someone stopped; None where the program itself called for its end.

    Lightning makes a ``SystemExit`` of a ``KeyboardInterrupt``, and one of its own, without a status, of SIGTERM.
    """
    if isinstance(end, Terminated) or type(end).__name__ == "SIGTERMException":  # by name: Lightning takes seconds
        return TERMINATED
    if isinstance(end, KeyboardInterrupt) or isinstance(end.__context__, KeyboardInterrupt):
        return INTERRUPTED
    return None


def _leave(number: int, frame: FrameType | None) -> None:
    print("stopped before the run began", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one does not disturb the end
    raise Terminated(TERMINATED)

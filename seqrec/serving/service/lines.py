"""The log: a JSON object a line. It says how the service works, never what users asked."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec


class Lines:
    """Writes the log.

    Args:
        stream: where to; None: stdout.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream

    def write(self, **values: Any) -> None:
        """One line, with the time before the values. A reader who has gone away ends no request."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            self._stream.write(msgspec.json.encode({"time": now} | values).decode() + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # a ValueError of a stream that is closed
            pass

    def failure(self, error: BaseException, **values: Any) -> None:
        """An error of the program by its kind and place; its words might repeat what a user asked."""
        trace, place = error.__traceback__, ""
        while trace is not None:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        self.write(level="error", event=type(error).__name__, at=place, **values)


class Handler(logging.Handler):
    """Has what libraries log in the same form.

    Args:
        lines: the log.
    """

    def __init__(self, lines: Lines) -> None:
        super().__init__(logging.WARNING)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an exception as :meth:`Lines.failure` does."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.lines.failure(error)
        else:
            self.lines.write(level=record.levelname.lower(), event=record.getMessage().strip())

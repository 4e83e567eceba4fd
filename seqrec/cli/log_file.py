"""The log file of a job, without which a run continues."""

from __future__ import annotations

import logging
import sys


class LogFile(logging.FileHandler):
    """Says once that nothing more can be written, as on a full disk; Python's own shows a traceback for each line."""

    failed = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it."""
        if not self.failed:
            self.failed = True
            print(f"{self.baseFilename} cannot be written ({sys.exc_info()[1]}); the run continues", file=sys.stderr)

"""What is being done with a log so large that each step takes seconds: one line a step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

ROWS = 5_000_000
"""Interactions from which steps are told."""
BYTES = 100_000_000
"""Size of the files from which it is told that they are read."""


def tell(what: str, rows: int) -> None:
    """Say what is being done with that many interactions, if they are many."""
    if rows >= ROWS:
        logger.info("%s (%s interactions)", what, f"{rows:,}")


def tell_reading(source: Path, files: Sequence[Path]) -> None:
    """Say that files are read, if they are large."""
    size = sum(file.stat().st_size for file in files)
    if size >= BYTES:
        logger.info("%s: reading %.1f GB", source, size / 1e9)

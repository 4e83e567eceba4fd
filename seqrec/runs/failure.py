"""What a failed job of a sweep leaves behind: one line in its folder, maybe written on another machine."""

from __future__ import annotations

import re
from collections.abc import Sequence

FAILED = "failed.txt"
"""File in the folder of a failed job."""

_NOTE = re.compile(r"job \d+ \((?P<arguments>.*?)\): (?P<reason>.*)", re.DOTALL)


def note(number: int, arguments: Sequence[str], reason: str) -> str:
    """The line: which job failed, what it was asked for, and why it failed."""
    return f"job {number} ({' '.join(arguments)}): {' '.join(reason.split())}"


def noted(line: str) -> tuple[str, str]:
    """The arguments of the job and the reason that such a line holds."""
    found = _NOTE.match(line.strip())
    return (found["arguments"], found["reason"]) if found else ("", "for a reason that was not noted")

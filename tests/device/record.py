"""What a run on the emulated device did, by the part of the run in which it did so."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import NoReturn

PROJECT, LIBRARIES = "/seqrec/", ("/torch/", "/tests/device/", "<")


class Refused(RuntimeError):
    """CUDA would refuse this too."""


@dataclass
class Notes:
    """Of one part of a run.

    Attributes:
        waits: what the host waited for, and where.
        copies: copies from the host that it did not wait for, and where.
        launches: of kernels; rough where one operator has several.
        bytes: read and written by them.
        flops: of matrix products and what is built from them.
        operators: how often each was called.
        lines: launches by line of the project, where these are asked for.
    """

    waits: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    launches: int = 0
    bytes: int = 0
    flops: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)


class Record:
    """Notes by part of a run; whoever runs it says which part begins.

    Args:
        lines: note launches by line of the project too, which takes some time.
    """

    def __init__(self, lines: bool = False) -> None:
        self.lines = lines
        self.parts: dict[str, Notes] = {}
        self.refused: Refused | None = None
        self.begin("before")

    def begin(self, part: str) -> None:
        """From here on notes are of ``part``; ``next`` is what will be the beginning of another one."""
        if part == "next":
            self.parts.pop(part, None)
        self.now = self.parts.setdefault(part, Notes())

    def go_on(self, part: str) -> None:
        """What was noted as ``next`` is the beginning of ``part``; without that, go on between parts."""
        if self.parts.get("next") is self.now:
            self.parts[part] = self.parts.pop("next")
        else:
            self.begin("between")

    def launch(self, kernels: int) -> None:
        self.now.launches += kernels
        if self.lines and kernels:
            self.now.lines[where()] += kernels

    def refuse(self, what: str) -> NoReturn:
        """Raise, and keep what was raised: when a fit fails Lightning cleans up, which may fail and hide it."""
        self.refused = Refused(f"{what} {where()}")
        raise self.refused

    def wait(self, what: str) -> None:
        self.now.waits[f"{what} {where()}"] += 1

    def copy(self, what: str) -> None:
        self.now.copies[f"{what} {where()}"] += 1


def where() -> str:
    """The line of seqrec that is being executed, or of the library that executes it; lines of PyTorch do not count."""
    frame, library = sys._getframe(1), ""
    while frame is not None:
        name = frame.f_code.co_filename
        if PROJECT in name:
            return f"at seqrec/{name.rpartition(PROJECT)[2]}:{frame.f_lineno}"
        if not library and not any(part in name for part in LIBRARIES):
            library = f"at {'/'.join(name.split('/')[-3:])}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return library or "in a backward pass or an optimizer"

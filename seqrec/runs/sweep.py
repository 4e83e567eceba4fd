"""The jobs of a sweep, read back from its folder: finished, failed, or stopped before their end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seqrec.runs.failure import FAILED, noted
from seqrec.runs.folder import METRICS, holds_run
from seqrec.runs.kept import Run, read_run
from seqrec.runs.origin import Origin


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        number: which gives its folder the name.
        arguments: values by key, as they were asked for.
        run: what it ended with; None unless it is finished.
        status: ``finished``, ``stopped``, or ``failed: `` and why.
    """

    number: int
    arguments: Mapping[str, str]
    run: Run | None
    status: str


def jobs(folder: Path) -> list[Job]:
    """All jobs of the sweep in ``folder``, in their order.

    Raises:
        ValueError: there is none.
    """
    found = [_job(path) for path in folder.glob("*") if path.name.isdigit() and _is_job(path)]
    if not found:
        raise ValueError(f"{folder} holds no job of a sweep; give a folder such as multirun/<time>")
    return sorted(found, key=lambda job: job.number)


def _is_job(folder: Path) -> bool:
    return holds_run(folder) or (folder / FAILED).exists() or Origin.read(folder).command is not None


def _job(folder: Path) -> Job:
    return Job(int(folder.name), *state(folder))


def state(folder: Path) -> tuple[Mapping[str, str], Run | None, str]:
    """Arguments, result and status of the run in a folder, as a :class:`Job` has them; the folder may have any name."""
    failed = folder / FAILED
    if failed.exists() and not (folder / METRICS).exists():
        words, reason = noted(failed.read_text(encoding="utf-8"))
        return values(words), None, f"failed: {reason}"
    arguments = values(Origin.read(folder).command or "")
    if not (folder / METRICS).exists():
        return arguments, None, "stopped"
    try:
        return arguments, read_run(folder), "finished"
    except ValueError as error:
        return arguments, None, f"failed: {error}"


def values(command: str) -> dict[str, str]:
    """Keys and values of a command line, without those that only say how it runs.

    Args:
        command: for a shell.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is not closed
        words = command.split()
    pairs = [word.partition("=") for word in words if "=" in word]
    return {key.lstrip("+"): value for key, _, value in pairs if key != "resume" and not key.startswith("hydra.")}

"""What an error that ended a run says to people, and whether it needs its traceback."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException

from seqrec.cli.unwritable import way_out
from seqrec.runs.folder import resumable


@dataclass(frozen=True)
class Reason:
    """Why a run ended.

    Attributes:
        cause: what was raised, without what Hydra wrapped around it.
        message: for a single run.
        in_sweep: the same among others, with the kind of an error that people do not cause.
        traced: the traceback is needed to understand it, or was asked for.
    """

    cause: Exception
    message: str
    in_sweep: str
    traced: bool


def reason(error: Exception) -> Reason:
    """What to tell of an error during a run.

    A :class:`ValueError`, a missing file or package, what Lightning calls a misconfiguration and a ``RuntimeError``,
    which is what libraries raise for most of what users get wrong, are one line; with ``HYDRA_FULL_ERROR=1`` they keep
    their traceback, as any other error does.
    """
    node, cause = _cause(error)
    plain = _for_people(cause)
    shows = isinstance(cause, RuntimeError | ImportError)
    hint = f" (HYDRA_FULL_ERROR=1 {program()} ... shows where)" if shows else ""
    words = _unwritten(cause) if isinstance(cause, OSError) else str(cause)
    message = (f"{node}: {words}" if node else words) + hint
    traced = not plain or os.environ.get("HYDRA_FULL_ERROR") == "1"
    return Reason(cause, message, message if plain else f"{type(cause).__name__}: {cause}", traced)


def program() -> str:
    """What a user writes to start this command line."""
    name = Path(sys.argv[0]).name
    return {"main.py": "python main.py", "__main__.py": "python -m seqrec"}.get(name, "seqrec")


def resume_command(folder: Path) -> str:
    """What resumes the run in ``folder``."""
    return f"{program()} resume={os.path.relpath(folder)}"


def _unwritten(error: OSError) -> str:
    """What to tell of an error of files during a run."""
    if not HydraConfig.initialized():
        return str(error)
    folder = Path(HydraConfig.get().runtime.output_dir)
    return way_out(error, folder, resume_command(folder) if resumable(folder) else None)


def _cause(error: Exception) -> tuple[str, Exception]:
    """The node whose call failed, empty for the task, and the exception that Hydra wrapped."""
    node = ""
    while isinstance(error, InstantiationException) and isinstance(error.__cause__, Exception):
        place = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        node = place if place and place != "task" else node
        error = error.__cause__
    return node, error


def _for_people(error: Exception) -> bool:
    """Whether the message alone tells the user what to change."""
    if isinstance(error, ValueError | OSError | RuntimeError | ModuleNotFoundError | InstantiationException):
        return True
    return type(error).__name__ == "MisconfigurationException"  # by name: importing Lightning takes seconds

"""Files that cannot be written: one line with the path, the reason and a way out, also where Hydra writes them."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EEXIST, EFBIG, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from typing import Any

import hydra._internal.utils as hydra_utils

FULL = (ENOSPC, EDQUOT, EFBIG)
"""A disk, a quota or what a file may take is used up."""

CLOSED = (EACCES, EPERM, EROFS, ENOTDIR, EEXIST)
"""There may be no such file: no permission, a read-only file system, a file where a folder should be."""


def way_out(error: OSError, folder: Path, resume: str | None) -> str:
    """What to tell of an error: a file that cannot be written and what to do, else the error's own words.

    Args:
        error: that ended a run.
        folder: of the run.
        resume: the command that resumes it; None where it has nothing to resume.
    """
    reason = f"{error.filename or 'a file'} cannot be written: {(error.strerror or '').lower()}"
    if error.errno in FULL:
        return f"{reason}; make room, then {f'resume with: {resume}' if resume else 'start again'}"
    named = Path(os.path.abspath(os.fsdecode(error.filename))) if isinstance(error.filename, str | bytes) else None
    inside = named is not None and (named in (folder, *folder.parents) or folder in named.parents)
    if error.errno == EROFS or (error.errno in CLOSED and inside):
        return (
            f"{reason}; make the folder of the run writable, or choose another one with hydra.run.dir=... (of a sweep "
            "hydra.sweep.dir=...)"
        )
    return str(error)


@contextmanager
def heeded(fail: Callable[[str, Path | None], Any]) -> Iterator[None]:
    """Call ``fail`` instead of showing a traceback where Hydra cannot write a folder for its job.

    Hydra makes the folder, a log and ``.hydra`` before it calls a task, and reports their errors itself.

    Args:
        fail: gets the message and the folder, None where it was not chosen yet, and ends the program.
    """
    report = hydra_utils.run_and_report

    def heeding(start: Callable[[], Any]) -> Any:
        def started() -> Any:
            try:
                return start()
            except (OSError, ValueError) as error:
                cause = error if isinstance(error, OSError) else error.__cause__  # of a log that cannot be opened
                if not isinstance(cause, OSError) or os.environ.get("HYDRA_FULL_ERROR") == "1":
                    raise
                folder = _folder(error)
                fail(way_out(cause, folder or Path(os.path.abspath(str(cause.filename))), None), folder)

        return report(started)

    hydra_utils.run_and_report = heeding  # type: ignore[assignment]
    try:
        yield
    finally:
        hydra_utils.run_and_report = report


def _folder(error: Exception) -> Path | None:
    """The folder of the job that Hydra was about to start; None where it was not chosen yet."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "run_job" and "output_dir" in frame.f_locals:
            return Path(os.path.abspath(frame.f_locals["output_dir"]))
    return None

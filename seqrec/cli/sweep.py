"""A sweep some of whose jobs fail: the others run, whatever starts them, and the end names those that failed."""

from __future__ import annotations

import math
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from seqrec.runs.files import replacing

FAILED = "failed.txt"
"""File in the folder of a failed job, which may have run in another process or on another machine: why it failed."""

USER_ERROR = 2  # exit status, as of a single run


class FailedJobs(Callback):
    """Hydra's callback that ends a sweep with one line for each job that failed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Forget the failures of an earlier sweep in the same folder."""
        for note in _notes(config):
            note.unlink()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Name the failed jobs and end with status 2; without any, nothing happens."""
        notes = _notes(config)
        for note in notes:
            print(f"error: {note.read_text(encoding='utf-8').strip()}", file=sys.stderr)
        if notes:
            sys.exit(USER_ERROR)


def in_sweep() -> bool:
    """Whether this is a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def fail_job(message: str, bug: BaseException | None) -> float:
    """Note that this job of a sweep failed, so that the others can run.

    Args:
        message: why, in one line.
        bug: an error whose traceback is needed to understand it.

    Returns:
        What the sweeper gets as the job's result: the worst there is, so that no search looks near it.
    """
    if bug is not None:
        traceback.print_exception(bug)
    hydra = HydraConfig.get()
    number, folder = hydra.job.num, Path(hydra.runtime.output_dir)
    differs = " ".join(hydra.overrides.task)
    note = f"job {number} ({differs}): {' '.join(message.split())}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / FAILED) as partial:
            partial.write_text(note + "\n", encoding="utf-8")
    except OSError:  # the disk that the other jobs would write to
        print(f"error: {note}; the other jobs do not run, for nothing can be written", file=sys.stderr)
        sys.exit(USER_ERROR)
    print(f"job {number} failed; the other jobs run, and the reason follows at the end of the sweep", file=sys.stderr)
    direction = hydra.sweeper.get("direction")
    return math.nan if direction is None else -math.inf if "max" in str(direction).lower() else math.inf


def _notes(config: DictConfig) -> list[Path]:
    """The notes of failed jobs, in the order of the jobs."""
    notes = Path(config.hydra.sweep.dir).rglob(FAILED)
    return sorted(notes, key=lambda note: (not note.parent.name.isdigit(), note.parent.name.zfill(9), str(note)))

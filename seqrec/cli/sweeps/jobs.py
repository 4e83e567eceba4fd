"""A sweep some of whose jobs fail or are stopped: the others run, the end is a table, and it can be continued."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from seqrec.cli.run_folders import other_keys
from seqrec.cli.sweeps.launchers import missing, searches
from seqrec.cli.tree import quoted
from seqrec.runs.failure import FAILED, note
from seqrec.runs.files import replacing
from seqrec.runs.folder import METRICS

USER_ERROR = 2  # exit status, as of a single run


class FailedJobs(Callback):
    """Hydra's callback that ends a sweep with the table of its jobs and one line for each that failed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Forget the failures of an earlier sweep in the same folder, and end where its jobs cannot be run."""
        _be_absolute(config)
        why = missing(config)
        if why:
            print(f"error: {why}", file=sys.stderr)
            sys.exit(USER_ERROR)
        for failure in () if searches(config) else _notes(config):  # in a study a failed trial has ended
            failure.unlink()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show what the jobs have reached; name the failed ones and end with status 2."""
        notes = _notes(config)
        _show(Path(config.hydra.sweep.dir))
        for failure in notes:
            print(f"error: {failure.read_text(encoding='utf-8').strip()}", file=sys.stderr)
        if notes:
            sys.exit(USER_ERROR)


def in_sweep() -> bool:
    """Whether this is a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def fail_job(message: str) -> float:
    """Note that this job of a sweep failed, so that the others can run.

    Args:
        message: why, in one line.

    Returns:
        What the sweeper gets as the job's result: the worst there is, so that no search looks near it.
    """
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    number = int(folder.name) if folder.name.isdigit() else hydra.job.num
    line = note(number, list(hydra.overrides.task), message)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / FAILED) as partial:
            partial.write_text(line + "\n", encoding="utf-8")
    except OSError:  # the disk that the other jobs would write to
        print(f"error: {line}; the other jobs do not run, for nothing can be written", file=sys.stderr)
        sys.exit(USER_ERROR)
    print(f"job {number} failed; the other jobs run, and the reason follows at the end of the sweep", file=sys.stderr)
    direction = hydra.sweeper.get("direction")
    return math.nan if direction is None else -math.inf if "max" in str(direction).lower() else math.inf


def forget_failure() -> None:
    """Remove the note of this job's failure: a scheduler, or someone who continues the sweep, begins it again."""
    (Path(HydraConfig.get().runtime.output_dir) / FAILED).unlink(missing_ok=True)


def continued() -> str:
    """What continues this sweep, in words; searches and tables of papers find what they have begun by themselves."""
    hydra = HydraConfig.get()
    if str(hydra.sweeper.get("_target_")).startswith("hydra_plugins.hydra_seqrec_"):
        return "the same command continues it"
    return f"the same command with hydra.sweep.dir={os.path.relpath(hydra.sweep.dir)} resume=auto continues the sweep"


def finished_before(config: DictConfig) -> float | None:
    """The result of a job that a continued sweep need not run again; None where there is none.

    Args:
        config: of the job, with ``resume=auto``.

    Raises:
        ValueError: what has finished in its folder is another job.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    if config.get("resume") != "auto" or not (folder / METRICS).exists():
        return None
    other = other_keys(config, folder)
    if other:
        raise ValueError(
            f"{folder} holds a finished run that differs in {', '.join(other[:5])}; continue a sweep with the command "
            "that began it, or give another one its own hydra.sweep.dir"
        )
    from seqrec.runs.kept import read_run  # with torch, for which a command line that is refused does not wait

    run = read_run(folder)
    print(f"finished before: {folder}")
    return float(run.metrics["val"][run.card.monitor])


def _be_absolute(config: DictConfig) -> None:
    """Have the sweep's folder named from the root, for jobs that another process begins elsewhere."""
    folder = os.path.abspath(config.hydra.sweep.dir)
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = folder
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(folder)}")


def _notes(config: DictConfig) -> list[Path]:
    """The notes of failed jobs, in the order of the jobs."""
    notes = Path(config.hydra.sweep.dir).rglob(FAILED)
    return sorted(notes, key=lambda path: (not path.parent.name.isdigit(), path.parent.name.zfill(9), str(path)))


def _show(folder: Path) -> None:
    """Print the table of a sweep that trained something."""
    from seqrec.reporting.terminal import show_sweep
    from seqrec.runs.sweep import jobs  # with torch too

    try:
        found = jobs(folder)
    except ValueError:  # its tasks leave no run behind
        return
    if any(job.run for job in found):
        show_sweep(folder, found)

"""Where a run lives, the names of its files, and how a stopped one is found again."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from seqrec.runs.files import PARTIAL
from seqrec.runs.lock import LOCK, is_locked

LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"
CONFIG, CARD, METRICS, LOG = "config.yaml", "protocol.json", "metrics.json", "log.csv"
PER_USER = "per_user.parquet"
ORIGIN = "origin.json"  # what was asked for when the run began
WANDB_ID = "wandb_id"  # of the run at Weights & Biases, which a resumed run continues
FIRST_STAGE = "warm_start"  # the folder of a first stage inside that of its run
BEFORE_TRAINING = {LOCK, CONFIG, ORIGIN, "catalog.parquet", "users.parquet"}


def new_folder(prefix: str, time: str) -> Path:
    """The folder of a new run, named by the time of its start, below ``prefix``: ``outputs/<model>-<data>-s<seed>``."""
    return Path(prefix) / time


def unfinished(prefix: str, also_locked: bool = False) -> list[Path]:
    """Runs below ``prefix`` that have no result yet and no process that works on it: those with a state, newest first.

    After them come those that died in their first epoch, which begin again in their folders.

    Args:
        prefix: of the folders.
        also_locked: those with a state on which a process works too, which may be the first one of this process's own
            run.
    """
    found = [folder for folder in Path(prefix).glob("*") if not (folder / METRICS).exists()]
    begun = [folder for folder in found if resumable(folder)]
    if not also_locked:  # without a lock's file a process may be about to begin there
        begun += [folder for folder in found if not resumable(folder) and (folder / LOCK).exists()]
    free = [folder for folder in begun if also_locked or not is_locked(folder)]
    return sorted(free, key=lambda folder: (resumable(folder), folder.name), reverse=True)


def resumable(folder: Path) -> bool:
    """Whether a run, or its first stage, has finished an epoch."""
    return any((folder / stage / LAST).exists() for stage in ("", FIRST_STAGE))


def holds_run(folder: Path) -> bool:
    """Whether a folder has a state or a result that another run would overwrite."""
    return resumable(folder) or (folder / METRICS).exists()


def discard_unused(folder: Path, others: set[str]) -> None:
    """Remove the folder of a run that was refused before it trained, and the folders above it that are empty then.

    Args:
        folder: of the run; it stays where it holds anything that a start does not write.
        others: names of files and folders that something else writes there at the start.
    """
    names = {path.name.removesuffix(PARTIAL) for path in folder.iterdir()} if folder.is_dir() else set()
    if not names or names - BEFORE_TRAINING - others or is_locked(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    here, parents = Path.cwd(), folder.absolute().parents
    with suppress(OSError):  # not empty
        for above in parents[: parents.index(here)] if here in parents else ():
            above.rmdir()

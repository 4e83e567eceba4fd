"""Where a run lives, the names of its files, and how a stopped one is found again."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seqrec.runs.files import PARTIAL
from seqrec.runs.lock import LOCK, is_locked

LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"
CONFIG, CARD, METRICS, LOG = "config.yaml", "protocol.json", "metrics.json", "log.csv"
PER_USER = "per_user.parquet"
RANKS = "ranks.parquet"  # of a run that is kept: the same without names, users in the order of theirs
ORIGIN = "origin.json"  # what was asked for when the run began
WANDB_ID = "wandb_id"  # of the run at Weights & Biases, which a resumed run continues
HISTORIES = "histories"  # of an updated run, which has a log of its own
UPDATE = "update.json"  # of an updated run: what it gave to whom
UPDATING = "update.begun"  # of an update under way, or one that was killed: it is begun again, never resumed
FIRST_STAGE = "warm_start"  # the folder of a first stage inside that of its run
BEFORE_TRAINING = {LOCK, CONFIG, ORIGIN, "catalog.parquet", "users.parquet", HISTORIES}


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
    ended = (METRICS, UPDATING)
    found = [folder for folder in Path(prefix).glob("*") if not any((folder / name).exists() for name in ended)]
    begun = [folder for folder in found if resumable(folder)]
    if not also_locked:  # without a lock's file a process may be about to begin there
        begun += [folder for folder in found if not resumable(folder) and (folder / LOCK).exists()]
    free = [folder for folder in begun if also_locked or not is_locked(folder)]
    return sorted(free, key=lambda folder: (resumable(folder), folder.name), reverse=True)


def resumable(folder: Path) -> bool:
    """Whether a run, or its first stage, has finished an epoch that it can be resumed after."""
    return not (folder / UPDATING).exists() and any((folder / stage / LAST).exists() for stage in ("", FIRST_STAGE))


def holds_run(folder: Path) -> bool:
    """Whether a folder has a state or a result that another run would overwrite."""
    return resumable(folder) or any((folder / name).exists() for name in (METRICS, UPDATING))


def links_out_of(folder: Path) -> list[Path]:
    """Links in a run folder that lead elsewhere: what a run writes to them would change files that are not its own.

    But for those in ``wandb/``, which Weights & Biases makes itself to its logs.
    """
    home = folder.resolve()
    own = [path for path in folder.rglob("*") if "wandb" not in path.relative_to(folder).parts[:-1]]
    return [path for path in own if path.is_symlink() and not path.resolve().is_relative_to(home)]


@dataclass(frozen=True)
class Before:
    """What was there before a run began.

    Attributes:
        names: of what was in its folder; None where there was no folder.
        above: the innermost folder above it that was there.
    """

    names: frozenset[str] | None
    above: Path

    @classmethod
    def of(cls, folder: Path) -> Before:
        """What is there now."""
        above = next(parent for parent in folder.absolute().parents if parent.is_dir())
        return cls(frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else None, above)


def discard_unused(folder: Path, others: set[str], before: Before) -> None:
    """Remove what a run that was refused before it trained left in its folder, and the folders made for it.

    Args:
        folder: of the run; what it trained stays, and so does what was there before.
        others: names of files and folders that something else writes there at the start.
        before: the start.
    """
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    made = names - (before.names or frozenset())
    trained = {name.removesuffix(PARTIAL) for name in made} - BEFORE_TRAINING - others
    if trained or holds_run(folder) or is_locked(folder):
        return
    for path in (folder / name for name in made):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if before.names is not None:
        return
    parents = folder.absolute().parents
    with suppress(OSError):  # not empty: someone else uses it too
        for empty in (folder.absolute(), *parents[: parents.index(before.above)]):
            empty.rmdir()

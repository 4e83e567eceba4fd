"""Epochs that a budget cut: a resumed run repeats them, for the rest of one must not be lost.

A budget (``trainer.max_steps``, ``trainer.max_time``) may end inside an epoch. The state there is judged and stored as
any other is, and the checkpoints of the whole epochs before it stay beside it, from which a resumed run starts.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytorch_lightning as pl

from seqrec.runs.folder import BEST, LAST, METRICS

BEFORE = "before_epoch_"  # and the number of the epoch that was cut, from 1: a folder beside the checkpoints


def was_cut(trainer: pl.Trainer) -> bool:
    """Whether the epoch that just ended had batches left."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.completed < trainer.num_training_batches


def keep_whole_epochs(folder: Path, epoch: int) -> None:
    """Keep the checkpoints as they are before those of a cut epoch replace them.

    Args:
        folder: of the run.
        epoch: that was cut, from 1.
    """
    kept = (folder / LAST).parent / f"{BEFORE}{epoch}"
    if kept.exists():
        return
    kept.mkdir(parents=True)
    for path in (folder / BEST, folder / LAST):
        if path.exists():
            _link(path, kept / path.name)


def return_to_whole_epochs(folder: Path) -> None:
    """Make the last whole epoch the last one again, none where the first was cut; nothing where none was cut.

    It may be killed anywhere; the next call finishes what is left. Results, which are those of the cut epoch, go first:
    a run without its weights has none.
    """
    for kept in (folder / LAST).parent.glob(f"{BEFORE}*"):
        (folder / METRICS).unlink(missing_ok=True)
        first = kept.name == f"{BEFORE}1"
        for path in (folder / BEST, folder / LAST):
            before = kept / path.name
            if before.exists():
                before.replace(path)
            elif first:
                path.unlink(missing_ok=True)
        shutil.rmtree(kept)


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:  # a file system without links
        shutil.copyfile(path, place)

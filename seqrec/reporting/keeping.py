"""The compact form of a finished run, in which the project stores those that its pages report."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from seqrec.runs.folder import CARD, LOG, METRICS, PER_USER, RANKS
from seqrec.runs.kept import COMMAND, read_run
from seqrec.runs.slicing import LENGTH, POPULARITY


def keep(run: Path, folder: Path) -> None:
    """Copy what tables need of a finished run into another folder: its files, and ranks of users without raw ids.

    Raises:
        ValueError: it is no finished run.
    """
    read_run(run)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LOG, METRICS, CARD):
        shutil.copyfile(run / name, folder / name)
    (folder / COMMAND).unlink(missing_ok=True)  # of an older run; the card knows that of this one
    users = pl.read_parquet(run / PER_USER).sort("user")
    users.select("rank", *(name for name in (LENGTH, POPULARITY) if name in users)).write_parquet(folder / RANKS)

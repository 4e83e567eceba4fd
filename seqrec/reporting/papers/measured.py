"""What a cell shows of a run: a metric of the test split, one of some of its users, or a column of its log.

======================================  ============================================================
``ndcg@20``                             of all test users
``ndcg@20 8 to 19``                     of those with a history of 8 to 19 interactions
``users 8 to 19``                       their number
``uniformity/items``                    a column of ``log.csv`` at the epoch that was tested
``negatives/batch_q50 at 25``           the same at epoch 25; nothing where the training ended before
======================================  ============================================================
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import torch

from seqrec.data.checks.fenrec_table_d import GROUPS
from seqrec.metrics import of_users
from seqrec.runs.folder import LOG, PER_USER
from seqrec.runs.kept import Run
from seqrec.runs.slicing import LENGTH, name_of_lengths, of_lengths

USERS = "users"
AT = " at "
LENGTHS = tuple(name_of_lengths(*group) for group in GROUPS)


def is_tested(name: str) -> bool:
    """Whether a name is that of a metric of all test users."""
    return "/" not in name and " " not in name


def measured(folder: Path, run: Run, name: str) -> float | None:
    """A number of a run, see above; None where the run does not have it.

    Args:
        folder: of the run.
        run: as it was read.
        name: of the number.
    """
    if "/" in name:
        column, at, epoch = name.partition(AT)
        return _logged(run, column, int(epoch) if at else int(run.metrics["best_epoch"]))
    metric, _, group = name.partition(" ")
    if group:
        return _of_group(folder / PER_USER, metric, group)
    found = run.metrics["test"].get(metric)
    return None if found is None else float(found)


def logs(folder: Path, columns: tuple[str, ...]) -> bool:
    """Whether the log of a run has these columns."""
    with (folder / LOG).open(encoding="utf-8") as file:
        return set(columns) <= set(file.readline().strip().split(","))


def _logged(run: Run, column: str, epoch: int) -> float | None:
    return next((row.get(column) for row in run.log if row["epoch"] == epoch), None)


def _of_group(path: Path, metric: str, group: str) -> float | None:
    if not path.exists():
        return None
    table = pl.read_parquet(path, columns=["rank", LENGTH])
    chosen = next(part.users for part in of_lengths(table, GROUPS) if part.name == group)
    if metric == USERS:
        return float(chosen.sum())
    rank = torch.from_numpy(table["rank"].to_numpy()[chosen])
    return float(of_users(rank, metric).double().mean()) if len(rank) else None

"""Where the test metrics of runs lie, by the ranks of their users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqrec.functional.intervals import Interval, UserMean, share, user_mean
from seqrec.metrics import is_of_users, of_users
from seqrec.runs.folder import PER_USER, RANKS
from seqrec.runs.kept import Run

INTERVALS = "intervals"
"""Key of ``metrics.json``."""

Intervals = Mapping[str, Interval]
"""By the name of a metric."""


def of_ranks(rank: Tensor, user: NDArray[np.generic], names: Iterable[str]) -> dict[str, Interval]:
    """Intervals of those of some metrics that are means over users.

    Args:
        rank: ``(N,)``.
        user: ``(N,)`` whose they are.
        names: of the metrics.
    """
    means = {name: user_mean(of_users(rank, name).numpy(), user) for name in names if is_of_users(name)}
    return _known(means)


def of_run(run: Run) -> dict[str, Interval]:
    """Intervals of the test metrics of a run: those that it stores, else of its ranks, else of its shares.

    Recall of one target a user is a share of the users, whose spread its mean tells: runs without ranks have it too.
    """
    test = run.metrics["test"]
    stored = run.metrics.get(INTERVALS)
    if stored:
        return {name: Interval(test[name], *ends) for name, ends in stored["test"].items()}
    found = _ranks([run])
    return of_shares(test, run) if found is None else of_ranks(*found, test)


def of_reference(run: Run, name: str) -> dict[str, Interval]:
    """Intervals of the test metrics of a reference that a run has ranked.

    Args:
        run: finished.
        name: of the reference.
    """
    metrics, stored = run.metrics["references"][name], run.metrics.get(INTERVALS)
    if stored:
        return {one: Interval(metrics[one], *ends) for one, ends in stored["references"][name].items()}
    return of_shares(metrics, run)


def of_seeds(runs: Sequence[Run]) -> dict[str, Interval]:
    """Intervals over users of their means over the seeds of a method, whose models are taken as they are.

    Args:
        runs: which differ in their seeds alone.

    Returns:
        Those of the test metrics that are means over users; none where one of several runs has no ranks.
    """
    if len(runs) == 1:
        return of_run(runs[0])
    found = _ranks(runs)
    return {} if found is None else of_ranks(*found, runs[0].metrics["test"])


def of_shares(metrics: Mapping[str, float], run: Run) -> dict[str, Interval]:
    """Intervals of recall, where each user of a run has one target.

    Args:
        metrics: by name.
        run: whose test targets they are about.
    """
    users, targets = run.card.evaluated_users, run.card.evaluated_targets
    if targets not in (None, users):
        return {}
    return _known({name: share(mean, users) for name, mean in metrics.items() if name.startswith("recall@")})


def _known(means: Mapping[str, UserMean]) -> dict[str, Interval]:
    intervals = {name: mean.interval() for name, mean in means.items()}
    return {name: interval for name, interval in intervals.items() if interval is not None}


def _ranks(runs: Sequence[Run]) -> tuple[Tensor, NDArray[np.generic]] | None:
    """Ranks ``(N,)`` of all runs and whose they are; None where one has none, or others than it should."""
    tables = []
    for run in runs:
        table = _table(run.folder)
        if table is None or len(table) != (run.card.evaluated_targets or run.card.evaluated_users):
            return None
        tables.append(table)
    if len({table.schema["user"] for table in tables}) > 1:
        return None
    whole = pl.concat(tables)
    return torch.from_numpy(whole["rank"].to_numpy(writable=True)), whole["user"].to_numpy()


def _table(folder: Path) -> pl.DataFrame | None:
    """``user`` and ``rank``; compact runs have no names, and one line a user in the order of these."""
    path = next((folder / name for name in (PER_USER, RANKS) if (folder / name).exists()), None)
    if path is None:
        return None
    try:
        table = pl.read_parquet(path)
    except pl.exceptions.PolarsError:
        return None
    if "user" not in table:
        table = table.with_row_index("user")
    return table.select("user", "rank") if "rank" in table else None

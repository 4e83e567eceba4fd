"""Whether one model of a table is better than another on the same test users."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import numpy as np
import polars as pl
import torch

from seqrec.metrics import of_users
from seqrec.reporting.significance import estimate, holm
from seqrec.runs.folder import PER_USER

LEVEL = 0.05
"""Of all comparisons of one value together."""


def gains(folders: Sequence[Path], metric: str) -> pl.DataFrame | None:
    """``user`` and ``gain``: a metric of each user, its mean over the runs of several seeds.

    Args:
        folders: of the runs.
        metric: ``recall@k`` or ``ndcg@k``.

    Returns:
        None where a run has kept no ranks.
    """
    tables = [_gain(folder / PER_USER, metric) for folder in folders if (folder / PER_USER).exists()]
    if not tables or len(tables) < len(folders):
        return None
    return reduce(pl.DataFrame.vstack, tables).group_by("user").agg(pl.col("gain").mean())


def p_value(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """Two-sided, of a paired t-test over the users that both have.

    Returns:
        1 where no difference can be seen, as with a single user.
    """
    both = one.join(other, on="user", suffix="_of_other")
    if len(both) < 2:
        return 1.0
    first, second = (both[name].to_numpy()[None] for name in ("gain", "gain_of_other"))
    return estimate(first, second).p_value(seeds=False)


def all_below(values: Sequence[float], level: float = LEVEL) -> bool:
    """Whether Holm's procedure rejects each of several hypotheses; of none, false."""
    return len(values) > 0 and bool((holm(np.array(values)) <= level).all())


def _gain(path: Path, metric: str) -> pl.DataFrame:
    table = pl.read_parquet(path, columns=["user", "rank"])
    gain = of_users(torch.from_numpy(table["rank"].to_numpy(writable=True)), metric)
    return table.select("user").with_columns(gain=pl.Series(gain.double().numpy()))

"""Whether one model is better than another on the same test users: the one place that tables take statistics from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import polars as pl
import torch

from seqrec.functional.ranking import ndcg, recall
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
    """Two-sided, of a paired t-test over the users that both have; by the normal distribution, as users are many.

    Returns:
        1 where no difference can be seen, as with a single user.
    """
    both = one.join(other, on="user", suffix="_of_other")
    difference = (both["gain"] - both["gain_of_other"]).to_numpy()
    if len(difference) < 2:
        return 1.0
    mean, deviation = float(difference.mean()), float(difference.std(ddof=1))
    if deviation == 0:
        return 1.0 if mean == 0 else 0.0
    return math.erfc(abs(mean) / deviation * math.sqrt(len(difference) / 2))


def all_below(values: Sequence[float], level: float = LEVEL) -> bool:
    """Whether Holm's procedure rejects each of several hypotheses; of none, false."""
    ordered = sorted(values)
    return bool(ordered) and all(p <= level / (len(ordered) - place) for place, p in enumerate(ordered))


def _gain(path: Path, metric: str) -> pl.DataFrame:
    name, _, cutoff = metric.partition("@")
    table = pl.read_parquet(path, columns=["user", "rank"])
    rank = torch.from_numpy(table["rank"].to_numpy(writable=True))
    gain = (recall if name == "recall" else ndcg)(rank, int(cutoff))
    return table.select("user").with_columns(gain=pl.Series(gain.double().numpy()))

"""What a run gave: metrics, a rank for each user, and slices of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqrec.metrics import summarise

if TYPE_CHECKING:  # a data module is Lightning's, which reading a run back does not need
    from seqrec.data.datamodule import SequenceDataModule


@dataclass(frozen=True)
class Result:
    """What one run gave.

    Attributes:
        val, test: metrics of the selected weights.
        epochs: epochs trained.
        best_epoch: epoch, counted from 1, whose weights were tested.
        seconds: training and validation time of all epochs.
        row, rank: test windows ``(N,)`` and the ranks ``(N,)`` of their targets.
        selected: the tested weights are the best on validation; else they are the last.
    """

    val: dict[str, float]
    test: dict[str, float]
    epochs: int
    best_epoch: int
    seconds: float
    row: Tensor
    rank: Tensor
    selected: bool = True


@dataclass(frozen=True)
class Reference:
    """What a reference reached on the test targets of a run.

    Attributes:
        metrics: of all test users.
        row, rank: test windows ``(N,)`` and the ranks ``(N,)`` of their targets.
    """

    metrics: dict[str, float]
    row: Tensor
    rank: Tensor

    def among(self, row: Tensor, cutoffs: list[int]) -> Reference:
        """The same for some of the test windows, for a run whose test was limited to a few batches.

        Args:
            row: the windows ``(M,)``.
            cutoffs: k of the metrics.
        """
        if len(row) == len(self.row):
            return self
        tested = torch.isin(self.row, row)
        return Reference(summarise(self.rank[tested], cutoffs), self.row[tested], self.rank[tested])


def per_user(data: SequenceDataModule, result: Result) -> pl.DataFrame:
    """One line an evaluated user: raw ids of user and target, rank, history length, training count of the target."""
    sequences, windows = data.sequences, data.splits["test"]
    user, stop = windows.user[result.row], windows.stop[result.row]
    target = sequences.items[stop].long()
    count = torch.bincount(sequences.items[sequences.training_mask()].long(), minlength=sequences.num_items + 1)
    return pl.DataFrame(
        {
            "user": sequences.user_ids.gather(pl.Series(user.numpy())),
            "target": sequences.item_ids.gather(pl.Series((target - 1).numpy())),
            "rank": result.rank.numpy(),
            "history_length": windows.lengths[result.row].numpy(),
            "target_popularity": count[target].numpy(),
        }
    )


def slices(table: pl.DataFrame, cutoffs: list[int]) -> list[dict[str, Any]]:
    """Metrics by quarters of history length and of target popularity; cut points are values of the data.

    Args:
        table: of :func:`per_user`.
        cutoffs: k of the metrics.
    """
    rows: list[dict[str, Any]] = []
    rank = torch.from_numpy(table["rank"].to_numpy().copy())
    for column in ("history_length", "target_popularity"):
        value = table[column].to_numpy()
        for low, high in spans(value):
            part = rank[torch.from_numpy((value >= low) & (value <= high))]
            rows.append({"by": column, "from": low, "to": high, "users": len(part)} | summarise(part, cutoffs))
    return rows


def spans(value: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Quarters of whole numbers ``(N,)``, by their least and their largest value; fewer where values are frequent."""
    ordered = np.sort(value)
    highs = sorted({int(ordered[len(ordered) * q // 4]) for q in (1, 2, 3)} | {int(ordered[-1])})
    lows = [int(ordered[0]), *(high + 1 for high in highs[:-1])]
    return list(zip(lows, highs, strict=True))

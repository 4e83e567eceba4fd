"""The run folder's results: metrics, protocol card, per-user ranks, slices."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

import seqrec
from seqrec.data.datamodule import SequenceDataModule
from seqrec.metrics import Protocol, summarise


@dataclass(frozen=True)
class Result:
    """What one run gave.

    Attributes:
        val, test: metrics of the selected weights.
        epochs: epochs trained.
        best_epoch: epoch, counted from 1, whose weights were selected on validation and tested.
        seconds: training and validation time of all epochs.
        row, rank: test windows ``(N,)`` and the ranks ``(N,)`` of their targets.
    """

    val: dict[str, float]
    test: dict[str, float]
    epochs: int
    best_epoch: int
    seconds: float
    row: Tensor
    rank: Tensor


def per_user(data: SequenceDataModule, result: Result) -> pl.DataFrame:
    """One line an evaluated user: raw ids of user and target, rank, history length, training count of the target."""
    sequences, windows = data.sequences, data.splits["test"]
    user, stop = windows.user[result.row], windows.stop[result.row]
    target = sequences.items[stop].long()
    owner = torch.repeat_interleave(torch.arange(sequences.num_users), sequences.lengths)
    learnt = torch.arange(sequences.num_interactions) < (sequences.offsets[1:] - 2)[owner]
    count = torch.bincount(sequences.items[learnt].long(), minlength=sequences.num_items + 1)
    return pl.DataFrame(
        {
            "user": sequences.user_ids.gather(pl.Series(user.numpy())),
            "target": sequences.item_ids.gather(pl.Series((target - 1).numpy())),
            "rank": result.rank.numpy(),
            "history_length": windows.lengths[result.row].numpy(),
            "target_popularity": count[target].numpy(),
        }
    )


def slices(table: pl.DataFrame, protocol: Protocol) -> list[dict[str, Any]]:
    """Metrics by quarters of history length and of target popularity; cut points are values of the data."""
    rows: list[dict[str, Any]] = []
    rank = torch.from_numpy(table["rank"].to_numpy().copy())
    for column in ("history_length", "target_popularity"):
        value = torch.from_numpy(table[column].to_numpy().copy())
        ordered = value.sort().values
        quarters = {int(ordered[len(ordered) * q // 4]) for q in (1, 2, 3)}
        low = int(ordered[0])
        for high in sorted(quarters | {int(ordered[-1])}):
            part = rank[(value >= low) & (value <= high)]
            rows.append({"by": column, "from": low, "to": high, "users": len(part)} | summarise(part, protocol.cutoffs))
            low = high + 1
    return rows


def protocol_card(
    data: SequenceDataModule, protocol: Protocol, result: Result, monitor: str, seed: int
) -> dict[str, Any]:
    """Everything that defines the numbers of a run."""
    sequences = data.sequences
    packages = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "polars", "numpy")
    removed = int(torch.isinf(result.rank).sum())
    return {
        "protocol": protocol.name,
        "data": {
            "name": data.name,
            "sha256": sequences.digest(),
            "users": sequences.num_users,
            "items": sequences.num_items,
            "interactions": sequences.num_interactions,
            "padding_counted": False,
            "recipe": data.recipe(),
            "equal_timestamps": "order of the source file",
        },
        "split": "leave-one-out: last item tests, the one before validates, the rest trains",
        "evaluated_users": len(result.row),
        "ranking": "full: all items of the catalogue",
        "tied_scores": "half of the ties rank before the target",
        "seen_items": "removed; a removed target is a miss" if protocol.remove_seen else "stay in the ranking",
        "targets_removed": removed,
        "cutoffs": list(protocol.cutoffs),
        "seed": seed,
        "weights": f"epoch {result.best_epoch} of {result.epochs}, best val/{monitor}",
        "max_length": data.max_length,
        "versions": {"seqrec": seqrec.__version__, "python": platform.python_version()}
        | {name: version(name) for name in packages},
        "git_commit": _git_commit(),
    }


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    partial.replace(path)


def _git_commit() -> str | None:
    """Commit of the code, marked where the tree has changes; None outside a checkout."""
    root = Path(__file__).parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

"""The card of a run: everything that defines its numbers."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import seqrec
from seqrec.data.datamodule import SequenceDataModule
from seqrec.metrics import Protocol
from seqrec.runs.result import Result


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


def _git_commit() -> str | None:
    """Commit of the code, marked where the tree has changes; None outside a checkout."""
    root = Path(__file__).parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

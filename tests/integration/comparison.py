"""Whether two runs are the same, bit for bit."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import torch


def load(folder: Path, name: str = "last") -> dict[str, Any]:
    """A checkpoint, read as a stranger's would be."""
    checkpoint: dict[str, Any] = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return checkpoint


def differences(a: Any, b: Any, place: str = "") -> list[str]:
    """Places where two nested structures of tensors and primitives are not equal."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [place]
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return [f"{place}: keys {a.keys() ^ b.keys()}"]
        return [d for key in a for d in differences(a[key], b[key], f"{place}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return [f"{place}: length"]
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{place}/{i}")]
    return [] if a == b else [f"{place}: {a} and {b}"]


def assert_same_state(a: Path, b: Path, names: tuple[str, ...] = ("last", "best")) -> None:
    """Weights, optimizers, schedulers, random states and counts of the checkpoints are equal."""
    parts = ("state_dict", "optimizer_states", "lr_schedulers", "random_state", "epoch", "global_step")
    for name in names:
        one, other = load(a, name), load(b, name)
        assert not differences({p: one[p] for p in parts}, {p: other[p] for p in parts}, name)


def assert_same_results(a: Path, b: Path) -> None:
    """Metrics, test ranks of all users and the curves are equal; only seconds may differ."""
    one, other = metrics(a), metrics(b)
    for result in (one, other):
        del result["seconds"]
    assert one == other
    assert pl.read_parquet(a / "per_user.parquet").equals(pl.read_parquet(b / "per_user.parquet"))
    assert curves(a) == curves(b)


def metrics(folder: Path) -> dict[str, Any]:
    """metrics.json."""
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return content


def curves(folder: Path) -> list[dict[str, float]]:
    """log.csv without the columns of seconds."""
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{key: float(value) for key, value in row.items() if not key.endswith("seconds")} for row in rows]

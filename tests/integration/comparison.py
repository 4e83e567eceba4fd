"""Whether two runs are the same, bit for bit."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import torch
import yaml

from seqrec.methods.checkpoint import read_checkpoint


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
    parts = ("state_dict", "optimizer_states", "lr_schedulers", "random_states", "epoch", "global_step")
    for name in names:
        one, other = load(a, name), load(b, name)
        found = differences({part: one[part] for part in parts}, {part: other[part] for part in parts}, name)
        assert not found, found[:10]


def assert_same_results(a: Path, b: Path) -> None:
    """Metrics, test ranks of all users and the curves are equal; only seconds may differ."""
    one, other = metrics(a), metrics(b)
    for result in (one, other, *(result["warm_start"] for result in (one, other) if "warm_start" in result)):
        del result["seconds"]
    assert one == other, differences(one, other)
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


def assert_same_run(one: Path, other: Path) -> None:
    """Two runs have the same files, states of both stages, results and curves; a resumed one has one more command."""
    files = [{path.relative_to(run) for path in run.rglob("*")} for run in (one, other)]
    names = [{str(path) for path in paths if ".hydra" not in path.parts[:-1]} for paths in files]
    assert names[0] == names[1]
    assert_same_state(one, other, tuple(path.stem for path in (one / "checkpoints").iterdir()))
    assert_same_results(one, other)
    if (one / "warm_start").exists():
        assert_same_state(one / "warm_start", other / "warm_start", ("last",))


def assert_nothing_left(place: Path) -> None:
    """No half-written file is there, in no run and not in the cache."""
    names = [
        path for path in place.rglob("*") if path.name.endswith((".partial", ".part")) or "before_epoch" in path.name
    ]
    hidden = [path for path in place.glob("cache/.*") if not path.name.endswith(".lock")]
    assert not names + hidden


def assert_whole_files(folder: Path) -> None:
    """Every file of a run that has its final name can be read to its end."""
    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: json.loads(path.read_text()),
        ".yaml": lambda path: yaml.safe_load(path.read_text())["model"],
        ".parquet": pl.read_parquet,
        ".ckpt": read_checkpoint,
        ".csv": lambda path: [{key: float(row[key]) for key in row} for row in csv.DictReader(path.open())],
        ".png": lambda path: path.read_bytes().index(b"IEND"),
        ".svg": lambda path: path.read_text().index("</svg>"),
    }
    for path in folder.rglob("*"):
        if path.suffix in readers and ".hydra" not in path.parts:
            readers[path.suffix](path)

"""A log in two parts: what a run is trained on, and what came later, with new users and new items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tests.integration.running import main_here

OLD_USERS, OLD_ITEMS = [f"u{n}" for n in range(60)], [f"i{n}" for n in range(20)]
NEW_USERS, NEW_ITEMS = [f"v{n}" for n in range(10)], [f"n{n}" for n in range(3)]
SIZES = {
    "sasrec": ["model.backbone.dim=16", "model.backbone.ffn_dim=32", "model.optimizer.lr=0.01"],
    "bert4rec": ["model.backbone.dim=16", "model.backbone.ffn_dim=32"],
    "gru4rec": ["model.backbone.dim=16", "model.backbone.hidden_dim=16"],
    "bpr": ["model.backbone.dim=16"],
    "markov": [],
}


def log(users: Sequence[str], items: Sequence[str], start: int, length: int) -> pl.DataFrame:
    """Users who walk around a circle of items, mostly to the next one."""
    draws = np.random.default_rng(start)
    rows = []
    for user in users:
        place = int(draws.integers(len(items)))
        for step in range(length):
            rows.append((user, items[place % len(items)], start + step))
            place += 1 if draws.random() < 0.9 else int(draws.integers(len(items)))
    return pl.DataFrame(rows, schema=["who", "what", "when"], orient="row")


def write_logs(folder: Path) -> None:
    """``old.parquet``, ``new.parquet`` and both of them as ``whole.csv``."""
    old = log(OLD_USERS, OLD_ITEMS, 0, 10)
    new = log(OLD_USERS[:30] + NEW_USERS, OLD_ITEMS[:5] + NEW_ITEMS, 100, 6)
    old.write_parquet(folder / "old.parquet")
    new.write_parquet(folder / "new.parquet")
    pl.concat([old, new]).write_csv(folder / "whole.csv")


def trained(folder: Path, model: str, *more: str) -> Path:
    """A run of a small model on ``old.parquet`` in ``folder``."""
    run = folder / model
    columns = ["data.columns.user=who", "data.columns.item=what", "data.columns.time=when"]
    data = ["data=custom", f"data.path={folder / 'old.parquet'}", *columns, f"data.cache_dir={folder / 'cache'}"]
    budget = ["trainer=cpu", "trainer.max_epochs=2", "callbacks.progress=null"]
    main_here(folder, f"model={model}", *data, *budget, *SIZES.get(model, []), f"hydra.run.dir={run}", *more)
    return run


def updated(run: Path, name: str, path: Path, *more: str) -> Path:
    """The update of a run by a log, in a folder of this name beside it."""
    folder = run.parent / name
    words = [f"task.run={run}", f"data.path={path}", "trainer=cpu", "callbacks.progress=null"]
    main_here(run.parent, "task=update", *words, f"hydra.run.dir={folder}", *more)
    return folder

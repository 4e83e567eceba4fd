"""Run folders that are made in no time, and a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from seqrec.metrics import summarise
from seqrec.reporting.pages import ROOT
from seqrec.runs.files import read_json, write_json
from tests.export.conftest import browser

__all__ = ["Make", "browser"]

KEPT = ROOT / "docs" / "runs" / "synthetic-easnrec" / "easnrec"
USERS, CUTOFFS = 40, [5, 10, 20]

Make = Callable[..., Path]
"""``make(folder, command, seed=0, better=0, epochs=3, ranks=True, **card)``: ranks are lower by ``better``."""


def make_run(
    folder: Path, command: str, seed: int = 0, better: int = 0, epochs: int = 3, ranks: bool = True,
    config: dict[str, Any] | None = None, **card: Any,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True)
    words = dict(word.lstrip("+").split("=", 1) for word in command.split())
    rank = np.random.default_rng(seed).integers(1, 40, USERS).astype(float)
    rank = np.maximum(1, rank - better)
    test = summarise(torch.from_numpy(rank), CUTOFFS)
    stored = read_json(KEPT / "metrics.json")
    stored.pop("configuration", None)
    stored |= {"test": test, "val": test, "epochs": epochs, "best_epoch": epochs - 1, "seconds": 60.0 * epochs}
    (folder / "metrics.json").write_text(json.dumps(stored))
    own = {"seed": seed, "model": words["model"], "command": f"python main.py {command} seed={seed}"}
    own |= {"evaluated_users": USERS, "evaluated_targets": USERS, "configuration": None}
    write_json(folder / "protocol.json", read_json(KEPT / "protocol.json") | own | card)
    if config is not None:
        (folder / "config.yaml").write_text(json.dumps({"seed": seed, **config}))
    rows = [f"{epoch},{0.1 * epoch / epochs},{9 / epoch}" for epoch in range(1, epochs + 1)]
    (folder / "log.csv").write_text("\n".join(["epoch,val/ndcg@10,train/loss", *rows]) + "\n")
    if ranks:
        pl.DataFrame({"user": [f"u{n:03}" for n in range(USERS)], "rank": rank}).write_parquet(
            folder / "per_user.parquet"
        )
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """See :data:`Make`; folders are named below the test's own."""

    def made(name: str, *words: Any, **options: Any) -> Path:
        return make_run(tmp_path / name, *words, **options)

    return made


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several models of a data set, one with two seeds, another protocol, a failed job, and a hostile name."""
    folder = tmp_path_factory.mktemp("several")
    for seed in (0, 1):
        make_run(folder / f"gru-{seed}", "model=gru4rec", seed, better=1)
    make_run(folder / "sasrec", "model=sasrec model.backbone.dim=64", better=12, epochs=5)
    (folder / "bundle").mkdir()
    bundle = {
        "card": read_json(folder / "sasrec" / "protocol.json"),
        "quant": "int8",
        "files": {"x": {"bytes": 2500000}},
    }
    write_json(folder / "bundle" / "bundle.json", bundle)
    make_run(folder / "narrow", "model=sasrec model.backbone.dim=16", better=6)
    make_run(folder / "blind", "model=bpr", ranks=False)
    make_run(
        folder / "unseen", "model=caser", protocol="unseen_items", seen_items="removed; a removed target is a miss"
    )
    hostile = make_run(folder / HOSTILE.replace("/", "|"), "model=mvs", better=3)
    card = read_json(hostile / "protocol.json")
    write_json(hostile / "protocol.json", card | {"model": HOSTILE, "command": f"python main.py 'data={HOSTILE}'"})
    (folder / "7").mkdir()
    (folder / "7" / "failed.txt").write_text("job 7 (model=lrurec data=synthetic seed=0): no memory left\n")
    return folder


HOSTILE = "</script><script>window.broken = 1</script><img src=http://nowhere.invalid/x onerror=window.broken=1>"

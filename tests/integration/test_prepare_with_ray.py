"""docs/scale.md prepares a log with Ray Data: histories, numbers and metrics are those of the log itself."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from seqrec.data.interactions import to_sequences
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences
from tests.integration.comparison import assert_same_state, curves, metrics
from tests.integration.running import NARROW, main_here

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scale.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("undrawn"),
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("ray", "pyarrow", "pandas")), reason='needs pip install "ray[data]"'
    ),
]


def write_log(folder: Path, text: bool) -> None:
    """A log in files of several groups of rows, with ties in time and with users and items that are rare."""
    draws, size = np.random.default_rng(0), 3000
    columns = {
        "user": (draws.random(size) ** 2 * size / 8).astype(int) * 7 % 10007,
        "item": (draws.random(size) ** 3 * size / 12).astype(int) * 7919 % 10009,
        "time": draws.integers(20, size=size),
    }
    log = pl.DataFrame(columns)
    if text:
        log = log.with_columns(pl.format(" u{}", "user").alias("user"), pl.format("i{}", "item").alias("item"))
    folder.mkdir()
    for number, part in enumerate(log.iter_slices(size // 11)):  # twelve, of which `part-10` is read after `part-9`
        part.write_parquet(folder / f"part-{number}.parquet", row_group_size=100)


def commands() -> tuple[list[str], list[str]]:
    """Of the page: the one that prepares ``log``, and the training on what it leaves, as arguments of Python."""
    lines = re.findall(r"^python (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    (prepare,) = (line for line in lines if "prepare_with_ray" in line)
    (train,) = (line for line in lines if "data.path=out" in line and "fsdp" not in line)
    return shlex.split(prepare), shlex.split(train)


def sequences(log: Path, least: int) -> Sequences:
    columns: dict[str, str | None] = {"user": "user", "item": "item", "time": "time"}
    return to_sequences(read_table(log, columns), log, least, least, numbering="first_seen")


@pytest.mark.parametrize("text", [False, True], ids=["numbers", "text"])
def test_what_ray_prepares_is_the_log(text: bool, tmp_path: Path) -> None:
    write_log(tmp_path / "log", text)
    (script, *words), (main, *train) = commands()
    assert main == "main.py"
    own = {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *words, "--parts", "4"],
        cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "out").iterdir())) > 1, "the order of several files counts"
    ours, direct = sequences(tmp_path / "out", 1), sequences(tmp_path / "log", 5)
    assert 0 < direct.num_interactions < 3000 and f"{direct.num_interactions} interactions" in done.stdout
    assert ours.digest() == direct.digest()
    assert torch.equal(ours.items, direct.items) and torch.equal(ours.source_order, direct.source_order)
    assert ours.user_ids.equals(direct.user_ids) and ours.item_ids.equals(direct.item_ids)
    if not text:
        assert_same_runs(tmp_path, train)


def assert_same_runs(place: Path, train: list[str]) -> None:
    """The page's training on both learns the same weights and finds the same metrics and ranks."""
    budget = ["trainer=cpu", "trainer.max_epochs=1", "callbacks.progress=null", "data.cache_dir=cache", *NARROW]
    direct = [word for word in train if not word.startswith("data.")]
    main_here(place, *train, *budget, "hydra.run.dir=ours")
    main_here(place, *direct, "data.path=log", *budget, "hydra.run.dir=direct")
    ours, other = place / "ours", place / "direct"
    assert_same_state(ours, other)
    for split in ("val", "test"):
        assert metrics(ours)[split] == metrics(other)[split]
    assert curves(ours) == curves(other)
    assert pl.read_parquet(ours / "per_user.parquet").equals(pl.read_parquet(other / "per_user.parquet"))

"""The script of docs/scale.md on a cluster of one machine: what it leaves is what the ordinary preparation leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqrec.data.sets.custom import Custom

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "prepare_with_ray.py"


def read(path: Path, loading: dict[str, Any], names: tuple[str, str, str], least: int) -> dict[Any, list[Any]]:
    """Each user's items, oldest first, in the ids of the log."""
    columns = dict(zip(("user", "item", "time"), names, strict=True))
    data = Custom(path=str(path), columns=columns, min_user=least, min_item=least, **loading)
    found = data.read(path)
    items, bounds = found.item_ids.gather(found.items.numpy() - 1).to_list(), found.offsets.tolist()
    return {user: items[bounds[at] : bounds[at + 1]] for at, user in enumerate(found.user_ids.to_list())}


@pytest.mark.slow
def test_the_script_prepares_what_the_ordinary_way_does(tmp_path: Path, loading: dict[str, Any]) -> None:
    for needed in ("ray", "pyarrow"):
        pytest.importorskip(needed)
    draw = np.random.default_rng(0)
    log = pl.DataFrame(
        {
            "customer": draw.integers(900, size=6000),
            "sku": pl.Series((draw.pareto(1.0, size=6000) * 30).astype(int) % 1500).cast(pl.String),
            "day": draw.permutation(6000),
        }
    )
    (tmp_path / "log").mkdir()
    for number, part in enumerate(log.iter_slices(2500)):
        part.write_parquet(tmp_path / "log" / f"part-{number}.parquet")
    names = ("customer", "sku", "day")
    options = [f"--{key}={name}" for key, name in zip(("user", "item", "time"), names, strict=True)]
    command = [sys.executable, str(SCRIPT), str(tmp_path / "log"), str(tmp_path / "out"), *options, "--core=5"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    whole = read(tmp_path / "log", loading, names, 5)
    assert 0 < sum(map(len, whole.values())) < 6000
    assert read(tmp_path / "out", loading, ("user", "item", "time"), 1) == whole

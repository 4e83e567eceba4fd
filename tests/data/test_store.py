"""The cache gives back what was read, is keyed by source and recipe, and is never half written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest
import torch

from seqrec.data.errors import DataError
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.sequences import Sequences
from seqrec.data.store import cached
from tests.disk import full_disk


def small() -> Sequences:
    return Sequences(
        items=torch.tensor([3, 1, 2, 2], dtype=torch.int32),
        offsets=torch.tensor([0, 3, 4]),
        user_ids=pl.Series(["ann", "bob"]),
        item_ids=pl.Series([70, 50, 60]),
        source_order=torch.tensor([3, 1, 2]),
    )


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def test_round_trip_reads_once(tmp_path: Path) -> None:
    calls: list[Path | None] = []

    def read(source: Path | None) -> Sequences:
        calls.append(source)
        return small()

    for _ in range(2):
        loaded = cached(tmp_path / "cache", "toy", lambda: None, read, {"option": 1})
        assert loaded.items.dtype == torch.int32
        assert loaded.items.tolist() == [3, 1, 2, 2]
        assert loaded.offsets.tolist() == [0, 3, 4]
        assert loaded.user_ids.to_list() == ["ann", "bob"]
        assert loaded.item_ids.to_list() == [70, 50, 60]
        assert loaded.source_order.tolist() == [3, 1, 2]
    assert len(calls) == 1
    (entry,) = entries(tmp_path / "cache")
    assert json.loads((entry / "meta.json").read_text())["digest"] == small().digest()


def test_recipe_and_source_decide(tmp_path: Path) -> None:
    file, cache = tmp_path / "a.txt", tmp_path / "cache"
    file.write_text("1 1 2 3\n")

    def items(option: int) -> list[int]:
        return cached(
            cache, "toy", lambda: file, lambda path: read_sequence_file(path or file), {"option": option}
        ).items.tolist()

    assert items(1) == [1, 2, 3]
    items(2)
    assert len(entries(cache)) == 2
    file.write_text("1 3 2 1\n")
    os.utime(file, (1, 1))
    assert items(1) == [3, 2, 1]
    assert len(entries(cache)) == 3


@pytest.mark.parametrize("error", [DataError("bad line"), KeyboardInterrupt()])
def test_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def read(source: Path | None) -> Sequences:
        raise error

    with pytest.raises(type(error)):
        cached(tmp_path / "cache", "toy", lambda: None, read, {})
    assert not list((tmp_path / "cache").rglob("*"))


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(DataError, match="disk full"):
        cached(tmp_path / "cache", "toy", lambda: None, lambda _: small(), {})
    assert not list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize("limit", [0, 100, 500])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    with full_disk(limit), pytest.raises(DataError, match=r"the cache cannot be written \(File too large\); set data"):
        cached(tmp_path, "toy", lambda: None, lambda source: small(), {})
    assert not list(tmp_path.iterdir())
    assert cached(tmp_path, "toy", lambda: None, lambda source: small(), {}).items.tolist() == [3, 1, 2, 2]


def test_writes_to_the_loaded_tensor_do_not_reach_the_cache(tmp_path: Path) -> None:
    def load() -> Sequences:
        return cached(tmp_path / "cache", "toy", lambda: None, lambda _: small(), {})

    load().items.zero_()
    assert load().items.tolist() == [3, 1, 2, 2]

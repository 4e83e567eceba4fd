"""An entry of the cache counts only as it was written; a damaged one is prepared anew, which is said."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seqrec.data.errors import DataError
from seqrec.data.sequences import Sequences
from seqrec.data.store import cached
from tests.data.test_store import small

NOBODY = 65534


def load(folder: Path) -> Sequences:
    return cached(folder, "toy", lambda: None, lambda _: small(), {})


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    load(tmp_path)
    (found,) = (path for path in tmp_path.iterdir() if path.is_dir())
    return found


class Evil:
    """Executes code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def change_item(entry: Path) -> None:
    items = np.load(entry / "items.npy")
    items[0] = 1
    np.save(entry / "items.npy", items)


def change_item_and_checksum(entry: Path) -> None:
    import hashlib

    items = np.load(entry / "items.npy")
    items[0] = -3
    np.save(entry / "items.npy", items)
    meta = json.loads((entry / "meta.json").read_text())
    meta["files"]["items.npy"] = hashlib.sha256((entry / "items.npy").read_bytes()).hexdigest()
    (entry / "meta.json").write_text(json.dumps(meta))


def rename_items(entry: Path) -> None:
    items = pl.read_parquet(entry / "items.parquet")
    items.with_columns(pl.col("id").reverse()).write_parquet(entry / "items.parquet")


def large_item(entry: Path) -> None:
    np.save(entry / "items.npy", np.array([1_000_000, 1, 2, 2], dtype=np.int32))


def no_users(entry: Path) -> None:
    (entry / "users.parquet").write_bytes(b"")


def cut(entry: Path) -> None:
    content = (entry / "items.npy").read_bytes()
    (entry / "items.npy").write_bytes(content[:-4])


def executes(entry: Path) -> None:
    (entry / "items.npy").write_bytes(pickle.dumps(Evil(entry.parent / "executed")))


def executes_as_array(entry: Path) -> None:
    np.save(entry / "items.npy", np.array([Evil(entry.parent / "executed")], dtype=object), allow_pickle=True)


def more_attributes(entry: Path) -> None:
    np.save(entry / "attributes.npy", np.ones((3, 1), dtype=np.int32))


DAMAGES = [
    change_item, change_item_and_checksum, rename_items, large_item, no_users, cut, executes, executes_as_array,
    more_attributes, lambda entry: (entry / "offsets.npy").unlink(), lambda entry: (entry / "meta.json").unlink(),
    lambda entry: (entry / "meta.json").write_text("[]"),
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_prepared_anew_and_said(
    damage: Callable[[Path], None], entry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(entry)
    with caplog.at_level(logging.WARNING):
        sequences = load(entry.parent)
    assert sequences.items.tolist() == [3, 1, 2, 2] and sequences.item_ids.to_list() == [70, 50, 60]
    assert sequences.attributes is None
    assert "is damaged" in caplog.text and str(entry) in caplog.text
    assert not (entry.parent / "executed").exists()
    caplog.clear()
    load(entry.parent)
    assert "is damaged" not in caplog.text, "once"


@pytest.fixture
def as_reader(entry: Path) -> Iterator[Path]:
    """The folder of the cache, which this process may read but not write."""
    folder = entry.parent
    folder.chmod(0o555)
    for above in folder.parents[:3]:
        above.chmod(above.stat().st_mode | 0o055)
    user = os.geteuid()
    if user == 0:  # who may write everywhere
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(user)
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_read_without_a_lock(as_reader: Path) -> None:
    assert load(as_reader).items.tolist() == [3, 1, 2, 2]


def test_what_is_not_there_cannot_be_written_there(as_reader: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be written .*; set data\.cache_dir"):
        cached(as_reader, "toy", lambda: None, lambda _: small(), {"other": 1})


def test_a_damaged_entry_that_cannot_be_replaced_is_one_line(entry: Path) -> None:
    change_item(entry)
    for folder in (entry, entry.parent):
        folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(DataError, match=r"is damaged .* cannot be removed .*; set data\.cache_dir"):
            load(entry.parent)
    finally:
        os.seteuid(user)
        for folder in (entry, entry.parent):
            folder.chmod(0o755)


def test_a_lock_may_be_taken_by_all_users(tmp_path: Path) -> None:
    modes: list[int] = []

    def read(_: Path | None) -> Sequences:
        modes.append((tmp_path / ".toy.lock").stat().st_mode & 0o777)
        return small()

    cached(tmp_path, "toy", lambda: None, read, {})
    assert modes == [0o666]


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    dead, alive = (tmp_path / f".toy-abc-{socket.gethostname()}-{pid}-x1" for pid in (2**22 + 1, os.getpid()))
    other = tmp_path / f".toy-abc-elsewhere-{2**22 + 1}-x1"
    for folder in (dead, alive, other):
        folder.mkdir()
    load(tmp_path)
    assert not dead.exists() and alive.exists() and other.exists()
    shutil.rmtree(alive)

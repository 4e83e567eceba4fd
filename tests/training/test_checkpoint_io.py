"""A checkpoint is whole or not there: full disks, kills, other file systems, damaged files."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from seqrec.training.checkpoint_io import AtomicCheckpointIO

SMALL, LARGE = ({"state_dict": {}, "weights": torch.ones(size)} for size in (10, 100_000))


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Each write beyond ``limit`` bytes of a file fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("limit", [0, 1, 1000, 5000, 399_000, 400_100])
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, limit: int) -> None:
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    io.save_checkpoint(SMALL, path)
    with full_disk(limit), pytest.raises(OSError, match=r"last\.ckpt"):
        io.save_checkpoint(LARGE, path)
    assert torch.equal(io.load_checkpoint(path, weights_only=True)["weights"], torch.ones(10))
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_goes_through_the_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the folder for temporary files may be another file system")

    for name in ("mkstemp", "mkdtemp", "TemporaryFile", "NamedTemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    AtomicCheckpointIO().save_checkpoint(LARGE, tmp_path / "new" / "best.ckpt")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["best.ckpt"]


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "pickle"])
def test_a_damaged_checkpoint_is_one_line_with_its_path(tmp_path: Path, damage: str) -> None:
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    io.save_checkpoint(LARGE, path)
    content = {"empty": b"", "cut": path.read_bytes()[:200_000], "foreign": b"not a checkpoint\n"}
    if damage == "pickle":
        torch.save({"weights": Path("somewhere")}, path)
    else:
        path.write_bytes(content[damage])
    with pytest.raises(ValueError, match=r"last\.ckpt is not a whole checkpoint .* \(\d+ bytes\)"):
        io.load_checkpoint(path, weights_only=True)

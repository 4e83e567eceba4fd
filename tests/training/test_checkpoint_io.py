"""A checkpoint is whole or not there: full disks, kills, other file systems, damaged files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from seqrec.cli.stops import Terminated
from seqrec.training.checkpoint_io import AtomicCheckpointIO
from tests.disk import full_disk

SMALL, LARGE = ({"state_dict": {}, "weights": torch.ones(size)} for size in (10, 100_000))


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


@pytest.mark.parametrize("end", [KeyboardInterrupt, Terminated])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_signal_inside_a_write_is_no_error_of_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException], after: int
) -> None:
    path, io, save = tmp_path / "last.ckpt", AtomicCheckpointIO(), torch.save
    io.save_checkpoint(SMALL, path)

    def interrupted(checkpoint: dict[str, Any], file: IO[bytes]) -> None:
        left = iter(range(after))

        class File:
            def write(self, content: bytes) -> int:
                if next(left, None) is None:
                    raise end
                return file.write(content)

        save(checkpoint, File())  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(end):
        io.save_checkpoint(LARGE, path)
    assert torch.equal(io.load_checkpoint(path)["weights"], torch.ones(10))
    assert list(tmp_path.iterdir()) == [path]


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

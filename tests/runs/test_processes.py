"""Processes after the first make no folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqrec.runs.folder import new_folder, unfinished
from seqrec.runs.lock import locked
from seqrec.runs.processes import RANKS, folder_here, is_first


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", RANKS)
def test_only_the_first_process_names_a_folder(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new = new_folder(str(tmp_path / "outputs"), "now")
    for first in ("", "0"):
        monkeypatch.setenv(name, first)
        assert is_first() and folder_here(new) == new
    monkeypatch.setenv(name, "1")
    other = folder_here(new)
    assert not is_first() and not other.is_relative_to(tmp_path)
    assert folder_here(new_folder(str(tmp_path / "outputs"), "now")) == other, (
        "one a process, however often it is asked"
    )
    assert not (tmp_path / "outputs").exists()


def test_the_first_number_that_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a process that Lightning takes for the first would lose its results with the temporary folder."""
    monkeypatch.setenv("NODE_RANK", "1")
    assert is_first()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not is_first(), "no launcher numbers the processes of these machines"
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("RANK", "0")
    assert is_first()


def test_a_process_after_the_first_finds_the_run_that_the_first_one_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "2026"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").touch()
    assert unfinished(str(tmp_path / "outputs")) == [folder]
    with locked(folder):
        assert unfinished(str(tmp_path / "outputs")) == []
        assert unfinished(str(tmp_path / "outputs"), also_locked=True) == [folder]

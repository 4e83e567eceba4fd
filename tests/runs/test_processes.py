"""Processes after the first make no folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqrec.runs.folder import run_folder
from seqrec.runs.processes import RANKS, is_first, one_folder


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", RANKS)
def test_only_the_first_process_names_a_folder(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prefix = str(tmp_path / "outputs")
    for first in ("", "0"):
        monkeypatch.setenv(name, first)
        assert is_first() and one_folder(run_folder)(None, prefix).startswith(prefix)
    monkeypatch.setenv(name, "1")
    for resume in (None, "auto"):
        assert not is_first() and not one_folder(run_folder)(resume, prefix).startswith(prefix)
    assert not (tmp_path / "outputs").exists()


def test_all_processes_resume_the_same_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RANK", "1")
    last = tmp_path / "outputs" / "2026" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    folder = str(tmp_path / "outputs" / "2026")
    assert one_folder(run_folder)(folder, "other") == folder
    assert one_folder(run_folder)("auto", str(tmp_path / "outputs")) == folder
    assert one_folder(run_folder)("typo", "other") == "typo"

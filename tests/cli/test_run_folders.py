"""The folder that ``resume=auto`` chooses."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from seqrec.cli.run_folders import run_folder


def test_auto_leaves_a_run_alone_that_would_write_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs/sasrec-synthetic-s0/2026-01-01_00-00-00")
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/last.ckpt").write_bytes(b"weights")
    (tmp_path / "precious").write_text("mine")

    def chosen() -> str:
        config = OmegaConf.create({"seed": 0})
        return run_folder("auto", "sasrec", "synthetic", None, 0, "2026-01-02_00-00-00", _root_=config)

    (folder / "config.yaml").write_text("seed: 0\n")
    assert chosen() == str(folder)
    (folder / "main.log").symlink_to(tmp_path / "precious")
    assert chosen() != str(folder)
    assert f"{folder} is unfinished, but has links that lead out of it" in capsys.readouterr().err

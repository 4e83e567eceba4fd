"""An update that is stopped or killed leaves nothing that could be taken for a run, and is begun again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import seqrec
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.runs.folder import BEST, LAST, UPDATING, holds_run, resumable
from seqrec.training.checkpoint_io import AtomicCheckpointIO
from seqrec.training.update.whole import whole_or_nothing
from tests.integration.forked import Forked
from tests.integration.own_log import trained, updated, write_logs
from tests.integration.running import main_here

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stopped")
    write_logs(place)
    return trained(place, "sasrec")


@pytest.fixture(scope="module")
def whole(run: Path) -> Path:
    """The same update, which nobody stops."""
    return updated(run, "whole", run.parent / "new.parquet", "task.epochs=3")


def same(one: Path, other: Path) -> None:
    """See that two updates gave the same."""
    reports = [json.loads((folder / "update.json").read_text()) for folder in (one, other)]
    assert reports[0] == reports[1]
    states = [read_checkpoint(folder / BEST)["state_dict"] for folder in (one, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}


def test_one_that_is_stopped_in_the_fine_tuning_leaves_nothing(
    run: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, saved = run.parent / "stopped", []
    save = AtomicCheckpointIO.save_checkpoint

    def stopped(self: AtomicCheckpointIO, content: Any, path: Any, **options: Any) -> None:
        save(self, content, path, **options)
        saved.append(path)
        if len(saved) == 3:
            assert (folder / LAST).exists() and (folder / "config.yaml").exists()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", stopped)
        updated(run, "stopped", run.parent / "new.parquet", "task.epochs=3")
    assert end.value.code == 130 and "the same command begins again" in capsys.readouterr().err
    assert not folder.exists()
    same(whole, updated(run, "stopped", run.parent / "new.parquet", "task.epochs=3"))


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(KeyboardInterrupt), whole_or_nothing(tmp_path):
        (tmp_path / "histories").mkdir()
        (tmp_path / "config.yaml").touch()
        assert holds_run(tmp_path) and not resumable(tmp_path)
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with whole_or_nothing(tmp_path):
        (tmp_path / "config.yaml").touch()
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "config.yaml"}


def test_one_that_is_killed_is_no_run_and_begins_again(run: Path, whole: Path) -> None:
    folder, words = run.parent / "killed", ["task=update", f"task.run={run}", "trainer=cpu"]
    words += [f"data.path={run.parent / 'new.parquet'}", f"hydra.run.dir={folder}", "callbacks.progress=null"]
    process = Forked(run.parent, *words, "task.epochs=10000")
    until = time.monotonic() + 120
    while not (folder / LAST).exists():
        assert process.poll() is None and time.monotonic() < until, process.printed.read_text()
        time.sleep(0.02)
    with pytest.raises(ValueError, match="another process is training in"):
        main_here(run.parent, *words)
    process.send_signal(signal.SIGKILL)
    process.finish(timeout=30)
    assert (folder / UPDATING).exists()
    with pytest.raises(ValueError, match="holds no finished run"):
        seqrec.load(folder)
    with pytest.raises(SystemExit) as end:
        main_here(run.parent, f"resume={folder}")
    assert end.value.code == 2
    same(whole, updated(run, "killed", run.parent / "new.parquet", "task.epochs=3"))

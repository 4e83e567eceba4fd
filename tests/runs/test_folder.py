"""Run folders: found again when dead, left alone when alive, gone when nothing came of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seqrec.runs.folder import CONFIG, LAST, METRICS, ORIGIN, discard_unused, holds_run, new_folder, unfinished
from seqrec.runs.lock import LOCK, is_locked, locked

HYDRA = {".hydra", "main.log"}
HOLD = """
import sys, time
from pathlib import Path
from seqrec.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def run(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_in_which_a_process_works_is_refused_until_that_is_killed(tmp_path: Path) -> None:
    folder = run(tmp_path / "a-b-s0" / "1", LAST)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    assert is_locked(folder) and unfinished(str(folder.parent)) == []
    with pytest.raises(ValueError, match="another process is training in"), locked(folder):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not is_locked(folder) and unfinished(str(folder.parent)) == [folder]
    with locked(folder):
        pass


def test_unfinished_runs_are_those_with_a_state_and_no_result_the_newest_first(tmp_path: Path) -> None:
    old, new = run(tmp_path / "1", LAST), run(tmp_path / "3", "warm_start/" + LAST)
    run(tmp_path / "2", LAST, METRICS)
    run(tmp_path / "4", "config.yaml")
    assert unfinished(str(tmp_path)) == [new, old]
    assert [holds_run(tmp_path / name) for name in "1234"] == [True, True, True, False]


def test_runs_that_died_in_their_first_epoch_come_last_and_those_that_may_be_about_to_begin_not_at_all(
    tmp_path: Path,
) -> None:
    old = run(tmp_path / "1", LAST)
    run(tmp_path / "2", CONFIG)  # no process has locked it yet
    died, earlier = run(tmp_path / "4", LOCK, CONFIG), run(tmp_path / "3", LOCK)
    assert unfinished(str(tmp_path)) == [old, died, earlier]
    assert unfinished(str(tmp_path), also_locked=True) == [old]  # another process may have made them just now
    with locked(died):
        assert unfinished(str(tmp_path)) == [old, earlier]


def test_a_refused_run_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = (".hydra/config.yaml", "main.log", LOCK, CONFIG + ".partial", ORIGIN, "catalog.parquet")
    folder = run(new_folder("outputs/a-b-s0", "now"), *files)
    discard_unused(folder, HYDRA)
    assert list(tmp_path.iterdir()) == []
    folder = run(tmp_path / "outputs" / "a-b-s0" / "1", "main.log")
    run(folder.parent / "2", "main.log", "notes.txt")
    discard_unused(folder, HYDRA)
    discard_unused(folder.parent / "2", HYDRA)
    assert [path.name for path in folder.parent.iterdir()] == ["2"]


@pytest.mark.parametrize("kept", [LAST, METRICS, "log.csv", "data.csv"])
def test_a_folder_that_holds_anything_else_stays(tmp_path: Path, kept: str) -> None:
    folder = run(tmp_path / "1", "main.log", kept)
    discard_unused(folder, HYDRA)
    assert (folder / kept).exists() and (folder / "main.log").exists()

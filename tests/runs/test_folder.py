"""Run folders: found again when dead, left alone when alive, gone when nothing came of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seqrec.runs.folder import CONFIG, LAST, METRICS, ORIGIN, Before, discard_unused, holds_run, unfinished
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


STARTED = (".hydra/config.yaml", "main.log", LOCK, CONFIG + ".partial", ORIGIN, "catalog.parquet")


def test_a_refused_run_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "a-b-s0" / "1"
    before = Before.of(folder)
    discard_unused(run(folder, *STARTED), HYDRA, before)
    assert list(tmp_path.iterdir()) == []
    before = Before.of(folder)
    run(folder.parent / "2", "main.log")
    discard_unused(run(folder, "main.log"), HYDRA, before)
    assert [path.name for path in folder.parent.iterdir()] == ["2"]


@pytest.mark.parametrize("there", [[], ["data.csv"], ["main.log", "data.csv"], [".hydra/mine"]], ids=str)
def test_a_refused_run_leaves_a_folder_as_it_was(tmp_path: Path, there: list[str]) -> None:
    folder = run(tmp_path / "1", *there)
    folder.mkdir(exist_ok=True)
    before = Before.of(folder)
    discard_unused(run(folder, *STARTED), HYDRA, before)
    names = {place.split("/")[0] for place in there}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("trained", [LAST, METRICS, "log.csv"])
def test_what_a_run_trained_stays(tmp_path: Path, trained: str) -> None:
    before = Before.of(tmp_path / "1")
    folder = run(tmp_path / "1", "main.log", trained)
    discard_unused(folder, HYDRA, before)
    assert (folder / trained).exists() and (folder / "main.log").exists()

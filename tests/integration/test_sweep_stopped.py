"""Nine jobs of which one has a bad value, one diverges and one is killed, in a sweep that is killed twice itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.integration.comparison import assert_same_state
from tests.integration.running import MAIN, arguments

KILLED, DIVERGING, BAD = 4, 7, 8
RATES = "1e-3,2e-3,3e-3,4e-3,5e-3,6e-3,7e-3,1e30,-1"
SWEEP = ["-m", "model=sasrec", "data.num_users=60", "trainer.max_epochs=15", f"model.optimizer.lr={RATES}"]
STAGE = "checkpoints/last.ckpt"


def begin(workplace: Path, server: str, folder: Path, *words: str) -> subprocess.Popen[str]:
    """main.py with the nine jobs."""
    path = os.pathsep.join([str(MAIN.parent / "tests" / "preloading"), str(MAIN.parent)])
    own = os.environ | {"PRELOADED_JOBS": server, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(MAIN), *arguments(workplace, *SWEEP), f"hydra.sweep.dir={folder}", *words]
    return subprocess.Popen(
        command, cwd=workplace, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill_at(sweep: subprocess.Popen[str], state: Path) -> None:
    """Kill the sweep when one of its jobs has the state ``state``."""
    wait_for(state.exists)
    sweep.kill()
    sweep.communicate()


def kill_job(sweep: subprocess.Popen[str], state: Path) -> None:
    """Kill the process of the job that is about to have the state ``state``, and nothing else."""
    wait_for(state.exists)
    (job,) = Path(f"/proc/{sweep.pid}/task/{sweep.pid}/children").read_text().split()
    os.kill(int(job), signal.SIGKILL)


def rows(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "table.csv").drop("hours")


@pytest.mark.slow
def test_it_is_continued_to_its_end(workplace: Path, job_server: str, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    undisturbed = begin(workplace, job_server, whole)
    printed = undisturbed.communicate()[0]
    assert undisturbed.returncode == 2, printed

    kill_at(begin(workplace, job_server, stopped), stopped / "2" / STAGE)
    kept = {path: path.stat().st_mtime_ns for path in stopped.glob("*/metrics.json")}
    second = begin(workplace, job_server, stopped, "resume=auto")
    kill_job(second, stopped / str(KILLED) / STAGE)
    kill_at(second, stopped / "5" / STAGE)
    assert "SIGKILL" in (stopped / str(KILLED) / "failed.txt").read_text()
    kept |= {path: path.stat().st_mtime_ns for path in stopped.glob("*/metrics.json") if path not in kept}
    assert sorted(path.parent.name for path in kept) == ["0", "1", "2", "3"]

    third = begin(workplace, job_server, stopped, "resume=auto")
    printed = third.communicate()[0]
    assert third.returncode == 2, printed
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert [line[:12] for line in printed.splitlines() if line.startswith("error: ")] == [
        f"error: job {DIVERGING}",
        f"error: job {BAD}",
    ]
    table = rows(stopped)
    assert len(table) == 9
    assert table.equals(rows(whole))
    states = [status.partition(":")[0] for status in table["status"]]
    assert states == ["finished"] * 7 + ["failed"] * 2
    for number in map(str, range(7)):
        assert_same_state(whole / number, stopped / number)
        ranks = [pl.read_parquet(folder / number / "per_user.parquet") for folder in (whole, stopped)]
        assert ranks[0].equals(ranks[1])

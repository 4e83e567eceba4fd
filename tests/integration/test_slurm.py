"""A sweep on Slurm: what is asked of it, and a job whose time is over. ``slurm/`` stands for its commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from tests.integration.comparison import assert_same_results
from tests.integration.running import MAIN, arguments, main_here

COMMANDS = MAIN.parent / "tests" / "integration" / "slurm"
pytest.importorskip("submitit")


def script(workplace: Path, tmp_path: Path, patch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """The lines that ``sbatch`` gets for a sweep whose jobs are not waited for."""
    submit = tmp_path / "sbatch"
    submit.write_text(f'#!/bin/bash\ncp "$1" {tmp_path}/script.sh\necho Submitted batch job 7\n')
    submit.chmod(0o755)
    (tmp_path / "srun").symlink_to(COMMANDS / "srun")
    patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ended = JobReturn(status=JobStatus.COMPLETED)
    patch.setattr("submitit.core.core.Job.results", lambda job: [ended])
    main_here(workplace, "-m", "launcher=slurm", f"hydra.sweep.dir={tmp_path}/sweep", *words)
    return (tmp_path / "script.sh").read_text().splitlines()


def test_a_job_has_a_task_for_each_device_and_is_queued_again_in_time(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["model=sasrec", "seed=0,1,2", "trainer=ddp", "trainer.accelerator=gpu", "trainer.devices=4"]
    lines = script(workplace, tmp_path, monkeypatch, *words, "hydra.launcher.partition=long")
    asked = {"ntasks-per-node=4", "gpus-per-node=4", "nodes=1", "requeue", "signal=USR2@120", "array=0-2%3"}
    assert asked | {"partition=long", "time=1440"} <= {line.removeprefix("#SBATCH --") for line in lines}
    assert any(line.startswith("srun ") and "submitit.core._submit" in line for line in lines)


def test_a_job_on_cpus_asks_for_no_gpu(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = script(workplace, tmp_path, monkeypatch, "model=sasrec", "seed=0,1", "trainer=cpu")
    assert "#SBATCH --ntasks-per-node=1" in lines and "#SBATCH --gpus-per-node=0" in lines


@pytest.mark.slow
def test_a_job_whose_time_is_over_is_continued(workplace: Path, tmp_path: Path) -> None:
    """The signal that Slurm sends before the end: the job is queued again, and ends as one that was not disturbed."""
    words = ["model=sasrec", "data.num_users=60", "trainer.max_epochs=40", "seed=0,1", "launcher=slurm"]
    sweep, place = tmp_path / "sweep", tmp_path / "slurm"
    place.mkdir()
    own = {"PATH": f"{COMMANDS}:{os.environ['PATH']}", "FAKE_SLURM": str(place), "OMP_NUM_THREADS": "1"}
    own["PYTHONPATH"] = str(MAIN.parent)
    command = [sys.executable, str(MAIN), "-m", *arguments(workplace, *words), f"hydra.sweep.dir={sweep}"]
    with subprocess.Popen(command, cwd=workplace, env=os.environ | own) as process:
        while not (sweep / "1" / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None
            time.sleep(0.1)
        os.kill(task(sweep, 1), signal.SIGUSR2)
        assert process.wait(500) == 0
    assert (place / "requeued").exists()
    for number in ("0", "1"):
        alone = tmp_path / f"alone-{number}"
        main_here(workplace, *arguments(workplace, *words[:3], f"seed={number}", f"hydra.run.dir={alone}"))
        assert_same_results(alone, sweep / number)


def task(sweep: Path, number: int) -> int:
    """The process that submitit runs for a job of the array: Slurm signals it, not the shell around it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            variables = (path.parent / "environ").read_bytes().decode().split("\0")
            ours = b"submitit.core._submit" in words and any(str(sweep).encode() in word for word in words)
            if ours and f"SLURM_ARRAY_TASK_ID={number}" in variables:
                return int(path.parent.name)
    raise AssertionError(number)

"""Sweeps whose jobs run beside one another: joblib, submitit, Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from tests.integration.comparison import assert_same_results
from tests.integration.leases import KILLED
from tests.integration.running import MAIN, arguments, main_here
from tests.plugins import skip_without_plugin

SWEEP = ["-m", "model=sasrec", "data.num_users=60", "seed=0,1", "data.batch_size=16,8", "trainer.max_epochs=1"]
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}  # it would give its workers what others leave


def main(place: Path, *words: str, status: int = 0, **variables: str) -> str:
    """main.py in a process of its own, since launchers leave things behind; what it printed."""
    path = os.pathsep.join([str(MAIN.parent / "tests" / "preloading"), str(MAIN.parent)])
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | RAY
    command = [sys.executable, str(MAIN), *words]
    done = subprocess.run(
        command, cwd=place, env=os.environ | own | variables, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def table(workplace: Path, job_server: str) -> str:
    """The table of the sweep under the serial launcher, without the hours."""
    return swept(workplace, job_server, "launcher=serial")


def swept(workplace: Path, server: str, *launcher: str) -> str:
    """The table of the sweep under a launcher, without the hours."""
    folder = workplace / "multirun" / launcher[0].partition("=")[2]
    main(workplace, *arguments(workplace, *SWEEP), *launcher, f"hydra.sweep.dir={folder}", PRELOADED_JOBS=server)
    return without_hours(folder)


def without_hours(folder: Path) -> str:
    """The stored table of a sweep."""
    lines = [line.split(",") for line in (folder / "table.csv").read_text(encoding="utf-8").splitlines()]
    hours = lines[0].index("hours")
    return "\n".join(",".join(line[:hours] + line[hours + 1 :]) for line in lines)


@pytest.mark.thorough
@pytest.mark.usefixtures("undrawn", "quick_jobs")
def test_two_jobs_in_workers_of_joblib(workplace: Path, tmp_path: Path) -> None:
    tables = []
    for launcher in (["launcher=serial"], ["launcher=joblib", "hydra.launcher.n_jobs=2"]):
        folder = tmp_path / launcher[0].partition("=")[2]
        words = ["-m", "model=popularity", "data.num_users=60", "seed=0,1", *launcher, f"sweep.dir={folder}"]
        main_here(workplace, *arguments(workplace, *words))
        tables.append(without_hours(folder))
    assert tables[0] == tables[1] and tables[0].count("finished") == 2


@pytest.mark.thorough
@pytest.mark.parametrize(
    "launcher",
    [
        ["launcher=joblib", "hydra.launcher.n_jobs=2"],
        ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
        ["launcher=ray", "hydra.launcher.ray.init.num_cpus=2"],
        ["launcher=gpus", "hydra.launcher.ray.init.num_gpus=2"],
    ],
    ids=lambda launcher: launcher[0].partition("=")[2],
)
def test_the_table_is_that_of_the_serial_launcher(
    launcher: list[str], workplace: Path, job_server: str, table: str
) -> None:
    skip_without_plugin(launcher)
    assert table.count("finished") == 4
    assert swept(workplace, job_server, *launcher) == table


@pytest.mark.thorough
def test_jobs_take_turns_on_two_pretended_gpus(tmp_path: Path) -> None:
    skip_without_plugin(["launcher=gpus"])
    words = ["-m", "task._target_=tests.integration.leases.lease", "model=popularity", "seed=range(5)"]
    words += ["launcher=gpus", "hydra.launcher.ray.init.num_gpus=2", "hydra.sweep.dir=sweep"]
    printed = main(tmp_path, *words, status=2, SEQREC_PACKAGES="tests")
    assert f"error: job {KILLED} (" in printed and "its process was ended by SIGKILL" in printed
    leases = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("sweep/*/lease.json")}
    assert sorted(leases) == ["0", "2", "3", "4"]
    assert {lease["device"] for lease in leases.values()} == {"0", "1"}
    for one, other in combinations(leases.values(), 2):
        apart = one["end"] <= other["begin"] or other["end"] <= one["begin"]
        assert apart or one["device"] != other["device"]


@pytest.mark.slow
def test_each_job_may_have_several_processes(workplace: Path, tmp_path: Path) -> None:
    """Each is a run of its own to Lightning, which starts the second process with the arguments of the first."""
    words = [*SWEEP[:3], "seed=0,1", "trainer.max_epochs=2", "trainer=ddp", "trainer.accelerator=cpu"]
    main(workplace, *arguments(workplace, *words, "trainer.devices=2"), f"hydra.sweep.dir={tmp_path}/sweep")
    for number in ("0", "1"):
        folder = tmp_path / f"alone-{number}"
        alone = arguments(workplace, *words[1:3], f"seed={number}", *words[4:], "trainer.devices=2")
        main(workplace, *alone, f"hydra.run.dir={folder}")
        assert_same_results(folder, tmp_path / "sweep" / number)

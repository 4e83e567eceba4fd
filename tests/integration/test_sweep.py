"""A sweep whose jobs fail: the others run, each failure has a line at the end, and the status is 2."""

from __future__ import annotations

import math
import os
import shutil
import signal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from seqrec.cli import main as command_line
from seqrec.cli.overrides import check_configuration
from seqrec.cli.sweeps import jobs as sweep
from tests.integration.running import arguments, main_here, run_here

pytestmark = pytest.mark.usefixtures("undrawn", "quick_jobs")

JOBS = ["-m", "model=popularity", "data.batch_size=32,0,16,-1"]


def test_the_other_jobs_run_and_each_failure_is_a_line(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    folder = tmp_path / "sweep"
    with pytest.raises(SystemExit) as end:
        run_here(workplace, *JOBS, f"hydra.sweep.dir={folder}")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2
    assert [line[:12] for line in lines] == ["error: job 1", "error: job 3"]
    assert "data.batch_size=0" in lines[0] and "batch_size is 0; it must be at least 1" in lines[0]
    assert {path.parent.name for path in folder.glob("*/metrics.json")} == {"0", "2"}
    assert {path.parent.name for path in folder.glob("*/failed.txt")} == {"1", "3"}


def task(config: Any, kind: str) -> None:
    """Fails as ``kind`` says."""
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise {"value": ValueError("no item"), "bug": KeyError("bug"), "stop": KeyboardInterrupt()}[kind]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``job(kind, direction)``: run job 7 of a sweep whose task fails, as a launcher calls it."""

    def run(kind: str, direction: str | None = None, sweeper: str = "") -> float | None:
        monkeypatch.setenv("SEQREC_PACKAGES", "tests")
        target = {"_target_": f"{__name__}.task", "kind": kind}
        config = OmegaConf.create({"task": target})
        hydra = check_configuration(["model=popularity", "seed=3"], multirun=True, targets=False).hydra
        with open_dict(hydra):
            hydra.mode, hydra.job.num, hydra.sweeper = "MULTIRUN", 7, {"direction": direction, "_target_": sweeper}
            hydra.runtime.output_dir, hydra.sweep.dir = str(tmp_path / "7"), str(tmp_path)
            hydra.overrides.task = ["seed=3"]
        (tmp_path / "7").mkdir()
        monkeypatch.setattr(HydraConfig.instance(), "cfg", OmegaConf.create({"hydra": hydra}))
        return command_line.run(config)

    return run


def test_a_bug_shows_its_traceback_and_the_sweep_goes_on(
    job: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert math.isnan(job("bug"))
    assert "Traceback" in capfd.readouterr().err
    assert (tmp_path / "7" / "failed.txt").read_text() == "job 7 (seed=3): KeyError: 'bug'\n"


def test_a_killed_job_is_a_failed_one(job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRELOADED_JOBS")  # a server's child is another process
    assert math.isnan(job("kill"))
    note = (tmp_path / "7" / "failed.txt").read_text()
    assert note == "job 7 (seed=3): its process was ended by SIGKILL, as a system does that runs out of memory\n"


@pytest.mark.parametrize(("direction", "worst"), [("maximize", -math.inf), ("minimize", math.inf)])
def test_a_search_takes_a_failed_job_for_the_worst(direction: str, worst: float, job: Any) -> None:
    assert job("value", direction) == worst


def test_a_failure_in_another_process_is_found_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Launchers other than Hydra's own run jobs elsewhere; what is left of them is their folders."""
    launcher = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
    config = OmegaConf.create(
        {"hydra": {"sweep": {"dir": str(tmp_path)}, "launcher": launcher, "overrides": {"hydra": []}}}
    )
    end = sweep.FailedJobs()
    end.on_multirun_end(config)
    for number in (10, 9):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "failed.txt").write_text(f"job {number} (seed={number}): no item\n")
    with pytest.raises(SystemExit) as status:
        end.on_multirun_end(config)
    assert status.value.code == 2
    assert capsys.readouterr().err == "error: job 9 (seed=9): no item\nerror: job 10 (seed=10): no item\n"
    end.on_multirun_start(config)
    end.on_multirun_end(config)


def test_a_job_that_someone_stops_is_a_failed_one(job: Any, tmp_path: Path) -> None:
    assert math.isnan(job("stop"))
    assert "its process was ended by SIGINT" in (tmp_path / "7" / "failed.txt").read_text()


def test_ctrl_c_ends_the_whole_sweep(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(config: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run_apart", stop)
    with pytest.raises(SystemExit) as status:
        job("value")
    assert status.value.code == 130
    folder = os.path.relpath(tmp_path)
    assert f"stopped; the same command with hydra.sweep.dir={folder} resume=auto continues" in capsys.readouterr().err
    (tmp_path / "7").rmdir()
    with pytest.raises(SystemExit):
        job("value", "maximize", "hydra_plugins.hydra_seqrec_study.study.Study")
    assert capsys.readouterr().err == "stopped; the same command continues it\n"
    assert not list(tmp_path.rglob("failed.txt"))


def sweep_here(workplace: Path, *overrides: str) -> None:
    """A sweep in this process."""
    main_here(workplace, *arguments(workplace, *overrides))


def test_a_sweep_is_continued(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Finished jobs are read, the others run, and the table has all of them."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    folder = tmp_path / "sweep"
    asked = ["-m", "model=popularity", "data.batch_size=32,16", "seed=0,1", f"hydra.sweep.dir={folder}"]
    sweep_here(workplace, *asked)
    shown = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:3] for line in shown[1:]] == [
        [str(number), size, seed] for number, (size, seed) in enumerate(product(["32", "16"], ["0", "1"]))
    ]
    shutil.rmtree(folder / "2")
    (folder / "1" / "metrics.json").unlink()
    kept = {number: (folder / number / "metrics.json").stat().st_mtime_ns for number in "03"}
    sweep_here(workplace, *asked, "resume=auto")
    assert {number: (folder / number / "metrics.json").stat().st_mtime_ns for number in "03"} == kept
    again = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:-2] for line in again] == [line.split(",")[:-2] for line in shown]

    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        sweep_here(
            workplace, "-m", "model=popularity", "data.batch_size=8,4", f"hydra.sweep.dir={folder}", "resume=auto"
        )
    assert end.value.code == 2
    assert "0 holds a finished run that differs in data.batch_size" in capsys.readouterr().err
    assert (folder / "0" / "metrics.json").stat().st_mtime_ns == kept["0"]


def test_the_table_of_a_sweep_is_made_again(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    sweep_here(workplace, "-m", "model=popularity", "seed=0,1", f"hydra.sweep.dir={folder}")
    stored = (folder / "table.md").read_text(encoding="utf-8")
    (folder / "table.md").unlink()
    capsys.readouterr()
    main_here(workplace, "task=sweep_table", f"task.folder={folder}")
    assert (folder / "table.md").read_text(encoding="utf-8") == stored
    assert "popularity" not in capsys.readouterr().out  # what all jobs have is no column

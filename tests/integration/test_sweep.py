"""A sweep whose jobs fail: the others run, each failure has a line at the end, and the status is 2."""

from __future__ import annotations

import math
import shutil
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from seqrec.cli import main as command_line
from seqrec.cli import sweep
from seqrec.cli.overrides import check_configuration
from tests.integration.running import arguments, main_here, run_here

pytestmark = pytest.mark.usefixtures("undrawn")

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
    raise {"value": ValueError("no item"), "bug": KeyError("bug"), "stop": KeyboardInterrupt()}[kind]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``job(kind, direction)``: run job 7 of a sweep whose task fails, as a launcher calls it."""

    def run(kind: str, direction: str | None = None) -> float | None:
        hydra = OmegaConf.create(
            {
                "mode": "MULTIRUN",
                "job": {"num": 7},
                "runtime": {"output_dir": str(tmp_path / "7")},
                "overrides": {"task": ["seed=3"]},
                "sweeper": {"direction": direction},
            }
        )
        monkeypatch.setenv("SEQREC_PACKAGES", "tests")
        monkeypatch.setattr(sweep, "in_sweep", lambda: True)
        monkeypatch.setattr(command_line, "in_sweep", lambda: True)
        monkeypatch.setattr(command_line.HydraConfig, "get", lambda: hydra)
        target = {"_target_": f"{__name__}.task", "kind": kind}
        return command_line.run(OmegaConf.create({"task": target}))

    return run


def test_a_bug_shows_its_traceback_and_the_sweep_goes_on(
    job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert math.isnan(job("bug"))
    assert "Traceback" in capsys.readouterr().err
    assert (tmp_path / "7" / "failed.txt").read_text() == "job 7 (seed=3): KeyError: 'bug'\n"


@pytest.mark.parametrize(("direction", "worst"), [("maximize", -math.inf), ("minimize", math.inf)])
def test_a_search_takes_a_failed_job_for_the_worst(direction: str, worst: float, job: Any) -> None:
    assert job("value", direction) == worst


def test_a_failure_in_another_process_is_found_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Launchers other than Hydra's own run jobs elsewhere; what is left of them is their folders."""
    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
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


def test_ctrl_c_ends_the_whole_sweep(job: Any) -> None:
    with pytest.raises(SystemExit) as status:
        job("stop")
    assert status.value.code == 130


def test_process_groups_in_workers_of_joblib_are_refused() -> None:
    launcher = "hydra.launcher._target_=hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
    with pytest.raises(ValueError, match=r"--multirun with trainer\.devices=2"):
        check_configuration(["model=sasrec", "seed=0,1", "trainer.devices=2", launcher], multirun=True)


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

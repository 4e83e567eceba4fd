"""A search as a user starts it: killed and continued, in two shells at once, and the command of its best trial."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from seqrec.runs.files import read_json
from tests.integration.comparison import metrics
from tests.integration.running import MAIN, main_here

optuna = pytest.importorskip("optuna")

SMALL = ["data.num_users=60", "trainer=cpu", "model.backbone.dim=16", "model.backbone.num_heads=1"]


def words(workplace: Path, folder: Path, trials: int, *others: str) -> list[str]:
    """The arguments of a search over what is left."""
    budget = [f"hydra.sweeper.n_trials={trials}", f"data.cache_dir={workplace / 'cache'}", f"sweep.dir={folder}"]
    return ["sweep=tune_sasrec", *SMALL, "model.optimizer.lr=tag(log,interval(0.001,0.1))", *budget, *others]


def begin(workplace: Path, server: str, *arguments: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(MAIN.parent / "tests" / "preloading"), str(MAIN.parent)])
    own = os.environ | {"PRELOADED_JOBS": server, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(MAIN), *arguments], cwd=workplace, env=own)


def trials(folder: Path, name: str = "study") -> list[Any]:
    study = optuna.load_study(study_name="seqrec", storage=f"sqlite:///{folder}/{name}.db")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    return list(study.trials)


@pytest.mark.usefixtures("undrawn", "quick_jobs")
def test_the_command_of_the_best_trial_reproduces_its_value(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    monkeypatch.setenv("STUDY", f"sqlite:///{folder}/with-a-password.db")
    storage = "hydra.sweeper.storage=${oc.env:STUDY}"
    main_here(workplace, *words(workplace, folder, 2, "trainer.max_epochs=1", storage))
    best = read_json(folder / "best.json")
    values = [metrics(folder / number)["val"]["ndcg@10"] for number in "01"]
    ended = trials(folder, "with-a-password")
    assert [trial.value for trial in ended] == values
    assert all(list(trial.intermediate_values) == [1] for trial in ended), "a trial finds its study"
    assert best["value"] == max(values)
    stored = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".db"]
    assert any(path.name == "hydra.yaml" for path in stored)
    assert not [path for path in stored if b"with-a-password" in path.read_bytes()], "what a variable holds is not kept"
    command = shlex.split(best["command"])[2:]
    main_here(workplace, *command, f"hydra.run.dir={tmp_path}/again")
    assert metrics(tmp_path / "again")["val"]["ndcg@10"] == best["value"]


@pytest.mark.slow
def test_a_killed_search_is_continued_to_all_its_trials(workplace: Path, job_server: str, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    budget = ["trainer.max_epochs=4"]
    assert begin(workplace, job_server, *words(workplace, whole, 8, *budget)).wait() == 0
    first = begin(workplace, job_server, *words(workplace, stopped, 8, *budget))
    while not (stopped / "3" / "checkpoints" / "last.ckpt").exists():
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert [trial.state.name for trial in trials(stopped)] == ["COMPLETE"] * 3 + ["RUNNING"]
    assert begin(workplace, job_server, *words(workplace, stopped, 8, *budget)).wait() == 0
    one, other = ([(trial.params, trial.value, trial.state) for trial in trials(f)] for f in (whole, stopped))
    assert len(one) == 8 and one == other


@pytest.mark.slow
def test_two_shells_share_a_study(workplace: Path, job_server: str, tmp_path: Path) -> None:
    command = words(workplace, tmp_path, 6, "trainer.max_epochs=1")
    shells = [begin(workplace, job_server, *command) for _ in range(2)]
    assert [shell.wait() for shell in shells] == [0, 0]
    ended = trials(tmp_path)
    assert len(ended) == 6 and {trial.state.name for trial in ended} <= {"COMPLETE", "PRUNED"}
    assert sorted(path.parent.name for path in tmp_path.glob("*/metrics.json")) == list("012345")
    assert len({str(trial.params) for trial in ended}) == 6


@pytest.mark.slow
def test_several_models_get_the_same_budget(workplace: Path, job_server: str, tmp_path: Path) -> None:
    budget = ["data.num_users=60", "trainer=cpu", "trainer.max_epochs=1", f"data.cache_dir={workplace / 'cache'}"]
    task = ["task=tune", "task.models=[sasrec,gru4rec]", "task.trials=2", f"task.folder={tmp_path}/tune"]
    assert begin(workplace, job_server, *task, *budget).wait() == 0
    table = (tmp_path / "tune" / "table.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:3] for line in table] == [
        ["model", "trials", "finished"], ["sasrec", "2", "2"], ["gru4rec", "2", "2"],
    ]  # fmt: skip
    spaces = [read_json(tmp_path / "tune" / model / "space.json") for model in ("sasrec", "gru4rec")]
    assert all("model.optimizer.lr" in space and space["model.monitor"] == "model.monitor=ndcg@10" for space in spaces)
    assert (tmp_path / "tune" / "best_so_far.png").exists()

"""A search: what its trials are asked for, and what the study on disk knows afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from hydra_plugins.hydra_seqrec_study.study import Study
from seqrec.runs.failure import FAILED, note
from seqrec.runs.files import read_json

optuna = pytest.importorskip("optuna")
from seqrec.cli.sweeps.study import BEST, NAME, Search  # noqa: E402  with Optuna

States = dict[int, str]


class Stub(Launcher):
    """Runs no job: ``value`` gives the result from its arguments, and an error fails it."""

    def __init__(self, folder: Path, value: Callable[[dict[str, str]], float]) -> None:
        self.folder, self.value = folder, value
        self.asked: list[dict[str, str]] = []

    def setup(self, **options: Any) -> None:
        """Nothing to do."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """One after another."""
        return [self._run(dict(word.split("=", 1) for word in words)) for words in job_overrides]

    def _run(self, words: dict[str, str]) -> JobReturn:
        self.asked.append(words)
        place = self.folder / words["hydra.sweep.subdir"]
        place.mkdir(exist_ok=True)
        try:
            value = self.value(words)
        except ArithmeticError as error:
            (place / FAILED).write_text(note(int(place.name), [], str(error)))
            value = float("nan")
        return JobReturn(status=JobStatus.COMPLETED, _return_value=value)


def search(folder: Path, *words: str, trials: int = 6, **options: Any) -> Search:
    """A search over one rate."""
    defaults: dict[str, Any] = {"direction": "maximize", "n_jobs": 1, "seed": 0, "startup_trials": 3, "prune": None}
    storage, params = f"sqlite:///{folder}/study.db", {"rate": "interval(0.0,1.0)", "model": "sasrec"}
    return Search(folder, list(words), storage=storage, n_trials=trials, params=params, **defaults | options)


def states(folder: Path) -> States:
    study = optuna.load_study(study_name=NAME, storage=f"sqlite:///{folder}/study.db")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    return {trial.number: trial.state.name for trial in study.trials}


def rate(words: dict[str, str]) -> float:
    return float(words["rate"])


def test_the_largest_value_is_the_best(tmp_path: Path) -> None:
    launcher = Stub(tmp_path, rate)
    search(tmp_path, "seed=3", "+sweep=tune_sasrec").run(launcher)
    assert len(launcher.asked) == 6 and all(words["model"] == "sasrec" for words in launcher.asked)
    assert read_json(tmp_path / BEST)["value"] == max(map(rate, launcher.asked))
    assert launcher.asked[0].keys() == {"model", "seed", "+sweep", "rate", "resume", "hydra.sweep.subdir"}


def test_a_failed_trial_is_one_and_the_study_continues(tmp_path: Path) -> None:
    def value(words: dict[str, str]) -> float:
        if words["hydra.sweep.subdir"] == "2":
            raise ArithmeticError("diverged")
        return rate(words)

    search(tmp_path).run(Stub(tmp_path, value))
    assert states(tmp_path) == {number: "FAIL" if number == 2 else "COMPLETE" for number in range(6)}


def test_a_stopped_search_is_continued_with_the_same_draws(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = Stub(tmp_path / "whole", rate)
    search(tmp_path / "whole").run(whole)

    def stopped(words: dict[str, str]) -> float:
        if words["hydra.sweep.subdir"] == "3":
            raise KeyboardInterrupt
        return rate(words)

    (tmp_path / "stopped").mkdir()
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "stopped").run(Stub(tmp_path / "stopped", stopped))
    assert states(tmp_path / "stopped") == {0: "COMPLETE", 1: "COMPLETE", 2: "COMPLETE", 3: "RUNNING"}
    rest = Stub(tmp_path / "stopped", rate)
    search(tmp_path / "stopped").run(rest)
    assert rest.asked == whole.asked[3:]


def test_two_searches_share_the_trials(tmp_path: Path) -> None:
    other = Stub(tmp_path, rate)

    def value(words: dict[str, str]) -> float:
        if words["hydra.sweep.subdir"] == "1":  # while this one runs trial 1
            search(tmp_path).run(other)
        return rate(words)

    first = Stub(tmp_path, value)
    search(tmp_path).run(first)
    assert [words["hydra.sweep.subdir"] for words in first.asked] == ["0", "1"]
    assert [words["hydra.sweep.subdir"] for words in other.asked] == ["2", "3", "4", "5"]
    assert set(states(tmp_path).values()) == {"COMPLETE"}


def test_several_trials_at_a_time(tmp_path: Path) -> None:
    launcher = Stub(tmp_path, rate)
    search(tmp_path, trials=5, n_jobs=2).run(launcher)
    assert [words["hydra.sweep.subdir"] for words in launcher.asked] == list("01234")


def test_another_search_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    search(tmp_path, "seed=1", trials=1).run(Stub(tmp_path, rate))
    search(tmp_path, "seed=1", trials=2).run(Stub(tmp_path, rate))  # a larger budget is the same search
    search(tmp_path, "seed=1", "launcher=joblib", trials=2).run(Stub(tmp_path, rate))  # and so is one run elsewhere
    with pytest.raises(ValueError, match=r"begun with other values of seed; .*hydra\.sweep\.dir"):
        search(tmp_path, "seed=2")


def test_a_search_that_cannot_begin_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"direction": "maximize", "n_jobs": 1, "seed": 0, "startup_trials": 3, "prune": None, "n_trials": 1}
    sweeper = Study(**options, storage=f"sqlite:///{tmp_path}/study.db", params={})
    sweeper.folder, sweeper.launcher = tmp_path, Stub(tmp_path, lambda words: 0.5)
    sweeper.sweep(["seed=1"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        sweeper.sweep(["seed=2"])
    lines = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and len(lines) == 1 and lines[0].startswith("error: the study in ")


def test_a_trial_below_the_median_of_the_others_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from pytorch_lightning.trainer.states import TrainerFn

    from seqrec.training.callbacks.pruning import pruning

    monkeypatch.delenv("SEQREC_TRIAL", raising=False)
    assert pruning() == []
    module: Any = SimpleNamespace(monitor="ndcg@10")
    kept: dict[str, list[int]] = {}

    def value(words: dict[str, str]) -> float:
        (name,) = (words[key] for key in words if key.startswith("+hydra.job.env_set"))
        number = words["hydra.sweep.subdir"]
        storage = f"sqlite:///{tmp_path}/study.db"  # which Hydra puts in the place of the reference
        monkeypatch.setenv("SEQREC_TRIAL", name.strip("'").replace("${hydra.sweeper.storage}", storage))
        (callback,) = pruning()
        for epoch in range(4):
            metric = 0.1 * epoch if number == "3" else epoch
            trainer: Any = SimpleNamespace(
                state=SimpleNamespace(fn=TrainerFn.FITTING), world_size=1, current_epoch=epoch, should_stop=False,
                callback_metrics={"val/ndcg@10": metric},
            )  # fmt: skip
            callback.on_validation_end(trainer, module)
            kept.setdefault(number, []).append(epoch + 1)
            if trainer.should_stop:
                break
        return metric

    search(tmp_path, trials=4, prune={"after_trials": 2, "after_epochs": 2}).run(Stub(tmp_path, value))
    assert kept == {"0": [1, 2, 3, 4], "1": [1, 2, 3, 4], "2": [1, 2, 3, 4], "3": [1, 2]}
    assert states(tmp_path) == {0: "COMPLETE", 1: "COMPLETE", 2: "COMPLETE", 3: "PRUNED"}

"""A search for the best values: trials of a study on disk, which processes share and which a new start continues."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides
from optuna.trial import Trial, TrialState

from seqrec.cli.tree import quoted
from seqrec.runs.failure import FAILED
from seqrec.runs.files import write_json
from seqrec.runs.origin import Origin
from seqrec.runs.trial import ASKED, PRUNE, PRUNED, SPACE, VARIABLE, TrialName, quieten

NAME = "seqrec"
"""Of the study, in a storage of its own."""

STORAGE = "${hydra.sweeper.storage}"
"""In the configuration of a trial, which is stored: the address itself may have a password."""

BEST = "best.json"
OF_SEARCH = ("+sweep", "launcher", "resume")
"""Arguments of a trial that are not those of its run alone."""


class Search:
    """Asks for trials, has a launcher run them, and tells the study what came out.

    A trial is RUNNING in the study while a process holds its lock. One whose process is gone is run again, and its run
    is resumed.

    Args:
        folder: of the sweep; a trial's run is in the folder of its number.
        arguments: of the command line; ranges there count more than ``params``.
        direction, storage, n_trials, n_jobs, seed, startup_trials, prune, params: see conf/hydra/sweeper/study.yaml.

    Raises:
        ValueError: the study in the folder has other arguments.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        direction: str,
        storage: str,
        n_trials: int,
        n_jobs: int,
        seed: int,
        startup_trials: int,
        prune: Mapping[str, int] | None,
        params: Mapping[str, Any],
    ) -> None:
        on_line = [word for word in arguments if word.partition("=")[0] != "resume"]
        listed = [f"{key}={value}" for key, value in params.items()]
        words = {word.partition("=")[0]: word for word in [*listed, *on_line]}
        self.space, self.fixed = create_params_from_overrides(list(words.values()))
        self.folder, self.storage, self.seed, self.startup = folder, storage, seed, startup_trials
        self.n_trials, self.n_jobs, self.prunes = n_trials, n_jobs, prune is not None
        folder.mkdir(parents=True, exist_ok=True)
        quieten()
        rule = dict(prune) if prune else None
        with self._alone():
            optuna.create_study(storage=storage, study_name=NAME, direction=direction, load_if_exists=True)
            shared = {key: word for key, word in words.items() if key not in OF_SEARCH}
            self._be_same({**shared, "hydra.sweeper.seed": seed, PRUNE: rule})

    def run(self, launcher: Launcher) -> None:
        """Run trials until the study has all of them."""
        while True:
            with ExitStack() as held:
                trials = list(self._take(held))
                if not trials:
                    break
                returns = launcher.launch(
                    [self._overrides(trial) for trial in trials], initial_job_idx=trials[0].number
                )
                for trial, end in zip(trials, returns, strict=True):
                    self._tell(trial, end)
        self._show_best()

    def _open(self) -> optuna.Study:
        """The study as it is now: an open one does not see what the processes of its trials tell."""
        return optuna.load_study(study_name=NAME, storage=self.storage)

    def _alone(self) -> FileLock:
        """While it is held, no other process begins the study or takes a trial."""
        return FileLock(self.folder / "study.lock")

    def _be_same(self, asked: Mapping[str, Any]) -> None:
        study = self._open()
        before = study.user_attrs.get(ASKED)
        if before is None:
            study.set_user_attr(ASKED, dict(asked))
            write_json(self.folder / SPACE, dict(asked))
        elif before != asked:
            other = [key for key in sorted({*before, *asked}) if before.get(key) != asked.get(key)]
            raise ValueError(
                f"the study in {self.folder} was begun with other values of {', '.join(other[:5])}; give another one "
                "its own hydra.sweep.dir"
            )

    def _take(self, held: ExitStack) -> Iterator[Trial]:
        """Trials for this process, locked: those that others left, then new ones while some are to be run."""
        with self._alone():
            study, taken = self._open(), 0
            left = [trial for trial in study.trials if trial.state == TrialState.RUNNING]
            for frozen in left:
                if taken < self.n_jobs and self._lock(frozen.number, held):
                    taken += 1
                    yield Trial(study, frozen._trial_id)
            for _ in range(min(self.n_jobs - taken, self.n_trials - len(study.trials))):
                trial = study.ask()
                self._lock(trial.number, held)
                yield trial

    def _lock(self, number: int, held: ExitStack) -> bool:
        try:
            held.enter_context(FileLock(self.folder / f"trial-{number}.lock").acquire(blocking=False))
        except Timeout:
            return False
        return True

    def _overrides(self, trial: Trial) -> list[str]:
        """The arguments of a trial's job."""
        # A number draws the same values in whatever process; a start anew would repeat the first ones.
        trial.study.sampler = optuna.samplers.TPESampler(seed=self.seed + trial.number, n_startup_trials=self.startup)
        drawn = {name: trial._suggest(name, distribution) for name, distribution in self.space.items()}
        words = [f"{name}={value}" for name, value in (self.fixed | drawn).items()]
        words += ["resume=auto", f"hydra.sweep.subdir={trial.number}"]
        if self.prunes:
            name = TrialName(trial.number, NAME, STORAGE)
            words.append(f"+hydra.job.env_set.{VARIABLE}={quoted(str(name))}")
        return words

    def _tell(self, trial: Trial, end: JobReturn) -> None:
        study = self._open()
        if (self.folder / str(trial.number) / FAILED).exists():
            study.tell(trial.number, state=TrialState.FAIL)
        elif study.trials[trial.number].user_attrs.get(PRUNED):
            study.tell(trial.number, state=TrialState.PRUNED)
        else:
            study.tell(trial.number, float(end.return_value))

    def _show_best(self) -> None:
        """Print the best trial and its command, and store them."""
        study = self._open()
        ended = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
        if not ended:
            print("no trial of the study has a result")
            return
        best = study.best_trial
        words = shlex.split(Origin.read(self.folder / str(best.number)).command or "")
        command = shlex.join(word for word in words if word.partition("=")[0] not in OF_SEARCH)
        write_json(
            self.folder / BEST, {"trial": best.number, "value": best.value, "values": best.params, "command": command}
        )
        print(f"\nbest of {len(study.trials)} trials: {best.number}, {best.value:.4f} on validation\n{command}")

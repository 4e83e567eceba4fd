"""tune: the searches of several models with the same number of trials, and how good the best of each was by then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from seqrec.reporting.terminal import show_searches
from seqrec.runs.sweep import jobs
from seqrec.runs.trial import SPACE


def tune(
    config: DictConfig, models: Sequence[str], trials: int, metric: str, folder: str, arguments: Sequence[str]
) -> None:
    """Search for each model, then show and draw them beside one another; the same command continues it.

    Args:
        config: the whole configuration; what the command line gives of it besides the task holds for each search.
        models: those with a search.
        trials: of each.
        metric: of validation, which selects epochs and trials.
        folder: below which each search has a folder.
        arguments: further ones of each search.

    Raises:
        ValueError: a model is to be searched for with a part of another, or a search did not begin.
    """
    asked = [str(word) for word in HydraConfig.get().overrides.task]
    given = [word for word in asked if word.partition("=")[0].partition(".")[0] != "task"]
    model = next((word for word in given if word.startswith("model=")), None)
    if model:
        raise ValueError(f"{model}: a comparison has task.models=[...]; leave it out")
    place = Path(folder).absolute()
    common = [f"model.monitor={metric}", f"hydra.sweeper.n_trials={trials}", *given, *arguments]
    path = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for name in models:
        command = [sys.executable, "-m", "seqrec", f"sweep=tune_{name}", *common, f"hydra.sweep.dir={place / name}"]
        status = subprocess.run(command, env=path).returncode
        if status < 0 or not (place / name / SPACE).exists():  # trials that failed end it with a status, too
            raise ValueError(f"the search of {name} did not come to its end; the reason is above")
    show_searches(place, {name: jobs(place / name) for name in models}, metric)

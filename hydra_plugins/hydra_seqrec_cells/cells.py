"""The sweeper of ``hydra/sweeper=cells``: jobs from a file, run by whatever launcher is chosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Cells(Sweeper):
    """Runs each job of a list once.

    Args:
        jobs: a JSON file with a list of jobs, each a list of arguments beside those of the command line.
        params: none; other parts look for them in any sweeper.
    """

    def __init__(self, jobs: str, params: Any) -> None:
        self.jobs = Path(jobs)
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher that runs the jobs."""
        self.launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs, each with the arguments of the command line before its own."""
        assert self.launcher is not None
        jobs: list[list[str]] = json.loads(self.jobs.read_text(encoding="utf-8"))
        self.launcher.launch([[*arguments, *job] for job in jobs], initial_job_idx=0)

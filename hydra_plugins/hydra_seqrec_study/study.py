"""The sweeper of ``sweep=tune_<model>``. Hydra imports it at each start, so Optuna is imported where it is needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Study(Sweeper):
    """Runs the trials of a study that is stored in the folder of the sweep.

    Args:
        options: of :class:`seqrec.cli.sweeps.study.Search`, under ``hydra.sweeper``.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.folder = Path()
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher that runs the trials."""
        self.folder = Path(config.hydra.sweep.dir)
        self.launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run trials until the study has all of them; another search in its folder ends in one line and status 2."""
        from seqrec.runs.trial import quieten

        quieten()
        from seqrec.cli.sweeps.study import Search

        assert self.launcher is not None
        try:
            search = Search(self.folder, arguments, **self.options)
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        search.run(self.launcher)

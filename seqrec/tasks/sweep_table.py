"""sweep_table: the table of a sweep, read from its folder once more."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from seqrec.reporting.terminal import show_sweep
from seqrec.runs.sweep import jobs


def sweep_table(config: DictConfig, folder: str) -> None:
    """Show the jobs of a sweep, finished or not, and store the table there.

    Args:
        config: the whole configuration, of which the task alone counts.
        folder: of the sweep, such as ``multirun/<time>``.

    Raises:
        ValueError: no job of a sweep is there.
    """
    path = Path(folder).expanduser()
    show_sweep(path, jobs(path))

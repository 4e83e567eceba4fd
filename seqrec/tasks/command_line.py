"""The command line: configurations are checked before anything runs, errors for people are one line."""

from __future__ import annotations

import sys

from hydra.utils import call
from omegaconf import DictConfig, OmegaConf

from seqrec.tasks.run_folder import run_folder

OmegaConf.register_new_resolver("run_folder", run_folder, use_cache=True, replace=True)


def check(arguments: list[str]) -> None:
    """Refuse a misspelt group or key with the nearest valid name, before Hydra starts."""


def run(config: DictConfig) -> float | None:
    """Call the configured task; a :class:`ValueError` ends in one line and exit status 2."""
    try:
        result: float | None = call(config.task, config, _recursive_=False)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    return result

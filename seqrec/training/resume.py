"""What a resumed run takes from its stored configuration, and what from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seqrec.runs.folder import CONFIG, LAST, resumable

CHANGEABLE = ("trainer", "patience", "logger", "task", "resume", "data.root", "data.cache_dir", "data.num_workers")
"""What a resumed run may have other than the stored one: its budget, its machine, its log."""

SECTIONS = {"windows": ["data.windows"], "experiment": ["model", "data"], "ablation": ["model", "data"]}
"""Groups whose values stand elsewhere than at the group's name."""


def stored_config(config: DictConfig, overrides: list[str], folder: Path) -> DictConfig:
    """The configuration of a stopped run; of this command line only :data:`CHANGEABLE` values are taken.

    Args:
        config: as composed now, with ``resume`` set.
        overrides: this command line's arguments.
        folder: the run folder.

    Raises:
        ValueError: ``resume`` names a folder that holds no run, or the command line asks for another run.
    """
    if config.resume is None:
        return config
    if not resumable(folder):
        if config.resume == "auto":
            return config
        raise ValueError(
            f"resume={config.resume}: no checkpoint at {folder / LAST}; give the folder of a run that finished an epoch"
        )
    stored = OmegaConf.load(folder / CONFIG)
    assert isinstance(stored, DictConfig)
    stored.resume = config.resume
    asked = config.copy()
    asked.catalog = stored.catalog
    if not any(override.startswith("seed=") for override in overrides):
        asked.seed = stored.seed
    for override in overrides:
        key, _, _ = override.lstrip("+").partition("=")
        if key.startswith("hydra."):
            continue
        paths = SECTIONS.get(key.split("/")[0], [key.split("@")[0].replace("/", ".")])
        for path in paths:
            if path.startswith(CHANGEABLE):
                OmegaConf.update(stored, path, OmegaConf.select(config, path), merge=False)
            elif _value(asked, path) != _value(stored, path):
                raise ValueError(
                    f"resume={config.resume}: {override} would make another run than the stored one; leave it out "
                    "to go on with that one, or leave out resume=... to start a new one"
                )
    return stored


def _value(config: DictConfig, path: str) -> Any:
    """What stands at ``path``, with references resolved; where the data lies is left out of ``data``."""
    value = OmegaConf.select(config, path)
    if not OmegaConf.is_config(value):
        return value
    plain = OmegaConf.to_container(value, resolve=True)
    return {k: v for k, v in plain.items() if f"{path}.{k!s}" not in CHANGEABLE} if isinstance(plain, dict) else plain

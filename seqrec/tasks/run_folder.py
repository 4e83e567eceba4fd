"""Where a run lives, and how a stopped one is found again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

LAST = "checkpoints/last.ckpt"
CONFIG = "config.yaml"


def run_folder(resume: str | None, prefix: str) -> str:
    """The folder of this run: a new one named by time below ``prefix``, or the one to resume.

    Args:
        resume: None, a run folder, or "auto" for the newest run below ``prefix`` that has no result yet.
        prefix: ``outputs/<model>-<data>-s<seed>``.
    """
    new = Path(prefix) / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    if resume is None:
        return str(new)
    if resume != "auto":
        return resume
    unfinished = [
        f.parent.parent for f in Path(prefix).glob(f"*/{LAST}") if not (f.parent.parent / "metrics.json").exists()
    ]
    return str(max(unfinished, key=lambda folder: folder.name, default=new))


def stored_config(config: DictConfig, overrides: list[str], folder: Path) -> DictConfig:
    """The configuration of a stopped run with the values that this command line changes.

    Args:
        config: as composed now, with ``resume`` set.
        overrides: this command line's arguments.
        folder: the run folder.

    Raises:
        ValueError: ``resume`` names a folder that holds no run, or the command line asks for another run.
    """
    if config.resume is None:
        return config
    if not (folder / LAST).exists():
        if config.resume == "auto":
            return config
        raise ValueError(
            f"resume={config.resume}: no checkpoint at {folder / LAST}; give the folder of a run that finished an epoch"
        )
    stored = OmegaConf.load(folder / CONFIG)
    assert isinstance(stored, DictConfig)
    values = [o for o in overrides if "=" in o and "." in o.split("=")[0] and not o.startswith(("+", "~"))]
    given = {override.split("=")[0] for override in overrides}
    merged = OmegaConf.merge(stored, OmegaConf.from_dotlist(values))
    assert isinstance(merged, DictConfig)
    for key in sorted(given & {"seed", "model", "data", "protocol"}):
        _refuse_change(key, config, merged)
    for value in values:
        if OmegaConf.select(stored, value.split("=")[0], default=value) is value:
            raise ValueError(f"resume={config.resume}: {value}: the stored run has no such key; see {folder / CONFIG}")
    for key in sorted(given & {"resume", "patience", "trainer", "logger"}):
        merged[key] = config[key]
    return merged


def _refuse_change(key: str, config: DictConfig, stored: DictConfig) -> None:
    """A resumed run keeps its model, data, protocol and seed."""
    config = config.copy()
    config.catalog = stored.catalog
    here = {"root", "cache_dir", "num_workers"}  # of data; where it lies, not what it is
    asked, kept = (OmegaConf.to_container(part, resolve=True) for part in (config, stored))
    assert isinstance(asked, dict) and isinstance(kept, dict)
    if key == "data":
        asked, kept = ({key: {k: v for k, v in part[key].items() if k not in here}} for part in (asked, kept))
    if asked[key] != kept[key]:
        raise ValueError(
            f"resume={config.resume}: the stored run has another {key}; leave out {key}=... to go on with it, "
            "or leave out resume=... to start a new run"
        )

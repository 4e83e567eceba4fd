"""Where a run lives, the names of its files, and how a stopped one is found again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"
CONFIG, CARD, METRICS, LOG = "config.yaml", "protocol.json", "metrics.json", "log.csv"
PER_USER = "per_user.parquet"
ORIGIN = "origin.json"  # what was asked for when the run began
FIRST_STAGE = "warm_start"  # the folder of a first stage inside that of its run


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
    unfinished = [f for f in Path(prefix).glob("*") if resumable(f) and not (f / METRICS).exists()]
    return str(max(unfinished, key=lambda folder: folder.name, default=new))


def resumable(folder: Path) -> bool:
    """Whether a run, or its first stage, has finished an epoch."""
    return any((folder / stage / LAST).exists() for stage in ("", FIRST_STAGE))

"""What Hydra and a run write at a start: it is removed where the run is refused, and a resumed run keeps the first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from seqrec.runs.folder import Before, discard_unused, resumable
from seqrec.runs.processes import is_first

RECORD, RESUMED = ".hydra", ".hydra/resumed"


class Traces(Callback):
    """Hydra's callback that looks at the folder of a single run before anything is written there.

    A sweep chooses its folders elsewhere, and its jobs may run in processes that know no callback.

    Attributes:
        before: the last start.
    """

    before: ClassVar[Before | None] = None

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Choose the folder, once, and look at what is there; the first command's record is not replaced by another."""
        Traces.before = None
        folder = _folder(config)
        with suppress(OSError):  # which Hydra will meet as well
            Traces.before = Before.of(folder)
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.run.dir = str(folder)
            if config.hydra.output_subdir == RECORD and resumable(folder):
                config.hydra.output_subdir = RESUMED


def _folder(config: DictConfig) -> Path:
    """The folder's name has Hydra's choices in it, which Hydra itself makes known only when the job begins."""
    known = HydraConfig.instance()
    before = known.cfg
    known.set_config(config)
    try:
        return Path(config.hydra.run.dir)
    finally:
        known.cfg = before


def leave_nothing() -> None:
    """Remove what a single run that was refused before it trained has written; the message says all of it."""
    if not HydraConfig.initialized():
        return
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.RUN:
        discard(Path(hydra.runtime.output_dir), str(hydra.output_subdir), f"{hydra.job.name}.log")


def discard(folder: Path, *others: str) -> None:
    """Remove what the start of a run has written; the first of several processes does.

    Args:
        folder: of the run.
        others: names of what Hydra writes there under other names than by default.
    """
    if Traces.before is not None and is_first():
        discard_unused(folder, {RECORD, "main.log", *others}, Traces.before)

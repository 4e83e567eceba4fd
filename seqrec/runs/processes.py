"""Several processes of one run: which of them writes its folder, and where the others may write."""

from __future__ import annotations

import atexit
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables by which launchers number processes; the first that is set counts, as for Lightning."""


def is_first() -> bool:
    """Whether this process is the only or the first one of its run, the one by which Lightning has results written."""
    number = next((os.environ[name].strip() for name in RANKS if name in os.environ), "")
    return number in ("", "0") and not _on_a_later_machine()


def _on_a_later_machine() -> bool:
    """Whether ``NODE_RANK`` counts, which Lightning asks to be set where no launcher numbers the processes of a run.

    Some clusters set it for every job, so it must come with the ``WORLD_SIZE`` of several processes.
    """
    numbered = any(name in os.environ for name in ("RANK", "SLURM_PROCID"))
    together = os.environ.get("WORLD_SIZE", "").strip() not in ("", "0", "1")
    return together and not numbered and os.environ.get("NODE_RANK", "").strip() not in ("", "0")


def folder_here(new: Path) -> Path:
    """The folder of a new run, whose name holds the time, for processes that start at different times.

    The first one's folder is that of the run. The others get a temporary one for what Hydra writes: trained weights and
    results are written by the first alone. A run that is resumed has a folder that all of them know.
    """
    return new if is_first() else _temporary()


@cache
def _temporary() -> Path:
    """A folder that is removed when the process ends."""
    folder = mkdtemp(prefix="seqrec-process-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)

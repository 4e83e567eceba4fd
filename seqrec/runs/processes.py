"""Several processes of one run: which of them writes its folder, and where the others may write."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Callable
from tempfile import mkdtemp

RANKS = ("RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK", "NODE_RANK", "GROUP_RANK", "LOCAL_RANK")
"""Variables by which launchers number processes; a number above 0 in one of them is no first process."""


def is_first() -> bool:
    """Whether this process is the only or the first one of its run."""
    return not any(os.environ.get(name, "0").strip() not in ("", "0") for name in RANKS)


def one_folder(run_folder: Callable[[str | None, str], str]) -> Callable[[str | None, str], str]:
    """``run_folder``, which makes a new name by the time, for processes that start at different times.

    The first one's folder is that of the run. The others get a temporary one for what Hydra writes: trained weights and
    results are written by the first alone. A run that is resumed has a folder that all of them know.

    Args:
        run_folder: from ``resume`` and a prefix to the folder.
    """
    if is_first():
        return run_folder

    def folder(resume: str | None, prefix: str) -> str:
        known = run_folder(resume, prefix)
        return known if os.path.isdir(known) or resume not in (None, "auto") else _temporary()

    return folder


def _temporary() -> str:
    """A folder that is removed when the process ends."""
    folder = mkdtemp(prefix="seqrec-process-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

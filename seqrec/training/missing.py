"""Jobs that share no grid, run by the launchers of sweeps, each in a folder of its own where a repetition finds it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqrec.runs.failure import FAILED, noted
from seqrec.runs.files import write_json

JOBS = "jobs.json"


def run_jobs(folder: Path, jobs: Mapping[Path, Sequence[str]], arguments: Sequence[str]) -> int:
    """Run ``jobs`` to their end, one that has finished before not again; the status of the command that does it.

    Args:
        folder: of all of them.
        jobs: arguments by folder below ``folder``.
        arguments: of the sweep, such as ``launcher=gpus``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = [[*words, "resume=auto", f"hydra.sweep.subdir={place}"] for place, words in jobs.items()]
    write_json(folder / JOBS, listed)
    path = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    here = [f"hydra.sweep.dir='{folder}'", "hydra/sweeper=cells", f"hydra.sweeper.jobs='{folder / JOBS}'"]
    return subprocess.run([sys.executable, "-m", "seqrec", "-m", *here, *arguments], env=path).returncode


def why_failed(folder: Path) -> str | None:
    """Why the job in ``folder`` failed; None where it did not, or has not begun."""
    note = folder / FAILED
    return noted(note.read_text(encoding="utf-8"))[1] if note.exists() else None

"""What a run was asked for when it began, and which code trains it; a resumed run is still that run."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from seqrec.runs.files import read_json, write_json
from seqrec.runs.folder import ORIGIN


@dataclass(frozen=True)
class Origin:
    """Where the values of a run's configuration come from; all None for a run of a version that did not store it.

    Attributes:
        model: name of the model, as given with ``model=``.
        command: that began the run, for a shell; of a sweep the command of its one job.
        settings: the file of settings that applied, such as ``sasrec/beauty``; None where there is none.
        paper: whose row the run is; None where it is of no paper.
        paper_settings: the file of that paper's settings that applied, such as ``fenrec/sasrec/beauty``.
        git_commit: of the code that began the run, and behind commas of each that continued it, ``-dirty`` where the
            checkout had changes, ``unknown`` where a version that stored none began it; None outside a checkout.
    """

    model: str | None = None
    command: str | None = None
    settings: str | None = None
    paper: str | None = None
    paper_settings: str | None = None
    git_commit: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Origin:
        """What a run folder holds, nothing where it holds none."""
        path = folder / ORIGIN
        stored = read_json(path) if path.exists() else {}
        return cls(**{field.name: stored.get(field.name) for field in fields(cls)})

    def continued(self, commit: str | None) -> Origin:
        """Of the run when code of ``commit`` continues it."""
        known = self.git_commit or "unknown"
        if commit is None or commit == known.split(", ")[-1]:
            return self
        return replace(self, git_commit=f"{known}, {commit}")

    def write(self, folder: Path) -> None:
        """Store it in a run folder, in one step."""
        write_json(folder / ORIGIN, asdict(self))


def git_commit() -> str | None:
    """Commit of the code, marked where the tree has changes; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

"""What was asked for when a run began, kept beside its configuration: a resumed run is still that run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
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
    """

    model: str | None = None
    command: str | None = None
    settings: str | None = None
    paper: str | None = None
    paper_settings: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Origin:
        """What a run folder holds, nothing where it holds none."""
        path = folder / ORIGIN
        stored = read_json(path) if path.exists() else {}
        return cls(**{field.name: stored.get(field.name) for field in fields(cls)})

    def write(self, folder: Path) -> None:
        """Store it in a run folder, in one step."""
        write_json(folder / ORIGIN, asdict(self))

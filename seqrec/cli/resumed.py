"""The run that a command line resumes is looked at before Hydra writes into its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqrec.runs.folder import LAST, UPDATING, links_out_of, resumable


def check_resumed(overrides: Sequence[str], multirun: bool) -> None:
    """Refuse to resume what is no run, would write elsewhere, or cannot be found again.

    Args:
        overrides: of the command line.
        multirun: ``--multirun`` was given.

    Raises:
        ValueError: what is there, and what to give instead.
    """
    asked = _last(overrides, "resume")
    if asked in ("", "null"):
        return
    if multirun:
        _check_sweep(asked, _last(overrides, "hydra.sweep.dir"))
    elif asked != "auto":
        _check_folder(Path(asked))


def _check_folder(folder: Path) -> None:
    if (folder / UPDATING).exists():
        raise ValueError(
            f"resume={folder}: an update that was stopped is begun again; give its command and hydra.run.dir={folder}"
        )
    if not resumable(folder):
        above = [place for place in folder.parents[:2] if folder.exists() and resumable(place)]
        advice = f"write resume={above[0]}" if above else "give the folder of a run that finished an epoch"
        raise ValueError(f"resume={folder}: no checkpoint at {folder / LAST}; {advice}")
    for link in links_out_of(folder):
        raise ValueError(
            f"resume={folder}: {link} is a link to {link.resolve()}, which the run would change; put what is meant in "
            "its place"
        )


def _check_sweep(asked: str, folder: str) -> None:
    if asked != "auto":
        raise ValueError(f"resume={asked}: a sweep cannot resume a run; leave out -m")
    if not folder:
        raise ValueError(
            "resume=auto of a sweep: the name of its folder holds the time of its start, so a new one would begin; "
            "hydra.sweep.dir=multirun/<time> resumes that one"
        )


def _last(overrides: Sequence[str], key: str) -> str:
    """The value that counts of those that are given for a key, empty without any."""
    values = [word.partition("=")[2].strip("'\"") for word in overrides if word.startswith(f"{key}=")]
    return values[-1] if values else ""

"""Finished runs below folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seqrec.runs.card import RunCard
from seqrec.runs.folder import CARD, FIRST_STAGE, LOG, METRICS


def run_folders(folders: Iterable[Path]) -> list[Path]:
    """Finished runs in or below ``folders``, in the order of their names; first stages inside a run are none."""
    places = {path.parent for folder in folders for path in folder.rglob(METRICS)}
    return sorted(
        path for path in places if path.name != FIRST_STAGE and (path / CARD).exists() and (path / LOG).exists()
    )


def finished(folders: Iterable[Path]) -> dict[Path, RunCard]:
    """Cards of :func:`run_folders`, the newest first.

    What cannot be read as a run is left out: folders of tables may hold anything.
    """
    found: dict[Path, RunCard] = {}
    for path in sorted(
        run_folders(folders), key=lambda path: ((path / METRICS).stat().st_mtime, str(path)), reverse=True
    ):
        try:
            found[path] = RunCard.read(path / CARD)
        except ValueError:
            continue
    return found

"""The folder of an update holds all of it or nothing: half of one could be neither loaded nor resumed."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from seqrec.runs.files import read_json, write_json
from seqrec.runs.folder import UPDATING
from seqrec.runs.lock import LOCK, locked


def remove_killed(folder: Path) -> None:
    """Remove what an update left that was killed, so that it can be begun again.

    Raises:
        ValueError: it is under way in another process.
    """
    if (folder / UPDATING).exists():
        with locked(folder):
            _remove(folder, read_json(folder / UPDATING)["before"])


@contextmanager
def whole_or_nothing(folder: Path) -> Iterator[None]:
    """Remove what is written to a folder from here on, unless nothing goes wrong and nobody stops it."""
    before = [path.name for path in folder.iterdir()]
    write_json(folder / UPDATING, {"before": before})
    try:
        yield
    except BaseException:
        _remove(folder, before)
        raise
    (folder / UPDATING).unlink()


def _remove(folder: Path, before: Collection[str]) -> None:
    """Remove all that was not there before; the mark at last, without which it would be taken for a run."""
    made = [path for path in folder.iterdir() if path.name not in {*before, LOCK}]
    for path in sorted(made, key=lambda path: path.name == UPDATING):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

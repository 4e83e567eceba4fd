"""Writing a file of a run in one step, so that a reader never sees half of it and a crash leaves the one before."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PARTIAL = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; what was written there takes the place of ``path`` if nothing went wrong.

    It lies in the same folder, because a file is renamed in one step only within a file system, and it is on the disk
    before it is renamed: until then the file before it stays whole.

    Raises:
        OSError: it cannot be written, as on a full disk; its file name is ``path``.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        yield partial
        _to_disk(partial)
        partial.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say of which file
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one step; what JSON does not know is written as its text."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of a run holds.

    Raises:
        ValueError: it holds no JSON object, so a run did not write it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise changed(path)
    return content


def changed(path: Path) -> ValueError:
    """The error about a file that holds something else than a run writes there."""
    return ValueError(f"{path} is not what a run writes there ({path.stat().st_size} bytes); was it changed?")


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed left in ``folder``."""
    for path in folder.glob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; some file systems know no such folders."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)

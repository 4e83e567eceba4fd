"""A folder belongs to one process at a time: a lock of the system, which ends with the process that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"


@contextmanager
def locked(folder: Path, refusal: str | None = None) -> Iterator[None]:
    """Keep other processes out of a folder.

    Args:
        folder: is made where it is not there.
        refusal: what to say where another process is in it; None: that it trains there.

    Raises:
        ValueError: another process is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        training = (
            f"another process is training in {folder}; wait for its end, or leave out resume=... and hydra.run.dir=... "
            "to have a folder of one's own"
        )
        raise ValueError(refusal or training) from None
    except NotImplementedError:  # a file system without locks
        pass
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process, this one not counted, is in a run folder."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, NotImplementedError, OSError):
        return True
    lock.release()
    return False

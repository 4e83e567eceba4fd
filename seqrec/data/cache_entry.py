"""Whether an entry of the cache is as it was written, and what stopped processes left beside the entries."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl

from seqrec.data.sequences import Sequences

META = "meta.json"
NEEDED = ("items.npy", "offsets.npy", "users.parquet", "items.parquet")
OPTIONAL = ("attributes.npy", "split_key.npy")

_STALE = 86400.0  # seconds after which a half-written entry of another machine is taken for left behind


def checksums(entry: Path) -> dict[str, str]:
    """SHA-256 of each file of an entry, by its name."""
    return {name: file_sha256(entry / name) for name in (*NEEDED, *OPTIONAL) if (entry / name).is_file()}


def intact(entry: Path, load: Callable[[Path], Sequences]) -> tuple[Sequences | None, str]:
    """The sequences of an entry, or None and what is wrong with it.

    Args:
        entry: its folder.
        load: maps the files into memory; nothing is loaded before their checksums were compared.
    """
    try:
        meta: dict[str, Any] = json.loads((entry / META).read_text())
        known = dict(meta["files"])
        found = checksums(entry)
        changed = [name for name in sorted({*NEEDED, *known, *found}) if known.get(name, "") != found.get(name)]
        if changed:
            return None, f"{changed[0]} is {'not as it was written' if changed[0] in found else 'missing'}"
        sequences = load(entry)
        fault = sequences.fault()
        if fault is None and sequences.digest() != meta["digest"]:
            fault = "its digest is another one"
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        return None, f"{META} or a file that it names cannot be read ({type(error).__name__})"
    except pl.exceptions.PolarsError:
        return None, "a table cannot be read"
    return (sequences, "") if fault is None else (None, fault)


def unfinished(entry: Path) -> Path:
    """A new folder beside ``entry`` to write it in; its name says whose it is."""
    return Path(mkdtemp(prefix=f".{entry.name}-{socket.gethostname()}-{os.getpid()}-", dir=entry.parent))


def remove_left_behind(cache_dir: Path, name: str) -> None:
    """Remove folders of :func:`unfinished` whose processes were killed."""
    for folder in cache_dir.glob(f".{name}-*-*-*"):
        if folder.is_dir() and _is_left_behind(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left_behind(folder: Path) -> bool:
    process = folder.name.split("-")[-2]
    if process.isdigit() and f"-{socket.gethostname()}-{process}-" in folder.name:
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except OSError:  # another user's
            return False
        return False
    return time.time() - folder.stat().st_mtime > _STALE


def file_sha256(file: Path) -> str:
    """SHA-256 of what a file holds."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

"""The cache of prepared sequences: written once, whole or not at all, then memory-mapped."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from filelock import FileLock

from seqrec.data.cache_entry import META, checksums, file_sha256, intact, remove_left_behind, unfinished
from seqrec.data.errors import DataError
from seqrec.data.progress import tell
from seqrec.data.readers.parts import is_source, part_files
from seqrec.data.sequences import Sequences
from seqrec.data.writing import write_array, write_parquet

logger = logging.getLogger(__name__)

FORMAT = 5
"""Version of the files in the cache; raised when their meaning, or that of a reader's result, changes."""


def cached(
    cache_dir: Path,
    name: str,
    source: Callable[[], Path | None],
    read: Callable[[Any], Sequences],
    recipe: dict[str, Any],
    other_files: Callable[[Any], Sequence[Path]] = lambda source: (),
) -> Sequences:
    """Sequences from the cache, which is filled first if need be.

    An entry is identified by the recipe and by the path, size and modification time of the source files, so that a
    second start does not read the source. Processes that start together prepare the data once; an error leaves nothing.
    An entry that is not as it was written is prepared anew. A folder that cannot be written is read without a lock.

    Args:
        cache_dir: where entries are kept, one folder each.
        name: short name of the data set; part of the folder's name.
        source: the local source file (downloaded if need be), None for computed data.
        read: makes sequences of what ``source`` returned.
        recipe: all options that change what ``read`` returns; must be JSON.
        other_files: what else ``read`` uses with that source, such as the files of the items' attributes.

    Returns:
        Sequences whose ``items`` and ``offsets`` are memory-mapped, copy on write.

    Raises:
        DataError: from ``source`` or ``read``, or the cache cannot be written.
    """
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{cache_dir}: cannot make the cache folder ({error}); set data.cache_dir") from error
    lock = cache_dir / f".{name}.lock"
    try:
        # One process downloads, reads and writes; the others wait here and then find the entry.
        with _locked(lock) as may_clean:
            if may_clean:
                remove_left_behind(cache_dir, name)
            file = source()
            if file is not None and not is_source(file):
                raise DataError(f"data={name}: {file} is no file")
            others = other_files(file)
            facts = {"format": FORMAT, "recipe": recipe, "source": None if file is None else _facts(file)}
            facts["attributes"] = [_facts(other) for other in others]
            entry = cache_dir / f"{name}-{_sha256(json.dumps(facts, sort_keys=True).encode())[:16]}"
            sequences = _found(entry)
            if sequences is None:
                read_ones = read(file)
                if (fault := read_ones.fault()) is not None:
                    raise ValueError(f"data={name}: the sequences that were read break a rule: {fault}")
                tell(f"writing {entry}", read_ones.num_interactions)
                _write(entry, read_ones, facts, file, others)
                sequences = _load(entry)
    except BaseException:
        # After an error nothing is left in the folder. Another process may hold or get the lock that is removed here,
        # so two may write the same entry; that is safe, because an entry is renamed into place as a whole.
        with suppress(OSError):
            lock.unlink()
        raise
    return sequences


@contextmanager
def _locked(lock: Path) -> Iterator[bool]:
    """Hold the lock; False where it cannot be had because the folder, or a lock of another user, is read-only."""
    guard = FileLock(lock, mode=0o666)  # a cache may be shared
    try:
        guard.acquire()
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        guard.release()


def _found(entry: Path) -> Sequences | None:
    """The sequences of an entry; None where there is none, or where it was damaged, which is said and removed.

    Raises:
        DataError: a damaged entry cannot be removed.
    """
    if not entry.is_dir():
        return None
    sequences, damage = intact(entry, _load)
    if sequences is not None:
        return sequences
    logger.warning("the cache entry %s is damaged (%s); it is prepared anew", entry, damage)
    try:
        shutil.rmtree(entry)
    except OSError as error:
        raise DataError(
            f"the cache entry {entry} is damaged ({damage}) and cannot be removed ({error.strerror}); set "
            "data.cache_dir to a folder of your own"
        ) from error
    return None


def write_entry(entry: Path, sequences: Sequences, about: dict[str, Any]) -> None:
    """Write sequences into a new folder, first beside it and then renamed in one step.

    Args:
        entry: the folder.
        sequences: to be read with :func:`read_entry`.
        about: JSON, kept with their digest, sizes and checksums.

    Raises:
        OSError: it cannot be written.
    """
    meta = about | {
        "digest": sequences.digest(),
        "users": sequences.num_users,
        "items": sequences.num_items,
        "interactions": sequences.num_interactions,
        "dropped": sequences.dropped,
    }
    folder = unfinished(entry)
    try:
        write_array(folder / "items.npy", sequences.items.numpy())
        write_array(folder / "offsets.npy", sequences.offsets.numpy())
        if sequences.attributes is not None:
            write_array(folder / "attributes.npy", sequences.attributes.numpy())
        if sequences.split_key is not None:
            write_array(folder / "split_key.npy", sequences.split_key.numpy())
        write_parquet(folder / "users.parquet", pl.DataFrame({"id": sequences.user_ids}))
        items = pl.DataFrame({"id": sequences.item_ids, "source_order": sequences.source_order.numpy()})
        write_parquet(folder / "items.parquet", items)
        meta["files"] = checksums(folder)
        (folder / META).write_text(json.dumps(meta, indent=2) + "\n")
        folder.chmod(0o755)  # mkdtemp's folders are for their owner only; a cache may be shared
        _put_in_place(folder, entry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_entry(entry: Path) -> Sequences:
    """What :func:`write_entry` wrote, memory-mapped.

    Raises:
        DataError: it is not there, or not as it was written.
    """
    sequences, damage = intact(entry, _load)
    if sequences is None:
        raise DataError(f"{entry}: {damage}; restore the folder from a copy")
    return sequences


def _facts(file: Path) -> dict[str, Any]:
    """What identifies a file, or the files of a folder, and its version without reading it."""
    if not file.is_file():
        return {"path": str(file.resolve()), "parts": [_facts(part) for part in part_files(file)]}
    status = file.stat()
    return {"path": str(file.resolve()), "size": status.st_size, "modified_ns": status.st_mtime_ns}


def _write(entry: Path, sequences: Sequences, facts: dict[str, Any], file: Path | None, others: Sequence[Path]) -> None:
    """Write an entry of the cache."""
    sources = {
        "source_sha256": None if file is None else _source_sha256(file),
        "attributes_sha256": [_source_sha256(other) for other in others],
    }
    try:
        write_entry(entry, sequences, facts | sources)
    except OSError as error:
        raise DataError(
            f"{entry.parent}: the cache cannot be written ({error.strerror or error}); set data.cache_dir to another "
            "folder, or make room in this one"
        ) from error


def _put_in_place(folder: Path, entry: Path) -> None:
    try:
        folder.rename(entry)
    except OSError:
        if not entry.is_dir():  # else another process was first, with the same content
            raise


def _load(entry: Path) -> Sequences:
    """Map an entry into memory."""
    items = pl.read_parquet(entry / "items.parquet")
    attributes, key = entry / "attributes.npy", entry / "split_key.npy"
    return Sequences(
        # "c": torch has no read-only tensors; a write would stay in memory and never reach the cache.
        items=torch.from_numpy(np.load(entry / "items.npy", mmap_mode="c")),
        offsets=torch.from_numpy(np.load(entry / "offsets.npy", mmap_mode="c")),
        user_ids=pl.read_parquet(entry / "users.parquet")["id"],
        item_ids=items["id"],
        source_order=torch.from_numpy(items["source_order"].to_numpy(writable=True)),
        attributes=torch.from_numpy(np.load(attributes)) if attributes.exists() else None,
        dropped=json.loads((entry / META).read_text()).get("dropped", {}),
        split_key=torch.from_numpy(np.load(key, mmap_mode="c")) if key.exists() else None,
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _source_sha256(file: Path) -> str:
    """SHA-256 of a file, or of those of a folder one after the other."""
    return file_sha256(file) if file.is_file() else _sha256("".join(map(file_sha256, part_files(file))).encode())

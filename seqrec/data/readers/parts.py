"""A log in several files: a folder, or a name with ``*``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from seqrec.data.errors import DataError
from seqrec.data.readers.files import suffix


def is_source(path: Path) -> bool:
    """Whether there is a file, a folder, or a file whose name fits ``path``."""
    return path.exists() or (has_magic(str(path)) and bool(glob(str(path), recursive=True)))


def part_files(path: Path) -> Sequence[Path]:
    """The files of a log, in the order of their names (``part-10`` after ``part-9``).

    A folder stands for all files in it and below, but for empty ones and those whose name begins with ``.`` or ``_``,
    by which other programs mark files that are no data.

    Args:
        path: a file, a folder, or a name with ``*``, ``?`` or ``[``.

    Raises:
        DataError: no file, or files of several formats.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [part for part in path.rglob("*") if not any(name[0] in "._" for name in part.relative_to(path).parts)]
    elif has_magic(str(path)):
        found = [Path(name) for name in glob(str(path), recursive=True)]
    else:
        raise DataError(f"{path}: no such file or folder")
    files = sorted((part for part in found if part.is_file() and part.stat().st_size), key=_natural)
    if not files:
        raise DataError(f"{path}: no file with content {'in this folder' if path.is_dir() else 'has such a name'}")
    kinds = {suffix(part): part for part in reversed(files)}
    if len(kinds) > 1:
        first = ", ".join(f"`{part.name}`" for part in sorted(kinds.values(), key=_natural)[:3])
        raise DataError(
            f"{path}: files of several formats ({first}); choose those of one by a name such as '{path}/*.csv'"
        )
    return files


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key by which numbers in names sort by their value."""
    pieces = re.split(r"(\d+)", str(path))
    return [(int(piece), "") if piece.isdigit() and piece.isascii() else (-1, piece) for piece in pieces]

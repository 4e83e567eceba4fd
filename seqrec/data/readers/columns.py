"""Checks on the columns of an interaction table: missing values, times, ids, exact duplicates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from seqrec.data.errors import DataError
from seqrec.data.readers.times import sort_keys

logger = logging.getLogger(__name__)


def checked(
    raw: pl.DataFrame,
    path: Path,
    columns: dict[str, str | None],
    place: Callable[[int], str],
    drop_duplicates: bool,
    time_format: str | None = None,
) -> pl.DataFrame:
    """Turn raw text columns into interactions, or say which line is wrong.

    Args:
        raw: columns ``user``, ``item`` and, unless file order counts, ``time``, all text, and
            ``fingerprint``, a hash of all fields of the row.
        path: the file, for messages.
        columns: name in the file of each of the three columns, for messages.
        place: name of a row (0-based) for messages, such as ``line 5``.
        drop_duplicates: drop rows that repeat an earlier one in all fields.
        time_format: form of the dates where it is not ISO's.

    Returns:
        ``user``, ``item`` (int64 if all are plain integers, else text) and ``time``, a key to sort by, as
        :func:`seqrec.data.readers.times.sort_keys` makes it (the row number without a time column), in file order.

    Raises:
        DataError: a missing value, or a time that is neither a finite number nor a date.
    """
    if raw.is_empty():
        raise DataError(f"{path}: no interactions in the file")
    named = {key: name for key, name in columns.items() if name is not None}
    frame = raw.with_columns(pl.col(*named).str.strip_chars())
    for key, name in named.items():
        missing = frame[key].is_null() | (frame[key] == "")
        if missing.any():
            row = int(missing.arg_max() or 0)
            raise DataError(f"{path}: {place(row)}, column `{name}` has no value; each row needs one")
    repeated = ~pl.struct(*named, "fingerprint").is_first_distinct()
    repeat = frame.select(repeated).to_series()
    if repeat.any():
        kept = "dropped" if drop_duplicates else "kept; drop_duplicates=true drops them"
        first = place(int(repeat.arg_max() or 0))
        logger.warning("%s: %d exact duplicate rows, first on %s (%s)", path, repeat.sum(), first, kept)
    if "time" in named:
        time = sort_keys(frame["time"], time_format, lambda row: f"{path}: {place(row)}, column `{named['time']}`")
    else:
        time = pl.Series("time", range(len(frame)), dtype=pl.Int64)
    result = pl.DataFrame([_ids(frame["user"]), _ids(frame["item"]), time.alias("time")])
    return result.filter(~repeat) if drop_duplicates else result


def pick(frame: pl.DataFrame, path: Path, columns: dict[str, str | None]) -> pl.DataFrame:
    """The columns ``user``, ``item``, ``time`` of a table of text, and the fingerprint of each row."""
    require(path, "", list(frame.columns), columns)
    named = {key: pl.col(name) for key, name in columns.items() if name is not None}
    return frame.select(**named, fingerprint=frame.hash_rows(seed=0))


def require(path: Path, where: str, found: list[str], columns: dict[str, str | None]) -> None:
    """Refuse a table without one of the named columns."""
    for name in columns.values():
        if name is None:
            continue
        if name not in found:
            near = get_close_matches(name, found, n=1, cutoff=0.5)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            listed = ", ".join(f"`{column}`" for column in found)
            raise DataError(f"{path}: {where}column `{name}` is missing; columns found: {listed}{hint}")
        if found.count(name) > 1:
            raise DataError(f"{path}: {where}column `{name}` occurs {found.count(name)} times")


def first_words(error: Exception) -> str:
    """The first line of a message of the parser, whose other lines advise on its own options."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _ids(text: pl.Series) -> pl.Series:
    """Ids as int64 if that loses nothing (``007`` stays text), else as they are."""
    number = text.cast(pl.Int64, strict=False)
    return number if (number.cast(pl.String) == text).fill_null(False).all() else text

"""Checks on the columns of an interaction table: missing values, times, ids, exact duplicates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import polars as pl

from seqrec.data.dropped import Dropped, note
from seqrec.data.errors import DataError, NoInteractions
from seqrec.data.readers.compact import text_of
from seqrec.data.readers.ids import ids, shown, spelled_missing
from seqrec.data.readers.times import sort_keys
from seqrec.data.watched import ran, table_read

logger = logging.getLogger(__name__)

MISSING = ("error", "drop", "keep")
"""What a row without a value is: an error, left out, or, where a word such as ``NULL`` says so, a row as any other."""


def checked(
    raw: pl.DataFrame,
    path: Path,
    columns: dict[str, str | None],
    place: Callable[[int], str],
    drop_duplicates: bool,
    time_format: str | None,
    missing: str,
    dropped: Dropped,
) -> pl.DataFrame:
    """Turn raw columns into interactions, or say which line is wrong.

    Args:
        raw: columns ``user``, ``item`` and, unless file order counts, ``time``, possibly ``rating``, each text or in a
            type that :func:`~seqrec.data.readers.compact.text_of` makes text; ``fingerprint``, a hash of all fields of
            a row; possibly ``part``, which stays as it is.
        path: the file, for messages.
        columns: name in the file of each of the columns, for messages.
        place: name of a row (0-based) for messages, such as ``line 5``.
        drop_duplicates: drop rows that repeat an earlier one in all fields.
        time_format: form of the dates where it is not ISO's.
        missing: one of :data:`MISSING`.
        dropped: takes what was left out.

    Returns:
        ``user``, ``item`` (int64 if all are plain integers, else text) and ``time``, a key to sort by, as
        :func:`seqrec.data.readers.times.sort_keys` makes it (the row number without a time column); where there are
        any also ``rating`` (float64) and ``part``. In file order.

    Raises:
        DataError: a missing value, or a time that is neither a finite number nor a date.
    """
    if raw.is_empty():
        raise NoInteractions(f"{path}: no interactions in the file")
    named = {key: name for key, name in columns.items() if name is not None}
    ran("missing")
    everything = raw.with_columns(pl.col(pl.String).str.strip_chars()).with_row_index("row")
    frame = _without_missing(everything, path, named, place, missing)
    if len(frame) < len(everything):
        note(dropped, "missing", pl.DataFrame([_present(everything[key]) for key in ("user", "item")]), frame)

    def where(key: str) -> Callable[[int], str]:
        return lambda row: f"{path}: {place(frame['row'][row])}, column `{named[key]}`"

    repeat = _repeats(frame, list(named))
    table_read(repeat, "time" not in named)
    if repeat.any():
        kept = "dropped" if drop_duplicates else "kept; data.drop_duplicates=true drops them"
        first = place(frame["row"][int(repeat.arg_max() or 0)])
        logger.warning("%s: %d exact duplicate rows, first on %s (%s)", path, repeat.sum(), first, kept)
    time = sort_keys(frame["time"], time_format, where("time")) if "time" in named else frame["row"].cast(pl.Int64)
    users, items = ids(frame["user"], where("user")), ids(frame["item"], where("item"))
    more = [_ratings(frame["rating"], where("rating"))] if "rating" in named else []
    more += [frame["part"]] if "part" in frame.columns else []
    result = pl.DataFrame([users, items, time.alias("time"), *more])
    if not drop_duplicates:
        return result
    once = result.filter(~repeat) if repeat.any() else result
    note(dropped, "duplicates", result, once)
    return once


def _ratings(column: pl.Series, where: Callable[[int], str]) -> pl.Series:
    """Ratings as float64; all must be finite numbers."""
    rating = column.cast(pl.Float64, strict=False)
    wrong = ~rating.is_finite().fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise DataError(f"{where(row)}, `{shown(text_of(column)[row])}` is not a finite number")
    return rating


def _repeats(frame: pl.DataFrame, named: list[str]) -> pl.Series:
    """Which rows repeat an earlier one in all fields, bool; empty where none does."""
    prints = frame["fingerprint"].to_numpy(writable=True)
    prints.sort()
    twice = pl.Series(np.unique(prints[1:][prints[1:] == prints[:-1]]), dtype=pl.UInt64)
    if twice.is_empty():
        return pl.Series(dtype=pl.Boolean)
    candidates = frame["fingerprint"].is_in(twice.implode())
    rows = frame.filter(candidates).select(*named, "fingerprint")
    rows = rows.with_columns(pl.col(pl.Float64).cast(pl.String))  # as numbers 0.0 and -0.0 are equal
    return candidates.scatter(candidates.arg_true(), ~rows.select(pl.struct(pl.all()).is_first_distinct()).to_series())


def _present(column: pl.Series) -> pl.Series:
    """The cells of a column as text, null where they hold no value."""
    text = text_of(column)
    return text.set((text == "") | spelled_missing(text), None)


def _without_missing(
    frame: pl.DataFrame, path: Path, named: dict[str, str], place: Callable[[int], str], missing: str
) -> pl.DataFrame:
    """``frame`` without the rows that lack a value, or an error for the first of them."""
    gone = pl.repeat(False, len(frame), eager=True)
    for key, name in named.items():
        absent, spelled = frame[key].is_null(), pl.repeat(False, len(frame), eager=True)
        if frame[key].dtype == pl.String:
            counts = missing == "drop" or (missing == "error" and key != "time")
            spelled = spelled_missing(frame[key]) & counts
            absent = absent | (frame[key] == "") | spelled
        if absent.any() and missing != "drop":
            row = int(absent.arg_max() or 0)
            says = f"`{frame[key][row]}` stands for no value" if spelled[row] else "has no value"
            keep = ", data.missing=keep takes the word for an id" if spelled[row] else ""
            raise DataError(
                f"{path}: {place(row)}, column `{name}`{',' if spelled[row] else ''} {says}; each row needs one "
                f"(rows without: {absent.sum()}; data.missing=drop leaves them out{keep})"
            )
        gone |= absent
    if gone.any():
        first = place(int(gone.arg_max() or 0))
        logger.warning("%s: %d rows without a value left out, first on %s (data.missing=drop)", path, gone.sum(), first)
    if gone.all():
        raise DataError(f"{path}: no interactions in the file: all {len(frame)} rows lack a value")
    return frame.filter(~gone) if gone.any() else frame


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

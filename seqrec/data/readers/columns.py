"""Checks on the columns of an interaction table: missing values, times, ids, exact duplicates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from seqrec.data.errors import DataError

logger = logging.getLogger(__name__)

_DATES = ("%F %T%.f", "%F", "%F %R", "%F %T%.f%#z", "%F %R%#z")
_DAY_WITH_OFFSET = "%R %F%#z"  # an offset needs a time of day, so midnight is put before the day


def checked(
    raw: pl.DataFrame,
    path: Path,
    columns: dict[str, str | None],
    place: Callable[[int], str],
    drop_duplicates: bool,
) -> pl.DataFrame:
    """Turn raw text columns into interactions, or say which line is wrong.

    Args:
        raw: columns ``user``, ``item`` and, unless file order counts, ``time``, all text, and
            ``fingerprint``, a hash of all fields of the row.
        path: the file, for messages.
        columns: name in the file of each of the three columns, for messages.
        place: name of a row (0-based) for messages, such as ``line 5``.
        drop_duplicates: drop rows that repeat an earlier one in all fields.

    Returns:
        ``user``, ``item`` (int64 if all are plain integers, else text) and ``time`` (int64 or float64, in the
        file's unit; microseconds for dates; the row number without a time column), in file order.

    Raises:
        DataError: a missing value, or a time that is neither a finite number nor an ISO date.
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
        time = _times(frame["time"], lambda row: f"{path}: {place(row)}, column `{named['time']}`")
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


def epoch_microseconds(text: pl.Series) -> pl.Series:
    """ISO dates as microseconds since 1970 (UTC unless they have an offset), null where it is not one."""
    date = text.str.replace(" ?UTC$", "Z").str.replace("T", " ", literal=True).str.replace(",", ".", literal=True)
    # The day 01-02-19 would be read as one of the year 1; a year has four digits.
    date = date.set(~date.str.contains(r"^\d{4}-"), None)
    time = pl.repeat(None, len(text), dtype=pl.Int64, eager=True)
    for form, column in [*((form, date) for form in _DATES), (_DAY_WITH_OFFSET, "00:00 " + date)]:
        if time.null_count() == date.null_count():
            break  # in most files all dates have the same form
        parsed = column.str.to_datetime(form, time_unit="us", strict=False).dt.timestamp("us")
        time = time.zip_with(time.is_not_null(), parsed)
    return time


def _times(text: pl.Series, where: Callable[[int], str]) -> pl.Series:
    """Times that compare as they should; ``where`` names a row's cell for the error."""
    whole = text.cast(pl.Int64, strict=False)
    if not whole.null_count():
        return whole
    number = text.cast(pl.Float64, strict=False)
    number = number.set(~number.is_finite().fill_null(False), None)
    dates = epoch_microseconds(text)
    time = number if number.null_count() <= dates.null_count() else dates
    if not time.null_count():
        return time
    row = int(time.is_null().arg_max() or 0)
    allowed = "a finite number" if time is number else "an ISO date (2019-12-31 or 2019-12-31 23:59:59)"
    raise DataError(f"{where(row)}, `{text[row]}` is not {allowed}")


def _ids(text: pl.Series) -> pl.Series:
    """Ids as int64 if that loses nothing (``007`` stays text), else as they are."""
    number = text.cast(pl.Int64, strict=False)
    return number if (number.cast(pl.String) == text).fill_null(False).all() else text

"""Times of a table as sort keys: two different instants never become the same key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from math import isfinite

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError
from seqrec.data.readers.compact import text_of
from seqrec.data.readers.ids import shown, spelled_missing

logger = logging.getLogger(__name__)

_ISO = (
    r"^(?P<day>\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[Tt ](?P<minute>\d{1,2}:\d{2})(?P<second>:[0-5]\d)?(?:[.,](?P<fraction>\d+))?)?"
    r" ?(?:UTC|GMT|[Zz]|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?)?$"
)
_SECONDS, _UNITS_APART = 10**8, 500  # seconds since 1970 from 1973 on; milliseconds are 1000 times as large
_LATEST = 10**11  # seconds since 1970 in the year 5138; what is larger is in a finer unit
_MICRO = 6  # digits of a second that a key in microseconds holds
_FINER = rf"\.(\d{{{_MICRO}}})(\d+)"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_LOOKS_LIKE_A_DATE = (
    rf"(?i)\d[-/.:]\d+[-/.:]\d|\d:\d\d|\d[-/. ]?({_MONTHS})|({_MONTHS})[a-z]* \d|\d{{8}}T\d|\d{{4}}-w?\d"
)


def sort_keys(column: pl.Series, time_format: str | None, where: Callable[[int], str]) -> pl.Series:
    """Times that compare as they should.

    Args:
        column: one time a row: all numbers, or all dates, as text, or in a type of their own.
        time_format: the form of the dates where it is not ISO's, such as ``%d/%m/%Y %H:%M``; None for numbers and ISO.
        where: names a row's cell for the error.

    Returns:
        Numbers as they are (int64, else float64), dates as int64 microseconds since 1970. Where two different times
        would become one such key, the rank of each time among all, int64.

    Raises:
        DataError: a time that is neither a finite number nor a date in the expected form, or a column of both.
    """
    text = column
    if time_format is not None:
        text = text_of(column)
        return _whole_column(
            *_formatted(text, time_format), text, where, f"in the form data.time_format={time_format!r}"
        )
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return column.cast(pl.Datetime("us")).dt.timestamp("us")
    if column.dtype == pl.Float64:
        return column
    whole = text.cast(pl.Int64, strict=False)
    if not whole.null_count():
        _warn_of_mixed_units(whole, where)
        return whole
    number = text.cast(pl.Float64, strict=False)
    number = number.set(~number.is_finite().fill_null(False), None)
    if not number.null_count():
        return _exact(text, number)
    day, finer = _iso(text)
    if not day.null_count() or day.null_count() < number.null_count():
        return _whole_column(day, finer, text, where, _iso_problem)
    row = int(number.is_null().arg_max() or 0)
    raise DataError(f"{where(row)}, {_number_problem(text, row, day)}")


def _warn_of_mixed_units(time: pl.Series, where: Callable[[int], str]) -> None:
    """Say so where seconds and milliseconds since 1970 seem to be mixed."""
    least, most = time.min(), time.max()
    if isinstance(least, int) and isinstance(most, int) and least >= _SECONDS and most / least >= _UNITS_APART:
        row = int(time.arg_max() or 0)
        logger.warning("%s: times reach from %d to %d; are seconds and milliseconds mixed?", where(row), least, most)


def epoch_microseconds(text: pl.Series) -> pl.Series:
    """ISO dates as microseconds since 1970 (UTC unless they have an offset), null where it is not one."""
    return _iso(text)[0]


def check_moment(option: str, at: float | str) -> None:
    """Refuse a moment that :func:`moment` could not compare with times.

    Raises:
        DataError: it is neither a number nor an ISO date.
    """
    if isinstance(at, str) and epoch_microseconds(pl.Series([at])).null_count():
        raise DataError(f"{option}={at!r} is no date; write one such as 2019-12-31 or '2019-12-31 23:59:59'")
    if isinstance(at, bool) or (not isinstance(at, str) and not isfinite(at)):
        raise DataError(f"{option}={at!r}: give a date such as 2019-12-31, or a number on the scale of the log's times")


def moment(at: float | str, newest: float) -> float:
    """A moment as a key that compares with those of :func:`sort_keys`.

    Args:
        at: an ISO date (UTC unless it has an offset), or a number on the scale of the log.
        newest: the largest key of the log. By its size they are seconds, milliseconds, microseconds, as dates become,
            or nanoseconds since 1970.
    """
    if not isinstance(at, str):
        return at
    micros = int(epoch_microseconds(pl.Series([at]))[0])
    unit = sum(newest >= _LATEST * 1000**power for power in range(3))
    return micros * 1000 ** (unit - 2) if unit >= 2 else micros / 1000 ** (2 - unit)


def _iso(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Whole microseconds since 1970, null where a cell is no ISO date, and the digits of the second that follow."""
    plain = text.str.replace("T", " ", literal=True)
    if plain.str.contains(r"^\d{4}-\d\d-\d\d \d\d:\d\d:[0-5]\d$").all():  # most logs; reads ten times as fast
        micros = plain.str.to_datetime("%F %T", time_unit="us", strict=False).dt.timestamp("us")
        return micros, pl.repeat("", len(text), eager=True)
    parts = text.str.extract_groups(_ISO).struct.unnest()
    clock = parts["minute"].fill_null("00:00") + parts["second"].fill_null(":00")
    second = (parts["day"] + " " + clock).str.to_datetime("%F %T", time_unit="us", strict=False)
    fraction = parts["fraction"].fill_null("")
    micros = fraction.str.slice(0, _MICRO).str.pad_end(_MICRO, "0").cast(pl.Int64)
    minutes = parts["hours"].cast(pl.Int64).fill_null(0) * 60 + parts["minutes"].cast(pl.Int64).fill_null(0)
    east = pl.select(pl.when(parts["sign"] == "-").then(-minutes).otherwise(minutes)).to_series()
    time = second.dt.timestamp("us") + micros - east * 60_000_000
    return time, fraction.str.slice(_MICRO).str.strip_chars_end("0")


def _formatted(text: pl.Series, time_format: str) -> tuple[pl.Series, pl.Series]:
    """As :func:`_iso`, of dates in ``time_format``."""
    form = time_format.replace(".%f", "%.f")  # Python's sign for the digits after the point
    cut = text.str.replace(_FINER, ".$1")
    finer = text.str.extract(_FINER, 2).fill_null("").str.strip_chars_end("0")
    try:
        dates = cut.str.to_datetime(form, time_unit="us", strict=False)
        if dates.null_count() == len(dates):
            dates = cut.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    except PolarsError as error:
        raise DataError(f"data.time_format={time_format!r} is not a form of dates ({error})") from error
    return dates.dt.timestamp("us"), finer


def _whole_column(
    micros: pl.Series,
    finer: pl.Series,
    text: pl.Series,
    where: Callable[[int], str],
    expected: str | Callable[[str], str],
) -> pl.Series:
    """The keys of a column of dates, all of which must be readable."""
    if micros.null_count():
        row = int(micros.is_null().arg_max() or 0)
        problem = f"is not a date {expected}" if isinstance(expected, str) else expected(text[row])
        raise DataError(f"{where(row)}, `{shown(text[row])}` {problem}")
    if (finer == "").all():
        return micros
    return _ranks(pl.DataFrame({"micros": micros, "finer": finer}))


def _ranks(times: pl.DataFrame) -> pl.Series:
    """The rank of each row among all rows, by its columns in order; equal rows have equal ranks."""
    order = times.unique().sort(times.columns).with_row_index("rank")
    ranks = times.join(order, on=times.columns, how="left", maintain_order="left")["rank"]
    return ranks.cast(pl.Int64)


def _exact(text: pl.Series, number: pl.Series) -> pl.Series:
    """``number`` if its float64 are as distinct as the numbers in ``text``, else ranks of the exact numbers."""
    distinct = text.unique()
    if distinct.cast(pl.Float64).n_unique() == len(distinct):
        return number
    exact = [Decimal(cell) for cell in distinct]
    rank = {value: place for place, value in enumerate(sorted(set(exact)))}
    if len(rank) == number.n_unique():
        return number  # `1.0` and `1.00` are written differently, but equal
    order = pl.DataFrame({"time": distinct, "rank": [rank[value] for value in exact]})
    return text.to_frame("time").join(order, on="time", how="left", maintain_order="left")["rank"].cast(pl.Int64)


def _iso_problem(cell: str) -> str:
    """What is wrong with a cell among ISO dates."""
    clock = (" %H:%M", " %H:%M:%S")[min(cell.count(":"), 2) - 1] if ":" in cell else ""
    return (
        "is not an ISO date (2019-12-31 or 2019-12-31 23:59:59); other forms are read with data.time_format, such as "
        f"data.time_format='%d/%m/%Y{clock}'"
    )


def _number_problem(text: pl.Series, row: int, dates: pl.Series) -> str:
    """What is wrong with a cell of a column that is not one of ISO dates."""
    cell = shown(text[row])
    if dates[row] is not None:
        return f"`{cell}` is a date where other rows have numbers; write all times of the column in one form"
    looks = text.str.contains(_LOOKS_LIKE_A_DATE)
    if looks[row]:
        return f"`{cell}` {_iso_problem(cell)}"
    missing = " (data.missing=drop leaves out rows without a time)" if spelled_missing(text)[row] else ""
    return f"`{cell}` is not a finite number{missing}"

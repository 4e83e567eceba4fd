"""Parquet files: the named columns, whatever the others hold."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import polars.selectors as cs
from polars.exceptions import PanicException, PolarsError

from seqrec.data.errors import DataError
from seqrec.data.readers.columns import first_words, require
from seqrec.data.readers.files import opened
from seqrec.data.readers.ids import EXACT, too_large

_YEARS = 1000, 9999  # whose dates are written in the form that the reader of dates takes


def read_parquet(path: Path, columns: dict[str, str | None]) -> pl.DataFrame:
    """Columns ``user``, ``item``, ``time`` of a parquet file, and the fingerprint of each row.

    What is not named is read in pieces, for the fingerprint, and not kept.

    Returns:
        Whole numbers as int64; of times also dates and finite float64 in their own types; anything else as text.

    Raises:
        DataError: not a parquet file, a column missing, or one whose type is neither text, number nor date.
    """
    named = {key: name for key, name in columns.items() if name is not None}
    cells = [cs.by_name(name).alias(key) for key, name in named.items()]
    try:
        file = pl.scan_parquet(_content(path), glob=False)
        require(path, "", file.collect_schema().names(), columns)
        try:
            frame = file.select(*cells, _fingerprint()).collect(engine="streaming")
        except (PolarsError, PanicException):  # a column that nobody named may be of a type that cannot be read
            frame = file.select(cells).collect(engine="streaming")
            frame = frame.with_row_index("fingerprint")  # no row counts as a duplicate
    except (PolarsError, PanicException) as error:
        raise DataError(f"{path}: not a parquet file, or a damaged one ({first_words(error)})") from error
    typed = [_column(path, key, name, frame[key]) for key, name in named.items()]
    return pl.DataFrame([*typed, frame["fingerprint"].cast(pl.UInt64)])


def _content(path: Path) -> Path | io.BytesIO:
    """The file, or what it holds if it is compressed."""
    with opened(path) as handle:
        content = handle.read() if path.name.lower().endswith(".gz") else handle.read(1)
    if not content:
        raise DataError(f"{path}: the file is empty")
    return io.BytesIO(content) if len(content) > 1 else path


def _fingerprint() -> pl.Expr:
    """A hash of all fields of a row, which depends on the values only, not on the file's own list of categories."""

    def hashed(rows: pl.Series) -> pl.Series:
        fields = rows.struct.unnest()
        return fields.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)).hash_rows(seed=0)

    return pl.struct(pl.all()).map_batches(hashed, return_dtype=pl.UInt64, is_elementwise=True).alias("fingerprint")


def _column(path: Path, key: str, name: str, column: pl.Series) -> pl.Series:
    """A named column as a number or a date where its text says no more, else as text.

    Dates are in UTC with all digits, whole floats are whole numbers, binary is UTF-8.
    """
    kind = column.dtype
    if kind.is_nested() or kind == pl.Object or (kind == pl.Duration and key != "time"):
        advice = (
            "one row an interaction is expected, with one id a cell" if kind.is_nested() else "an id is text or number"
        )
        raise DataError(f"{path}: column `{name}` holds {kind}; {advice}")
    if isinstance(kind, pl.Datetime) and kind.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if kind == pl.Duration:
        column = column.cast(pl.Int64)
    if kind == pl.Binary:
        return _decoded(path, name, column)
    if kind.is_float() and key != "time":
        return _float_ids(path, name, column)
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.String)
    if key == "time" and ((kind == pl.Float64 and column.is_finite().all()) or _is_dates(column)):
        return column
    return column.cast(pl.String)


def _is_dates(column: pl.Series) -> bool:
    """Whether a column holds dates that microseconds express, and of years with four digits."""
    kind = column.dtype
    if kind != pl.Date and not isinstance(kind, pl.Datetime):
        return False
    finer = isinstance(kind, pl.Datetime) and kind.time_unit == "ns" and (column.dt.nanosecond() % 1000 != 0).any()
    return not finer and bool(column.dt.year().is_between(*_YEARS).all())


def _decoded(path: Path, name: str, column: pl.Series) -> pl.Series:
    """Binary cells as the UTF-8 text that they hold."""
    try:
        return column.cast(pl.String)
    except PolarsError:
        for row, cell in enumerate(column):
            try:
                _ = None if cell is None else cell.decode()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}: row {row + 1}, column `{name}` is binary and not UTF-8 text; write it as text"
                ) from error
        raise


def _float_ids(path: Path, name: str, column: pl.Series) -> pl.Series:
    """Whole floats as whole numbers, NaN as no value."""
    limit = EXACT if column.dtype == pl.Float64 else 2**24
    column = column.fill_nan(None)
    large = (column.abs() >= limit).fill_null(False)
    if large.any():
        row = int(large.arg_max() or 0)
        raise DataError(f"{path}: row {row + 1}, column `{name}`, {too_large(column[row])}")
    whole = column.cast(pl.Int64, strict=False)
    is_whole = (whole.cast(column.dtype) == column).fill_null(False)
    return whole.cast(pl.String).zip_with(is_whole, column.cast(pl.String))

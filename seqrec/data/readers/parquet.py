"""Parquet files: the named columns as text, whatever the others hold."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from seqrec.data.errors import DataError
from seqrec.data.readers.columns import first_words, require
from seqrec.data.readers.files import opened
from seqrec.data.readers.ids import EXACT, too_large


def read_parquet(path: Path, columns: dict[str, str | None]) -> pl.DataFrame:
    """Text columns ``user``, ``item``, ``time`` of a parquet file, and the fingerprint of each row.

    Raises:
        DataError: not a parquet file, a column missing, or one whose type is neither text, number nor date.
    """
    with opened(path) as handle:
        content = handle.read()
    if not content:
        raise DataError(f"{path}: the file is empty")
    named = {key: name for key, name in columns.items() if name is not None}
    try:
        frame = pl.read_parquet(io.BytesIO(content))
        fingerprint = _comparable(frame).hash_rows(seed=0)
    except (PolarsError, PanicException) as error:
        try:  # a column that nobody named may be of a type that cannot be read
            frame = pl.read_parquet(io.BytesIO(content), columns=list(named.values()))
        except (PolarsError, PanicException):
            raise DataError(f"{path}: not a parquet file, or a damaged one ({first_words(error)})") from error
        fingerprint = pl.Series(range(len(frame)), dtype=pl.UInt64)  # no row counts as a duplicate
    require(path, "", frame.columns, columns)
    texts = [_text(path, key, name, frame[name]).alias(key) for key, name in named.items()]
    return pl.DataFrame([*texts, fingerprint.alias("fingerprint")])


def _comparable(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows in types whose hash depends on the value only, not on the file's own list of categories."""
    return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def _text(path: Path, key: str, name: str, column: pl.Series) -> pl.Series:
    """A named column as text: dates in UTC with all digits, whole floats as whole numbers, binary as UTF-8."""
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
    return column.cast(pl.String)


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

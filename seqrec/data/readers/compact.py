"""Columns of text in little memory, from which the same text can be had again."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_FORM = "%F %T"
DATES = pl.Datetime("us", "UTC")
"""Type of a column whose text was dates such as ``2019-12-31 23:59:59``."""


def compact(text: pl.Series, dates: bool = False) -> pl.Series:
    """Numbers for a column of whole numbers, and dates for one of dates; else the text.

    Only where each cell is written as the number or the date is, so that nothing is lost: ``007`` stays text.

    Args:
        text: the column.
        dates: whether to look for dates.
    """
    number = text.cast(pl.Int64, strict=False)
    if number.null_count() == text.null_count() and _all_equal(number.cast(pl.String), text):
        return number
    if dates and not text.head(1).str.to_datetime(_FORM, strict=False).null_count():
        date = text.str.to_datetime(_FORM, time_unit="us", strict=False)
        if date.null_count() == text.null_count() and _all_equal(date.dt.strftime(_FORM), text):
            return date.dt.replace_time_zone("UTC")
    return text


def _all_equal(a: pl.Series, b: pl.Series) -> bool:
    return bool((a == b).all())  # cells without a value are passed over; here both columns lack the same ones


def text_of(column: pl.Series) -> pl.Series:
    """The text of a column that is compact, or that a file holds in a type of its own."""
    if column.dtype == DATES:
        return column.dt.replace_time_zone(None).dt.strftime(_FORM)
    return column.cast(pl.String)


def compacted(table: pl.DataFrame) -> pl.DataFrame:
    """A table with its columns of text made compact; only ``time`` is taken for dates."""
    return pl.DataFrame([compact(c, c.name == "time") if c.dtype == pl.String else c for c in table])


def joined(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables one after the other; a column that does not have one type in all of them becomes text."""
    mixed = {name for name in tables[0].columns if len({table[name].dtype for table in tables}) > 1}
    return pl.concat(table.with_columns(text_of(table[name]) for name in mixed) for table in tables)

"""Ids of a table: what stands for no value, and how numbers among them are written."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import polars as pl

from seqrec.data.errors import DataError

logger = logging.getLogger(__name__)

_WORDS = ("nan", "null", "none", "na", "n/a", "#n/a", "<na>", "<null>", "nat", "nil", "undefined", "\\n", "(null)")
_SPELLED = sorted({spelt for word in _WORDS for spelt in (word, word.upper(), word.capitalize())} | {"NaN", "NaT"})
_WHOLE = r"^-?(?:0|[1-9]\d*)(?:\.0+)?$"
_LIST, _OBJECT = r"^\[.*\]$", r"^\{.*[:,].*\}$"
EXACT = 2**53
"""Whole numbers from here on are no longer distinct in float64."""


def spelled_missing(text: pl.Series) -> pl.Series:
    """Which cells are a word for a missing value, such as ``NULL``, ``NaN`` and ``\\N``; bool."""
    return text.is_in(_SPELLED).fill_null(False)


def shown(cell: str) -> str:
    """A cell as a message shows it: on one line, and not too long."""
    return cell.replace("\n", "\\n") if len(cell) <= 80 else shown(cell[:77] + "...")


def ids(text: pl.Series, where: Callable[[int], str]) -> pl.Series:
    """Ids as int64 if that loses nothing (``007`` stays text), else as they are; a column of ``1.0`` counts as whole.

    Args:
        text: one id a row, none missing; or such int64.
        where: names a row's cell for the error.

    Raises:
        DataError: lists instead of ids, or floats so large that neighbouring whole numbers are the same.
    """
    if text.dtype == pl.Int64:
        return text
    for form, kind in ((_LIST, "a list"), (_OBJECT, "an object")):
        if (
            re.match(form, text[0])
            and text.str.contains(form).all()
            and (kind != "a list" or text.str.contains(",", literal=True).any())
        ):
            raise DataError(
                f"{where(0)}, `{shown(text[0])}` is {kind}; a table has one interaction a row, with one id a cell"
            )
    number = text.cast(pl.Int64, strict=False)
    if (number.cast(pl.String) == text).fill_null(False).all():
        return number
    pointed = text.str.contains(r"\.0+$")
    if not (pointed.any() and text.str.contains(_WHOLE).all()):
        return text
    large = pointed & (text.cast(pl.Float64).abs() >= EXACT)
    if large.any():
        row = int(large.arg_max() or 0)
        raise DataError(f"{where(row)}, {too_large(text[row])}")
    first = int(pointed.arg_max() or 0)
    logger.warning("%s, `%s`: the whole numbers of this column are read without their point", where(first), text[first])
    return ids(text.str.replace(r"\.0+$", ""), where)


def too_large(value: object) -> str:
    """Why a whole float is refused as an id."""
    return (
        f"`{value}` is a floating-point number so large that different ids may have become equal; "
        "write the ids as whole numbers or as text"
    )

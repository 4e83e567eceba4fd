"""Files with one JSON object a line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError
from seqrec.data.readers.columns import first_words, require
from seqrec.data.readers.files import text_blocks


class _Constant(str):
    """``NaN``, ``Infinity`` or ``-Infinity`` outside quotes."""


def read_json_lines(path: Path, columns: dict[str, str | None], block: int) -> pl.DataFrame:
    """Text columns of a file with one JSON object a line; other fields are not kept."""
    schema = {name: pl.String for name in columns.values() if name is not None}
    renamed = {name: key for key, name in columns.items() if name is not None}
    parts: list[pl.DataFrame] = []
    for piece in text_blocks(path, block):
        if not piece.strip():
            continue
        if not parts:
            require(path, "line 1, ", _first_keys(path, piece), columns)
        try:
            part = pl.read_ndjson(io.BytesIO(piece), schema=schema)
        except PolarsError as error:
            raise _fault(path, block, first_words(error)) from error
        lines = pl.read_csv(
            io.BytesIO(piece), separator="\x01", quote_char=None, has_header=False, schema={"line": pl.String}
        ).filter(pl.col("line").str.strip_chars() != "")
        if len(lines) != len(part):
            raise _fault(path, block, "several objects on one line")
        parts.append(part.rename(renamed).with_columns(fingerprint=lines["line"].hash(seed=0)))
    if not parts:
        raise DataError(f"{path}: no interactions in the file")
    return pl.concat(parts)


def _fault(path: Path, block: int, reason: str) -> DataError:
    """What is wrong in a file that did not parse: the first line at fault if it can be found."""
    try:
        for _ in object_lines(path, block):
            pass
    except DataError as error:
        return error
    return DataError(f"{path}: not one JSON object a line ({reason})")


def _first_keys(path: Path, piece: bytes) -> list[str]:
    """Field names of the first object."""
    first = piece.lstrip().partition(b"\n")[0]
    return list(_json_object(path, 1, first))


def object_lines(path: Path, block: int) -> Iterator[int]:
    """Line number of each object, checked one by one; slow, for messages only."""
    line = 0
    for piece in text_blocks(path, block):
        for content in piece.removesuffix(b"\n").split(b"\n"):
            line += 1
            if content.strip():
                _json_object(path, line, content)
                yield line


def _json_object(path: Path, line: int, content: bytes) -> dict[str, object]:
    """The object on a line; NaN and infinity, which are not JSON, are refused with their column."""
    try:
        value = json.loads(content, parse_constant=_Constant)
    except ValueError as error:
        raise DataError(f"{path}: line {line}, not a JSON object ({error})") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: line {line}, a JSON {type(value).__name__} where an object is expected")
    for name, field in value.items():
        if isinstance(field, _Constant):
            raise DataError(f"{path}: line {line}, column `{name}`, `{field}` is not a finite number")
    return value

"""Files with one JSON object a line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError, NoInteractions
from seqrec.data.readers.columns import require
from seqrec.data.readers.compact import compacted, joined
from seqrec.data.readers.files import lf_ended, text_blocks

_ROUNDED = r"^-?[\d.]{16,}$|^-?[\d.]+e-?\d+$"  # may be a number that the fast parser cut to float64


class _Token(str):
    """A number as it is written, or ``NaN``, ``Infinity`` or ``-Infinity`` outside quotes."""


def read_json_lines(path: Path, columns: dict[str, str | None], block: int) -> pl.DataFrame:
    """Compact columns of a file with one JSON object a line; other fields are not kept."""
    parts: list[pl.DataFrame] = []
    line = 1
    for piece in map(lf_ended, text_blocks(path, block)):
        if piece.strip():
            if not parts:
                begin = piece.lstrip()
                number = line + piece[: len(piece) - len(begin)].count(b"\n")
                keys = list(_json_object(path, number, begin.partition(b"\n")[0]))
                require(path, f"line {number}, ", keys, columns)
            parts.append(compacted(_parsed(path, piece, line, columns)))
        line += piece.count(b"\n")
    if not parts:
        raise NoInteractions(f"{path}: no interactions in the file")
    return joined(parts)


def _parsed(path: Path, piece: bytes, first: int, columns: dict[str, str | None]) -> pl.DataFrame:
    """The named columns of the lines of ``piece``, whose first is line ``first``, and the fingerprint of each."""
    named = {key: name for key, name in columns.items() if name is not None}
    lines = pl.read_csv(
        io.BytesIO(piece), separator="\x01", quote_char=None, has_header=False, schema={"line": pl.String}
    )
    lines = lines.with_row_index("number", offset=first).filter(pl.col("line").str.strip_chars() != "")
    try:
        part = pl.read_ndjson(io.BytesIO(piece), schema=dict.fromkeys(named.values(), pl.String))
        fast = len(part) == len(lines)
    except PolarsError:
        fast = False
    if not fast:  # a fault, which this names, or what the fast parser does not take, such as NaN
        rows = [_fields(path, number, line, named) for number, line in lines.iter_rows()]
        part = pl.DataFrame(rows, schema=dict.fromkeys(named.values(), pl.String), orient="row")
    part = part.rename({name: key for key, name in named.items()})
    if fast:
        part = _with_exact(path, part, lines, named)
    return part.with_columns(fingerprint=lines["line"].hash(seed=0))


def _with_exact(path: Path, part: pl.DataFrame, lines: pl.DataFrame, named: dict[str, str]) -> pl.DataFrame:
    """``part`` with rounded numbers as they are written; lists and objects in it are refused."""
    both = pl.concat([part, lines], how="horizontal")
    doubtful = [
        pl.col(key).str.contains(r"^\s*[\[{]") | (pl.col(key).str.contains(_ROUNDED) & ~_verbatim(key)) for key in named
    ]
    rows = both.with_row_index("row").filter(pl.any_horizontal(doubtful))
    if rows.is_empty():
        return part
    exact = [_fields(path, number, line, named) for number, line in rows.select("number", "line").iter_rows()]
    changes = pl.DataFrame(exact, schema=dict.fromkeys(named, pl.String), orient="row").with_columns(row=rows["row"])
    return part.with_row_index("row").update(changes, on="row", how="left", include_nulls=True).drop("row")


def _verbatim(key: str) -> pl.Expr:
    """Whether a number stands in its line as the parser gave it, not only as its first digits."""
    line = pl.col("line")
    return pl.any_horizontal(line.str.contains(pl.col(key) + end, literal=True) for end in (",", "}", " ", '"', "\t"))


def _fields(path: Path, line: int, content: str | bytes, named: dict[str, str]) -> list[str | None]:
    """The named fields of one line as text, numbers as they are written."""
    found = _json_object(path, line, content)
    return [_text(path, line, name, found.get(name)) for name in named.values()]


def _text(path: Path, line: int, name: str, value: object) -> str | None:
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        raise DataError(
            f"{path}: line {line}, column `{name}` holds {kind}; "
            "one interaction a line is expected, with one id a field"
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def object_lines(path: Path, block: int) -> Iterator[int]:
    """Line number of each object, counted one by one; slow, for messages only."""
    line = 0
    for piece in map(lf_ended, text_blocks(path, block)):
        for content in piece.removesuffix(b"\n").split(b"\n"):
            line += 1
            if content.strip():
                yield line


def _json_object(path: Path, line: int, content: str | bytes) -> dict[str, object]:
    """The object on a line, numbers as :class:`_Token`."""
    try:
        value = json.loads(content, parse_constant=_Token, parse_float=_Token, parse_int=_Token)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: line {line}, not a JSON object ({error})") from error
    if not isinstance(value, dict):
        kind = "number" if isinstance(value, _Token) else type(value).__name__
        raise DataError(f"{path}: line {line}, a JSON {kind} where an object is expected")
    return value

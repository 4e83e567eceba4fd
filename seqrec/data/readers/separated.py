"""Separated text: csv, tsv and the like, with and without a header line."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError, NoInteractions
from seqrec.data.readers.columns import first_words, pick, require
from seqrec.data.readers.files import lf_ended, text
from seqrec.data.readers.quotes import AUTO, Rows, fields, records, rows
from seqrec.data.readers.separators import RUNS, choose, one_column

logger = logging.getLogger(__name__)

_INNER = "\x1f"  # stands for separators of several characters, which the csv parser does not take
_LOOKED_AT = 20  # lines from which a separator is guessed


class Separated(NamedTuple):
    """A text that was read.

    Attributes:
        frame: the columns ``user``, ``item``, ``time`` as text, and the fingerprint of each row.
        rows: the text, its quotes settled.
        records: a slow reader of (line, fields) of each row, for messages.
    """

    frame: pl.DataFrame
    rows: Rows
    records: Callable[[], Iterator[tuple[int, list[str]]]]


def read_separated(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None,
    header: Sequence[str] | None,
    quote: str | None = AUTO,
    comment: str | None = None,
) -> Separated:
    """Text columns of a separated file.

    Args:
        path: the file.
        columns: names in the file of ``user``, ``item`` and ``time``.
        separator: None to find it; ``\\s+`` for any number of blanks.
        header: column names of a text without a header line.
        quote: the sign that quotes, None if quotes are letters, or :data:`~seqrec.data.readers.quotes.AUTO`.
        comment: lines that begin so are left out; None where there are none.
    """
    if quote is not None and quote != AUTO and (len(quote) != 1 or not quote.isascii()):
        raise DataError(f"data.quote={quote!r} is neither one character, nor null (quotes are letters), nor {AUTO}")
    content = _without_comments(path, lf_ended(text(path)), comment)
    content = re.sub(rb"(?m)^ +$", b"", content)
    begin = len(content) - len(content.lstrip(b"\n"))
    said = re.match(rb"sep=(\S+|\t)\n", content[begin:])  # a line by which Excel is told the separator
    if said:
        separator, begin = separator or said[1].decode(), begin + said.end()
    number, content = 1 + content.count(b"\n", 0, begin), content[begin:]
    if not content.strip():
        raise NoInteractions(f"{path}: no interactions in the file")
    named = [name for name in columns.values() if name is not None]
    separator = choose(path, _first_lines(content), separator, named, header)
    if "\t" not in separator:
        content = re.sub(rb"(?m)^[ \t]+$", b"", content)
    inner, content = _one_character(separator, content)
    first, _, rest = content.partition(b"\n")
    found = fields(first.decode(), inner, '"' if quote == AUTO else quote)
    names = [field.strip() for field in found] if header is None else list(header)
    if len(found) == 1:
        raise DataError(one_column(path, number, first.decode(), separator))
    require(path, f"line {number}, ", names, columns)
    body, first_line = (rest, number + 1) if header is None else (content, number)
    if not body.strip():
        raise NoInteractions(f"{path}: no interactions in the file")
    settled = rows(path, body, first_line, inner, quote, len(names))

    def slowly() -> Iterator[tuple[int, list[str]]]:
        return records(settled, inner, first_line)

    frame = pick(_parsed(path, settled, names, inner, separator, slowly), path, columns)
    return Separated(frame, settled, slowly)


def _parsed(
    path: Path,
    found: Rows,
    names: list[str],
    inner: str,
    separator: str,
    slowly: Callable[[], Iterator[tuple[int, list[str]]]],
) -> pl.DataFrame:
    """All columns as text."""
    unique = [name if names.count(name) == 1 else f"{name}:{index}" for index, name in enumerate(names)]
    width_line = inner.join(map(str, range(len(names)))).encode() + b"\n"  # else the first row decides the width
    try:
        frame = pl.read_csv(
            io.BytesIO(width_line + found.body), separator=inner, infer_schema=False, quote_char=found.quote
        )
    except PolarsError as error:
        _check_widths(path, names, slowly())  # names the line, unless the quotes are at fault
        raise DataError(f"{path}: not a table separated by `{separator}` ({first_words(error)})") from error
    frame.columns = unique
    if frame[unique[-1]].null_count():  # a short row, a blank line, or an empty last field
        _check_widths(path, names, slowly())
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _without_comments(path: Path, content: bytes, comment: str | None) -> bytes:
    """The text with its comments as blank lines, so that the other lines keep their numbers."""
    if comment:
        return re.sub(rb"(?m)^[ \t]*" + re.escape(comment.encode()) + rb".*$", b"", content)
    marked, lines = content.count(b"\n#"), content.count(b"\n")
    if 0 < marked < lines / 2:
        first = 2 + content.count(b"\n", 0, content.index(b"\n#"))
        logger.warning(
            "%s: %d lines begin with `#`, first on line %d; if they are comments, \"data.comment='#'\" leaves them out",
            path, marked, first,
        )  # fmt: skip
    return content


def _first_lines(content: bytes) -> list[str]:
    """The first lines that are not blank, without one that is cut."""
    part = content[:10_000].decode(errors="ignore")
    whole = part if len(content) <= len(part) or "\n" not in part else part[: part.rindex("\n")]
    return [line for line in whole.split("\n") if line.strip()][:_LOOKED_AT]


def _one_character(separator: str, content: bytes) -> tuple[str, bytes]:
    """A separator of one byte, and the text with it."""
    if separator == RUNS:
        trimmed = re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", content)
        return _INNER, re.sub(rb"[ \t]+", _INNER.encode(), trimmed)
    if len(separator.encode()) > 1:
        return _INNER, content.replace(separator.encode(), _INNER.encode())
    return separator, content


def refuse_strange(path: Path, found: Separated, columns: dict[str, str | None]) -> None:
    """Refuse a header amid the rows, and a user, item or time with a line break or a quote that has no partner."""
    named = {key: name for key, name in columns.items() if name is not None}
    header = found.frame.select(pl.all_horizontal(pl.col(key) == name for key, name in named.items())).to_series()
    if header.any():
        line = _line(found, header)
        raise DataError(
            f"{path}: line {line} is a header line; data.header is for files without one, and files that "
            "were joined keep only the first"
        )
    sign, stray = found.rows.quote, found.rows.stray
    if sign is None:
        return
    faults = {"\n": "a line break"} | ({sign: "a quote without partner"} if stray else {})
    for key, name in named.items():
        for mark, what in faults.items():
            strange = found.frame[key].str.contains(mark, literal=True).fill_null(False)
            if strange.any():
                row = int(strange.arg_max() or 0)
                raise DataError(
                    f"{path}: line {_line(found, strange)}, column `{name}`, {found.frame[key][row]!r} holds {what}; "
                    "data.quote=null takes quotes for letters"
                )


def _line(found: Separated, marked: pl.Series) -> int:
    """The line of the first marked row."""
    row = int(marked.arg_max() or 0)
    return next(line for index, (line, _) in enumerate(found.records()) if index == row)


def _check_widths(path: Path, names: list[str], rows: Iterator[tuple[int, list[str]]]) -> None:
    """Refuse rows with more or fewer fields than there are columns, and rows with no value at all."""
    for line, found in rows:
        if len(found) < len(names):
            comment = f"; if it is a comment, \"data.comment='{found[0][:1]}'\"" if found[0][:1] in ("#", "%") else ""
            raise DataError(
                f"{path}: line {line}, {len(found)} fields where {len(names)} are expected "
                f"(first missing column: `{names[len(found)]}`){comment}"
            )
        if len(found) > len(names):
            raise DataError(f"{path}: line {line}, {len(found)} fields where {len(names)} are expected")
        if not any(found):
            raise DataError(f"{path}: line {line}, all {len(names)} fields are empty")

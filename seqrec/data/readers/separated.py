"""Separated text: csv, tsv and the like, with and without a header line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError, NoInteractions
from seqrec.data.readers.columns import first_words, pick, require
from seqrec.data.readers.compact import compacted, joined
from seqrec.data.readers.files import BLOCK, text, text_blocks
from seqrec.data.readers.lines import Comments, blank, one_character, separated
from seqrec.data.readers.quotes import AUTO, Rows, fields, line_rows, records, rows
from seqrec.data.readers.separators import choose, one_column

_LOOKED_AT = 20  # lines from which a separator is guessed
_HEAD = 10_000  # bytes in which they are


class Separated(NamedTuple):
    """A text that was read.

    Attributes:
        frame: the columns ``user``, ``item``, ``time``, compact, and the fingerprint of each row.
        line: the line of a row, for messages; slow.
        fault: what is refused once nothing else is; None where all is well.
    """

    frame: pl.DataFrame
    line: Callable[[int], int]
    fault: DataError | None


class _Layout(NamedTuple):
    """How the rows of a text are written.

    Attributes:
        names: of the columns.
        separator: as it was chosen.
        first_line: number of the line of the first row.
    """

    names: list[str]
    separator: str
    first_line: int

    @property
    def inner(self) -> str:
        """The character that separates once the lines are plain."""
        return one_character(self.separator)


_Slowly = Callable[[], Iterator[tuple[int, list[str]]]]
"""Line and fields of each row, one by one, for messages."""

_Pieces = Callable[[], Iterator[tuple[int, Rows]]]
"""Number of the first line, and rows, of each piece of a text; can be called again."""


def read_separated(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None,
    header: Sequence[str] | None,
    quote: str | None = AUTO,
    comment: str | None = None,
    block: int = BLOCK,
) -> Separated:
    """Compact columns of a separated file.

    The text is read in pieces of whole lines, as a whole only where a quote has no partner in its line.

    Args:
        path: the file.
        columns: names in the file of ``user``, ``item`` and ``time``.
        separator: None to find it; ``\\s+`` for any number of blanks.
        header: column names of a text without a header line.
        quote: the sign that quotes, None if quotes are letters, or :data:`~seqrec.data.readers.quotes.AUTO`.
        comment: lines that begin so are left out; None where there are none.
        block: bytes read at a time.
    """
    if quote is not None and quote != AUTO and (len(quote) != 1 or not quote.isascii()):
        raise DataError(f"data.quote={quote!r} is neither one character, nor null (quotes are letters), nor {AUTO}")
    layout = _layout(path, columns, separator, header, quote, comment, block)
    comments = Comments(comment)

    def by_lines() -> Iterator[tuple[int, Rows]]:
        for first, body in _bodies(layout, comments.blanked(text_blocks(path, block))):
            found = line_rows(body, layout.inner, quote)
            if found is None:
                raise _SeveralLines
            yield first, found

    try:
        return _read(path, columns, layout, by_lines)
    except _SeveralLines:
        comments = Comments(comment)
        [(first, body)] = _bodies(layout, comments.blanked([text(path)]))
        whole = first, rows(path, body, first, layout.inner, quote, len(layout.names))
        return _read(path, columns, layout, lambda: iter([whole]))
    finally:
        comments.warn(path)


class _SeveralLines(Exception):
    """What the quotes of a piece mean depends on other pieces."""


def _layout(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None,
    header: Sequence[str] | None,
    quote: str | None,
    comment: str | None,
    block: int,
) -> _Layout:
    """How the text is written, by its first lines."""
    comments, content = Comments(comment), b""
    for piece in comments.blanked(text_blocks(path, block)):
        content += piece
        if len(content.strip()) > 2 * _HEAD:
            break
    try:
        content = blank(content, tabs=False)
        begin = len(content) - len(content.lstrip(b"\n"))
        said = re.match(rb"sep=(\S+|\t)\n", content[begin:])  # a line by which Excel is told the separator
        if said:
            separator, begin = separator or said[1].decode(), begin + said.end()
        number, content = 1 + content.count(b"\n", 0, begin), content[begin:]
        if not content.strip():
            raise NoInteractions(f"{path}: no interactions in the file")
        named = [name for name in columns.values() if name is not None]
        separator = choose(path, _first_lines(content), separator, named, header)
        first = separated(separator, blank(content, "\t" not in separator)).partition(b"\n")[0].decode()
        found = fields(first, one_character(separator), '"' if quote == AUTO else quote)
        names = [field.strip() for field in found] if header is None else list(header)
        if len(found) == 1:
            raise DataError(one_column(path, number, first, separator))
        require(path, f"line {number}, ", names, columns)
    except DataError:
        comments.warn(path)
        raise
    return _Layout(names, separator, number + (header is None))


def _bodies(layout: _Layout, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number of the first line, and plain lines, of each piece behind the header."""
    line = 1
    for piece in pieces:
        header = min(layout.first_line - line, piece.count(b"\n")) if line < layout.first_line else 0
        body = piece.split(b"\n", header)[header] if header else piece
        line += header
        yield line, separated(layout.separator, blank(body, "\t" not in layout.separator))
        line += body.count(b"\n")


def _read(path: Path, columns: dict[str, str | None], layout: _Layout, pieces: _Pieces) -> Separated:
    """What the pieces hold."""
    tables: list[pl.DataFrame] = []
    counts: list[int] = []
    fault = None
    for first, found in pieces():
        if found.body.strip():
            slowly = partial(records, found, layout.inner, first)
            table = pick(_parsed(path, found, layout, slowly), path, columns)
            fault = fault or _fault(path, table, found, slowly, columns)
            tables.append(compacted(table))
        counts.append(len(tables[-1]) if found.body.strip() else 0)
    if not tables:
        raise NoInteractions(f"{path}: no interactions in the file")

    def line(row: int) -> int:
        for (first, found), count in zip(pieces(), counts, strict=False):
            if row < count:
                return _nth(row, records(found, layout.inner, first))
            row -= count
        raise IndexError(row)

    return Separated(joined(tables), line, fault)


def _parsed(path: Path, found: Rows, layout: _Layout, slowly: _Slowly) -> pl.DataFrame:
    """All columns as text."""
    names, inner = layout.names, layout.inner
    unique = [name if names.count(name) == 1 else f"{name}:{index}" for index, name in enumerate(names)]
    width_line = inner.join(map(str, range(len(names)))).encode() + b"\n"  # else the first row decides the width
    try:
        frame = pl.read_csv(
            io.BytesIO(width_line + found.body), separator=inner, infer_schema=False, quote_char=found.quote
        )
    except PolarsError as error:
        _check_widths(path, names, slowly())  # names the line, unless the quotes are at fault
        raise DataError(f"{path}: not a table separated by `{layout.separator}` ({first_words(error)})") from error
    frame.columns = unique
    if frame[unique[-1]].null_count():  # a short row, a blank line, or an empty last field
        _check_widths(path, names, slowly())
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _first_lines(content: bytes) -> list[str]:
    """The first lines that are not blank, without one that is cut."""
    part = content[:10_000].decode(errors="ignore")
    whole = part if len(content) <= len(part) or "\n" not in part else part[: part.rindex("\n")]
    return [line for line in whole.split("\n") if line.strip()][:_LOOKED_AT]


def _fault(
    path: Path, table: pl.DataFrame, found: Rows, slowly: _Slowly, columns: dict[str, str | None]
) -> DataError | None:
    """A header amid the rows, or a user, item or time with a line break or a quote that has no partner."""
    named = {key: name for key, name in columns.items() if name is not None}
    header = table.select(pl.all_horizontal(pl.col(key) == name for key, name in named.items())).to_series()
    if header.any():
        return DataError(
            f"{path}: line {_nth(int(header.arg_max() or 0), slowly())} is a header line; data.header is for files "
            "without one, and files that were joined keep only the first"
        )
    sign, stray = found.quote, found.stray
    if sign is None:
        return None
    faults = {"\n": "a line break"} | ({sign: "a quote without partner"} if stray else {})
    for key, name in named.items():
        for mark, what in faults.items():
            strange = table[key].str.contains(mark, literal=True).fill_null(False)
            if strange.any():
                row = int(strange.arg_max() or 0)
                return DataError(
                    f"{path}: line {_nth(row, slowly())}, column `{name}`, {table[key][row]!r} holds {what}; "
                    "data.quote=null takes quotes for letters"
                )
    return None


def _nth(row: int, found: Iterator[tuple[int, list[str]]]) -> int:
    """The line of a row."""
    return next(line for index, (line, _) in enumerate(found) if index == row)


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

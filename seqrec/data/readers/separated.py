"""Separated text: csv, tsv and the like, with and without a header line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError
from seqrec.data.readers.columns import first_words, pick, require
from seqrec.data.readers.files import suffix, text

SEPARATORS = ("::", "\t", ";", "|", ",", " ")
"""Separators that are recognised; any other can be named."""
_INNER = "\x1f"  # stands for separators of several characters, which the csv parsers do not take


def read_separated(
    path: Path, columns: dict[str, str | None], separator: str | None, header: Sequence[str] | None
) -> tuple[pl.DataFrame, Callable[[], Iterator[tuple[int, list[str]]]]]:
    """Text columns of a separated file, and a slow reader of (line, fields) for messages."""
    content = text(path)
    separator = _separator(path, content, separator)
    if len(separator) > 1:
        content = content.replace(separator.encode(), _INNER.encode())
    inner = separator if len(separator) == 1 else _INNER
    first, _, rest = content.partition(b"\n")
    fields = next(csv.reader([first.decode().rstrip("\r")], delimiter=inner), [""])
    names = [field.strip() for field in fields] if header is None else list(header)
    if len(fields) == 1:
        raise DataError(_one_column(path, first.decode(), separator))
    require(path, "line 1, ", names, columns)
    body, first_line = (rest, 2) if header is None else (content, 1)

    def records() -> Iterator[tuple[int, list[str]]]:
        return _records(path, body, inner, first_line)

    if not body.strip():
        raise DataError(f"{path}: no interactions in the file")
    unique = [name if names.count(name) == 1 else f"{name}:{index}" for index, name in enumerate(names)]
    width_line = inner.join(map(str, range(len(names)))).encode() + b"\n"  # else the first row decides the width
    try:
        frame = pl.read_csv(io.BytesIO(width_line + body), separator=inner, infer_schema=False)
    except PolarsError as error:
        _check_widths(path, names, records())  # names the line, unless the quotes are at fault
        raise DataError(f"{path}: not a table separated by `{separator}` ({first_words(error)})") from error
    frame.columns = unique
    if frame[unique[-1]].null_count():  # a short row, a blank line, or an empty last field
        _check_widths(path, names, records())
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return pick(frame, path, columns), records


def _separator(path: Path, content: bytes, given: str | None) -> str:
    """The separator: as named, by the file's extension, or the only one that fits the first lines."""
    if given is not None:
        return given.replace("\\t", "\t")
    if suffix(path) in ("csv", "tsv"):
        return "," if suffix(path) == "csv" else "\t"
    lines = [line for line in content[:10_000].decode(errors="ignore").splitlines()[:20] if line.strip()]
    lines = lines[:-1] if len(lines) > 1 else lines  # the last one may be cut
    fitting = [mark for mark in SEPARATORS if lines and {line.count(mark) for line in lines}.isdisjoint({0})]
    fitting = [mark for mark in fitting if len({line.count(mark) for line in lines}) == 1]
    marks = [mark for mark in fitting if mark != " "] or fitting
    if len(marks) != 1:
        seen = ", ".join(f"`{mark}`" for mark in marks) or "none"
        raise DataError(f"{path}: cannot tell the separator (candidates: {seen}); set separator")
    return marks[0]


def _one_column(path: Path, line: str, separator: str) -> str:
    """Message for a first line that the separator does not split."""
    other = max(SEPARATORS, key=line.count)
    looks = f"; the file looks separated by `{other}`: set separator='{other}'" if other in line else ""
    return f"{path}: line 1, only one column found with separator `{separator}`{looks}"


def _records(path: Path, body: bytes, separator: str, line: int) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of each row, blank lines left out; slow, for messages only."""
    reader = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=separator)
    begin = 0
    try:
        for fields in reader:
            if fields:
                yield line + begin, fields
            begin = reader.line_num
    except csv.Error as error:
        raise DataError(f"{path}: line {line + begin}: {error}") from error


def _check_widths(path: Path, names: list[str], records: Iterator[tuple[int, list[str]]]) -> None:
    """Refuse rows with more or fewer fields than there are columns, and rows with no value at all."""
    for line, fields in records:
        if len(fields) < len(names):
            raise DataError(
                f"{path}: line {line}, {len(fields)} fields where {len(names)} are expected "
                f"(first missing column: `{names[len(fields)]}`)"
            )
        if len(fields) > len(names):
            raise DataError(f"{path}: line {line}, {len(fields)} fields where {len(names)} are expected")
        if not any(fields):
            raise DataError(f"{path}: line {line}, all {len(names)} fields are empty")

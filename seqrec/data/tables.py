"""Interaction tables: csv, tsv and other separated text, JSON lines, parquet; each also gzipped."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.columns import checked
from seqrec.data.errors import DataError
from seqrec.data.files import BLOCK, opened, suffix, text, text_blocks

SEPARATORS = ("::", "\t", ";", "|", ",", " ")
"""Separators that are recognised; any other can be named."""
_INNER = "\x1f"  # stands for separators of several characters, which the csv parsers do not take


def read_table(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None = None,
    header: Sequence[str] | None = None,
    drop_duplicates: bool = False,
    block: int = BLOCK,
) -> pl.DataFrame:
    """Read interactions from a file in file order.

    The format follows the name: ``.json``, ``.jsonl``, ``.ndjson`` (one object a line), ``.parquet``, else
    separated text, each also with ``.gz``.

    Args:
        path: the file.
        columns: names in the file of ``user``, ``item`` and ``time``; time may be None: file order counts.
        separator: of text; None takes ``,`` for ``.csv``, tab for ``.tsv``, and looks at the file otherwise.
        header: column names of a text file without a header line.
        drop_duplicates: drop rows that repeat an earlier one in all fields.
        block: bytes of JSON lines parsed at a time.

    Returns:
        ``user``, ``item``, ``time`` as :func:`seqrec.data.columns.checked` gives them.

    Raises:
        DataError: with file, line (the first is 1), column and value of the first thing wrong.
    """
    if set(columns) != {"user", "item", "time"} or None in (columns["user"], columns["item"]):
        raise DataError(f"columns={dict(columns)}: name the columns of user and item, and of time (or null)")
    kind = suffix(path)
    place: Callable[[int], str]
    if kind in ("json", "jsonl", "ndjson"):
        raw = _json_lines(path, columns, block)
        place = lambda row: f"line {_nth(row, _json_objects(path, block))}"  # noqa: E731
    elif kind == "parquet":
        raw = _parquet(path, columns)
        place = lambda row: f"row {row + 1}"  # noqa: E731
    else:
        raw, records = _separated(path, columns, separator, header)
        place = lambda row: f"line {_nth(row, (line for line, _ in records()))}"  # noqa: E731
    return checked(raw, path, columns, place, drop_duplicates)


def _nth(row: int, lines: Iterator[int]) -> int:
    """Element ``row`` of ``lines``."""
    return next(line for index, line in enumerate(lines) if index == row)


def _picked(frame: pl.DataFrame, path: Path, columns: dict[str, str | None]) -> pl.DataFrame:
    """Columns ``user``, ``item``, ``time`` of a table of text, and the fingerprint of each row."""
    _require(path, "", list(frame.columns), columns)
    named = {key: pl.col(name) for key, name in columns.items() if name is not None}
    return frame.select(**named, fingerprint=frame.hash_rows(seed=0))


def _require(path: Path, where: str, found: list[str], columns: dict[str, str | None]) -> None:
    """Refuse a table without one of the named columns."""
    for name in columns.values():
        if name is None:
            continue
        if name not in found:
            near = get_close_matches(name, found, n=1, cutoff=0.5)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            listed = ", ".join(f"`{column}`" for column in found)
            raise DataError(f"{path}: {where}column `{name}` is missing; the columns found are {listed}{hint}")
        if found.count(name) > 1:
            raise DataError(f"{path}: {where}column `{name}` occurs {found.count(name)} times")


# Separated text --------------------------------------------------------------------------------------------


def _separated(
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
    _require(path, "line 1, ", names, columns)
    body, first_line = (rest, 2) if header is None else (content, 1)

    def records() -> Iterator[tuple[int, list[str]]]:
        return _records(path, body, inner, first_line)

    if not body.strip():
        raise DataError(f"{path}: no interactions in the file")
    unique = [name if names.count(name) == 1 else f"{name}:{index}" for index, name in enumerate(names)]
    schema = dict.fromkeys(unique, pl.String)
    try:
        frame = pl.read_csv(io.BytesIO(body), has_header=False, schema=schema, separator=inner)
    except PolarsError as error:
        _check_widths(path, names, records())
        raise DataError(f"{path}: not a table separated by `{separator}` ({error})") from error
    if frame[unique[-1]].null_count():  # short rows and blank lines look like this, and so do empty last fields
        _check_widths(path, names, records())
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return _picked(frame, path, columns), records


def _separator(path: Path, content: bytes, given: str | None) -> str:
    """The separator: the one named, the one of the file's extension, or the only one that fits the first lines."""
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


# JSON lines ------------------------------------------------------------------------------------------------


def _json_lines(path: Path, columns: dict[str, str | None], block: int) -> pl.DataFrame:
    """Text columns of a file with one JSON object a line; other fields are not kept."""
    schema = {name: pl.String for name in columns.values() if name is not None}
    renamed = {name: key for key, name in columns.items() if name is not None}
    parts = []
    for piece in text_blocks(path, block):
        if not piece.strip():
            continue
        if not parts:
            _require(path, "line 1, ", _first_keys(path, piece), columns)
        try:
            part = pl.read_ndjson(io.BytesIO(piece), schema=schema)
        except PolarsError as error:
            for _ in _json_objects(path, block):
                pass  # raises at the line that is wrong
            raise DataError(f"{path}: not JSON lines ({error})") from error
        lines = pl.read_csv(
            io.BytesIO(piece), separator="\x01", quote_char=None, has_header=False, schema={"line": pl.String}
        ).drop_nulls()
        if len(lines) != len(part):
            raise DataError(f"{path}: not one JSON object a line")
        parts.append(part.rename(renamed).with_columns(fingerprint=lines["line"].hash(seed=0)))
    if not parts:
        raise DataError(f"{path}: no interactions in the file")
    return pl.concat(parts)


def _first_keys(path: Path, piece: bytes) -> list[str]:
    """Field names of the first object."""
    first = piece.lstrip().partition(b"\n")[0]
    return list(_json_object(path, 1, first))


def _json_objects(path: Path, block: int) -> Iterator[int]:
    """Line number of each object, checked one by one; slow, for messages only."""
    line = 0
    for piece in text_blocks(path, block):
        for content in piece.removesuffix(b"\n").split(b"\n"):
            line += 1
            if content.strip():
                _json_object(path, line, content)
                yield line


def _json_object(path: Path, line: int, content: bytes) -> dict[str, object]:
    """The object on a line; NaN and infinity, which are not JSON, are refused with the column that holds them."""
    try:
        value = json.loads(content, parse_constant=str)
    except ValueError as error:
        raise DataError(f"{path}: line {line}, not a JSON object ({error}); one object a line is expected") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: line {line}, not a JSON object but {type(value).__name__}; one object a line is expected")
    for name, field in value.items():
        if field in ("NaN", "Infinity", "-Infinity") and f'"{field}"'.encode() not in content:
            raise DataError(f"{path}: line {line}, column `{name}`, `{field}` is not a finite number")
    return value


# Parquet ---------------------------------------------------------------------------------------------------


def _parquet(path: Path, columns: dict[str, str | None]) -> pl.DataFrame:
    """Text columns of a parquet file."""
    with opened(path) as handle:
        content = handle.read()
    if not content:
        raise DataError(f"{path}: the file is empty")
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except PolarsError as error:
        raise DataError(f"{path}: not a parquet file, or a damaged one ({error})") from error
    _require(path, "", frame.columns, columns)
    flat = [name for name, kind in frame.schema.items() if not kind.is_nested() and kind != pl.Object]
    zoned = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    frame = frame.select(flat).with_columns(
        pl.col(zoned).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    )
    return _picked(frame.with_columns(pl.exclude(pl.Binary).cast(pl.String)), path, columns)

"""Interaction tables: csv, tsv and other separated text, JSON lines, parquet; each also gzipped."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from seqrec.data.errors import DataError
from seqrec.data.readers.columns import checked, first_words, pick, require
from seqrec.data.readers.files import BLOCK, opened, suffix
from seqrec.data.readers.json_lines import object_lines, read_json_lines
from seqrec.data.readers.separated import read_separated


def read_table(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None = None,
    header: Sequence[str] | None = None,
    drop_duplicates: bool = False,
    time_format: str | None = None,
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
        time_format: form of the dates where it is not ISO's, such as ``%d/%m/%Y %H:%M``.
        block: bytes of JSON lines parsed at a time.

    Returns:
        ``user``, ``item``, ``time`` as :func:`seqrec.data.readers.columns.checked` gives them.

    Raises:
        DataError: with file, line (the first is 1), column and value of the first thing wrong.
    """
    named = [name for name in columns.values() if name is not None]
    if set(columns) != {"user", "item", "time"} or None in (columns["user"], columns["item"]):
        raise DataError(f"columns={dict(columns)}: name the columns of user and item, and of time (or null)")
    if len(set(named)) < len(named):
        raise DataError(f"columns={dict(columns)}: user, item and time must be different columns")
    kind = suffix(path)
    place: Callable[[int], str]
    if kind in ("json", "jsonl", "ndjson"):
        raw = read_json_lines(path, columns, block)
        place = lambda row: f"line {_nth(row, object_lines(path, block))}"  # noqa: E731
    elif kind == "parquet":
        raw = _parquet(path, columns)
        place = lambda row: f"row {row + 1}"  # noqa: E731
    else:
        raw, records = read_separated(path, columns, separator, header)
        place = lambda row: f"line {_nth(row, (line for line, _ in records()))}"  # noqa: E731
    return checked(raw, path, columns, place, drop_duplicates, time_format)


def _nth(row: int, lines: Iterator[int]) -> int:
    """Element ``row`` of ``lines``."""
    return next(line for index, line in enumerate(lines) if index == row)


def _parquet(path: Path, columns: dict[str, str | None]) -> pl.DataFrame:
    """Text columns of a parquet file."""
    with opened(path) as handle:
        content = handle.read()
    if not content:
        raise DataError(f"{path}: the file is empty")
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except PolarsError as error:
        raise DataError(f"{path}: not a parquet file, or a damaged one ({first_words(error)})") from error
    require(path, "", frame.columns, columns)
    flat = [name for name, kind in frame.schema.items() if not kind.is_nested() and kind != pl.Object]
    zoned = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    frame = frame.select(flat).with_columns(pl.col(zoned).dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    return pick(frame.with_columns(pl.exclude(pl.Binary).cast(pl.String)), path, columns)

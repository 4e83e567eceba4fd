"""Interaction tables: csv, tsv and other separated text, JSON lines, parquet; each also gzipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError
from seqrec.data.readers.columns import MISSING, checked
from seqrec.data.readers.files import BLOCK, known, suffix
from seqrec.data.readers.json_lines import object_lines, read_json_lines
from seqrec.data.readers.parquet import read_parquet
from seqrec.data.readers.separated import read_separated


def read_table(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None = None,
    header: Sequence[str] | None = None,
    drop_duplicates: bool = False,
    time_format: str | None = None,
    missing: str = "error",
    dropped: Dropped | None = None,
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
        missing: what a row without user, item or time is: ``error``, or ``drop`` leaves it out. Words for no value
            such as ``NULL`` and ``NaN`` count as none; ``keep`` takes them for ids.
        dropped: takes what was left out.
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
    known("data.missing", missing, MISSING)
    kind = suffix(path)
    place: Callable[[int], str]
    if kind in ("json", "jsonl", "ndjson"):
        raw = read_json_lines(path, columns, block)
        place = lambda row: f"line {_nth(row, object_lines(path, block))}"  # noqa: E731
    elif kind == "parquet":
        raw = read_parquet(path, columns)
        place = lambda row: f"row {row + 1}"  # noqa: E731
    else:
        raw, records = read_separated(path, columns, separator, header)
        place = lambda row: f"line {_nth(row, (line for line, _ in records()))}"  # noqa: E731
    return checked(raw, path, columns, place, drop_duplicates, time_format, missing, {} if dropped is None else dropped)


def _nth(row: int, lines: Iterator[int]) -> int:
    """Element ``row`` of ``lines``."""
    return next(line for index, line in enumerate(lines) if index == row)

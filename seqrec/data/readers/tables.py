"""Interaction tables: csv, tsv and other separated text, JSON lines, parquet; each also gzipped."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import polars as pl

from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError, NoInteractions
from seqrec.data.progress import tell, tell_reading
from seqrec.data.readers.columns import MISSING, checked
from seqrec.data.readers.compact import joined
from seqrec.data.readers.files import BLOCK, known, suffix
from seqrec.data.readers.json_lines import object_lines, read_json_lines
from seqrec.data.readers.parquet import read_parquet
from seqrec.data.readers.parts import part_files
from seqrec.data.readers.quotes import AUTO
from seqrec.data.readers.separated import read_separated

logger = logging.getLogger(__name__)


def read_table(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None = None,
    header: Sequence[str] | None = None,
    drop_duplicates: bool = False,
    time_format: str | None = None,
    missing: str = "error",
    quote: str | None = AUTO,
    comment: str | None = None,
    dropped: Dropped | None = None,
    block: int = BLOCK,
    more: Sequence[Path] = (),
) -> pl.DataFrame:
    """Read interactions from a file in file order.

    The format follows the name: ``.json``, ``.jsonl``, ``.ndjson`` (one object a line), ``.parquet``, else
    separated text, each also with ``.gz``.

    Args:
        path: the file; or a folder or a name with ``*``: all of its files, in the order of their names.
        columns: names in the file of ``user``, ``item`` and ``time``; time may be None: file order counts. Also of
            ``rating``, if ratings are to be read.
        separator: of text; None takes ``,`` for ``.csv``, tab for ``.tsv``, and looks at the file otherwise.
        header: column names of a text file without a header line.
        drop_duplicates: drop rows that repeat an earlier one in all fields.
        time_format: form of the dates where it is not ISO's, such as ``%d/%m/%Y %H:%M``.
        missing: what a row without user, item or time is: ``error``, or ``drop`` leaves it out. Words for no value
            such as ``NULL`` and ``NaN`` count as none; ``keep`` takes them for ids.
        quote: of text: the sign that quotes, None if quotes are letters, or
            :data:`~seqrec.data.readers.quotes.AUTO`: double quotes, refused where a row could be several.
        comment: of text: lines that begin so are left out.
        dropped: takes what was left out.
        block: bytes of text parsed at a time.
        more: further files of the same form, each as ``path``, whose rows follow.

    Returns:
        ``user``, ``item``, ``time`` (and ``rating``) as :func:`seqrec.data.readers.columns.checked` gives them; with
        ``more`` also ``part``, 0 for the rows of ``path``, 1 and so on for the others.

    Raises:
        DataError: with file, line (the first is 1), column and value of the first thing wrong.
    """
    named = [name for name in columns.values() if name is not None]
    if set(columns) - {"rating"} != {"user", "item", "time"} or None in (columns["user"], columns["item"]):
        raise DataError(f"columns={dict(columns)}: name the columns of user and item, and of time (or null)")
    if len(set(named)) < len(named):
        raise DataError(f"columns={dict(columns)}: user, item and time must be different columns")
    known("data.missing", missing, MISSING)
    read = partial(_raw, columns=columns, separator=separator, header=header, quote=quote, comment=comment, block=block)
    raw = _all(path, read) if not more else _parts([path, *more], read)
    tell(f"{path}: looking for missing values, duplicates and what the times are", len(raw.frame))
    left_out = {} if dropped is None else dropped
    table = checked(raw.frame, path, columns, raw.place, drop_duplicates, time_format, missing, left_out)
    if raw.fault:
        raise raw.fault
    return table


class _Raw(NamedTuple):
    """A file: its compact columns, the name of a row for messages, and a fault that is raised after all others."""

    file: Path
    frame: pl.DataFrame
    place: Callable[[int], str]
    fault: DataError | None = None


def _raw(
    path: Path,
    columns: dict[str, str | None],
    separator: str | None,
    header: Sequence[str] | None,
    quote: str | None,
    comment: str | None,
    block: int,
) -> _Raw:
    """One file by the format that its name says."""
    kind = suffix(path)
    if kind in ("json", "jsonl", "ndjson"):
        frame = read_json_lines(path, columns, block)
        return _Raw(path, frame, lambda row: f"line {_nth(row, object_lines(path, block))}")
    if kind == "parquet":
        return _Raw(path, read_parquet(path, columns), lambda row: f"row {row + 1}")
    found = read_separated(path, columns, separator, header, quote, comment, block)
    return _Raw(path, found.frame, lambda row: f"line {found.line(row)}", found.fault)


def _all(source: Path, read: Callable[[Path], _Raw]) -> _Raw:
    """A file, or several as one; a row's place then names its file."""
    files = part_files(source)
    tell_reading(source, files)
    if len(files) == 1:
        return read(files[0])
    raws: list[_Raw] = []
    for file in files:
        with suppress(NoInteractions):
            raws.append(read(file))
    if not raws:
        raise NoInteractions(f"{source}: no interactions in any of {len(files)} files")
    logger.info("%s: %d files, from %s to %s", source, len(raws), raws[0].file.name, raws[-1].file.name)
    return _together(source, raws)


def _parts(sources: Sequence[Path], read: Callable[[Path], _Raw]) -> _Raw:
    """Several sources as one, with the number of its source in each row."""
    raws = []
    for number, source in enumerate(sources):
        raw = _all(source, read)
        raws.append(raw._replace(frame=raw.frame.with_columns(part=pl.lit(number, pl.Int8))))
    return _together(sources[0], raws)


def _together(source: Path, raws: Sequence[_Raw]) -> _Raw:
    """Some files as one."""
    starts = list(accumulate((len(raw.frame) for raw in raws), initial=0))

    def place(row: int) -> str:
        index = bisect_right(starts, row) - 1
        return f"{raws[index].file.name}: {raws[index].place(row - starts[index])}"

    fault = next((raw.fault for raw in raws if raw.fault), None)
    return _Raw(source, joined([raw.frame for raw in raws]), place, fault)


def _nth(row: int, lines: Iterator[int]) -> int:
    """Element ``row`` of ``lines``."""
    return next(line for index, line in enumerate(lines) if index == row)

"""Histories of a file, a part at a time: a log, nested lists or a sequence file, in any format that training reads."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seqrec.data.errors import DataError
from seqrec.data.readers.files import known, lf_ended, suffix, text_blocks
from seqrec.data.readers.parts import part_files
from seqrec.data.readers.sequence_lines import read_sequence_lines
from seqrec.data.readers.tables import read_table
from seqrec.serving.frames import COLUMNS
from seqrec.serving.recommend import Ids
from seqrec.serving.tables import nested_histories, numbers_of, ragged

JSON = ("json", "jsonl", "ndjson")
Part = tuple[pl.Series, np.ndarray, np.ndarray]
"""Raw ids of users ``(B,)``, item numbers ``(N,)``, 0 where unknown, and where each history begins, ``(B + 1,)``."""


class Requests(ABC):
    """Users of a file and their histories.

    Attributes:
        rows: how many users.
    """

    rows: int

    @abstractmethod
    def part(self, first: int, size: int) -> Part:
        """At most ``size`` of them, from place ``first`` on."""


class Listed(Requests):
    """Histories that are in memory as numbers: 8 bytes an item."""

    def __init__(self, users: pl.Series, numbers: np.ndarray, offsets: np.ndarray) -> None:
        self.users, self.numbers, self.offsets, self.rows = users, numbers, offsets, len(users)

    def part(self, first: int, size: int) -> Part:
        """See :meth:`Requests.part`."""
        offsets = self.offsets[first : first + size + 1]
        return self.users[first : first + size], self.numbers[offsets[0] : offsets[-1]], offsets - offsets[0]


class NestedParquet(Requests):
    """Lists in parquet files, of which no more than a part is in memory."""

    def __init__(self, files: Sequence[Path], user: str, item: str, ids: Ids) -> None:
        self.lines = pl.scan_parquet(list(files)).select(user=pl.col(user), items=pl.col(item))
        self.ids = ids
        self.rows = int(self.lines.select(pl.len()).collect().item())

    def part(self, first: int, size: int) -> Part:
        """See :meth:`Requests.part`."""
        table = self.lines.slice(first, size).collect()
        return table["user"], *ragged(table["items"], self.ids)


def digest(path: Path) -> str:
    """SHA-256 of what stands in a file, or in all files of a folder."""
    found = hashlib.sha256()
    for file in part_files(path):
        with file.open("rb") as handle:
            found.update(hashlib.file_digest(handle, "sha256").digest())
    return found.hexdigest()


def open_requests(path: Path, columns: Mapping[str, str | None], ids: Ids, reading: Mapping[str, Any]) -> Requests:
    """The histories of a file.

    Args:
        path: csv, tsv and the like, JSON lines, parquet, each also a folder of them, or a sequence file. JSON lines and
            parquet may hold one line a user with a list of items.
        columns: names in the file of ``user``, ``item`` and ``time``; time may be None: file order counts.
        ids: of the items.
        reading: ``format`` (``table`` or ``sequences``; None takes ``.txt`` for sequences) and options of
            :func:`~seqrec.data.readers.tables.read_table`.

    Raises:
        DataError: what is wrong with the file, and where.
    """
    options = dict(reading)
    files = part_files(path)
    kind = suffix(files[0])
    form = options.pop("format", None) or ("sequences" if kind == "txt" else "table")
    if known("format", form, ("table", "sequences")) == "sequences":
        if len(files) > 1:
            raise DataError(f"{path}: sequences are read from one file; task.read.format=table reads several")
        lines = read_sequence_lines(files[0])
        numbers = numbers_of(pl.Series(lines.items), ids)
        return Listed(pl.Series(lines.users), numbers, np.concatenate([[0], lines.counts.cumsum()]))
    try:
        user, item = str(columns["user"]), str(columns["item"])
        if files[0].name.lower().endswith(".parquet") and _is_nested_parquet(files[0], user, item):
            return NestedParquet(files, user, item, ids)
        if kind in JSON and _is_nested_json(files[0], item):
            return _nested_json(files, user, item, ids)
        log = read_table(path, dict(columns), **options)
    except DataError as error:
        raise DataError(_in_words_of_the_task(str(error))) from None
    log = log.with_columns(item=numbers_of(log["item"], ids))
    lists = nested_histories(log, COLUMNS)
    lengths = lists["items"].list.len().to_numpy().astype(np.int64)
    return Listed(lists["user"], lists["items"].explode().to_numpy(), np.concatenate([[0], lengths.cumsum()]))


def _in_words_of_the_task(message: str) -> str:
    """A message of the readers, which name the options of a data set, with those that are given here."""
    return re.sub(r"\bdata\.(?=columns)", "task.", re.sub(r"\bdata\.(?!columns)(?=\w+=)", "task.read.", message))


def _is_nested_parquet(file: Path, user: str, item: str) -> bool:
    try:
        schema = pl.read_parquet_schema(file)
    except (pl.exceptions.PolarsError, OSError):
        return False  # what is wrong is said by whoever reads it as a log
    return isinstance(schema.get(item), pl.List | pl.Array) and user in schema


def _is_nested_json(file: Path, item: str) -> bool:
    first = next((line for block in text_blocks(file) for line in lf_ended(block).split(b"\n") if line.strip()), b"")
    try:
        value = json.loads(first)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get(item), list)


def _nested_json(files: Sequence[Path], user: str, item: str, ids: Ids) -> Listed:
    """Lines ``{"user": ..., "item": [...]}``; users are text unless all of them are whole numbers."""
    users: list[Any] = []
    numbers = []
    for file in files:
        place = 0
        for block in text_blocks(file):
            for line in lf_ended(block).removesuffix(b"\n").split(b"\n"):
                place += 1
                if line.strip():
                    who, what = _fields(line, f"{file}: line {place}", user, item)
                    users.append(who)
                    numbers.append(ids.numbers(what))
    whole = all(isinstance(who, int) for who in users)
    lengths = np.array([len(row) for row in numbers], dtype=np.int64)
    names = pl.Series(users, dtype=pl.Int64) if whole else pl.Series([str(who) for who in users])
    return Listed(names, np.concatenate(numbers), np.concatenate([[0], lengths.cumsum()]))


def _fields(line: bytes, where: str, user: str, item: str) -> tuple[Any, list[Any]]:
    """User and items of a line."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}, not a JSON object ({error})") from None
    if not isinstance(value, dict) or not {user, item} <= set(value) or not isinstance(value[item], list):
        raise DataError(f"{where}: an object with {user!r} and a list {item!r} is expected, as on the first line")
    if isinstance(value[user], list | dict | bool | float) or value[user] is None:
        raise DataError(f"{where}: {user!r} is {value[user]!r}; an id is text or a whole number")
    return value[user], value[item]

"""Lines of a sequence file, ``user item item ...``, as numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqrec.data.errors import DataError
from seqrec.data.readers.files import lf_ended, text

_DIGITS = 18  # of the largest id; any number of so many digits fits int64


class SequenceLines(NamedTuple):
    """One line a user.

    Attributes:
        users: ``(U,)`` int64, distinct.
        counts: ``(U,)``, items of each.
        items: ``(N,)`` int64, of all users one after the other.
    """

    users: np.ndarray
    counts: np.ndarray
    items: np.ndarray


def read_sequence_lines(path: Path) -> SequenceLines:
    """Read ``user item item ...`` lines, plain or ``.gz``, blank- or tab-separated.

    Raises:
        DataError: empty, truncated or binary file; an id that is not a positive integer; a user on two lines or without
            items.
    """
    content = np.frombuffer(lf_ended(text(path)), dtype=np.uint8)
    values, line_starts = _numbers(path, content)
    if not len(values):
        raise DataError(f"{path}: no interactions in the file")
    counts = np.diff(np.append(line_starts, len(values))) - 1
    users = values[line_starts]
    if (values == 0).any() or (counts == 0).any() or len(np.unique(users)) < len(users):
        raise _fault(path, content)
    return SequenceLines(users, counts, np.delete(values, line_starts))


def _numbers(path: Path, content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the file, int64, and which of them are the first of a line.

    Reads the digits of all numbers in parallel, place by place.
    """
    blank = (content == 32) | (content == 9) | (content == 10)
    if not (blank | ((content >= 48) & (content <= 57))).all():
        raise _fault(path, content)
    inside = ~blank
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    length = stops - starts
    longest = int(length.max(initial=0))
    if longest > _DIGITS:
        raise _fault(path, content)
    values = np.zeros(len(starts), dtype=np.int64)
    for place in range(longest):  # the digit of weight 10 ** place
        has = np.flatnonzero(length > place) if place else slice(None)
        values[has] += (content[stops[has] - 1 - place].astype(np.int64) - 48) * 10**place
    newlines = np.flatnonzero(content == 10)
    line = np.searchsorted(newlines, starts)
    return values, np.flatnonzero(np.diff(line, prepend=-1))


def _fault(path: Path, content: np.ndarray) -> DataError:
    """The first thing wrong in a file that is known to be wrong; slow."""
    seen: dict[int, int] = {}
    lines = content.tobytes().decode().split("\n")
    for number, line in enumerate(lines, start=1):
        fields = [field for field in re.split(r"[ \t]", line) if field]
        for column, field in enumerate(fields, start=1):
            problem = _problem(field)
            if problem:
                return DataError(f"{path}: line {number}, field {column}, {problem}")
        if not fields:
            continue
        user = int(fields[0])
        if user in seen:
            return DataError(
                f"{path}: line {number}, user {user} already appeared on line {seen[user]} "
                f"(the format allows one line per user){_as_table(lines)}"
            )
        if len(fields) == 1:
            return DataError(f"{path}: line {number}, user {user} has no items (format: user item item ...)")
        seen[user] = number
    return DataError(f"{path}: not a sequence file (user item item ..., separated by blanks)")


def _as_table(lines: list[str]) -> str:
    """How a file with one interaction a line is read, if this looks like one."""
    widths = {len(line.split()) for line in lines if line.strip()}
    header = {2: "[user,item] data.columns.time=null", 3: "[user,item,time]"}
    if len(widths) != 1 or not widths <= set(header):
        return ""
    return f"; one interaction a line is read with data.format=table data.header={header[widths.pop()]}"


def _visible(field: str) -> str:
    """A field without signs that would break the message."""
    return field if field.isprintable() else repr(field)[1:-1]


def _problem(field: str) -> str | None:
    """What is wrong with one field, None if it is a positive integer."""
    digits = field.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return f"`{_visible(field)}` is not an integer id (a sequence file has lines of: user item item ...)"
    if field != digits:
        return f"`{field}`: ids must be positive"
    if len(digits) > _DIGITS:
        return f"`{field}`: id too large, at most {_DIGITS} digits"
    return None if int(digits) else "id 0 is reserved for padding; ids must be positive"

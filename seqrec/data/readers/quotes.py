"""Quotes in separated text: which line breaks end a row, and which quotes are only letters such as inch marks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqrec.data.errors import DataError

logger = logging.getLogger(__name__)

AUTO = "auto"
"""Quotes as in csv files, but refused where a row could as well be several rows."""


class Rows(NamedTuple):
    """The rows of a text.

    Attributes:
        body: lines ended by LF, in which all quotes pair.
        quote: the sign that quotes, None if none does.
        stray: whether the text had quotes that do not pair.
    """

    body: bytes
    quote: str | None
    stray: bool = False


def rows(path: Path, body: bytes, first_line: int, separator: str, quote: str | None, width: int) -> Rows:
    """Settle what the quotes of a text mean.

    Args:
        path: the file, for messages.
        body: lines ended by LF, without the header.
        first_line: number of its first line.
        separator: one character.
        quote: one character, None if quotes are letters, or :data:`AUTO`.
        width: number of columns.

    Raises:
        DataError: lines that are one row or several, as one takes their quotes; quotes that make no sense.
    """
    sign, content, at, paired = _signs(body, separator, quote)
    if sign is None:
        return Rows(body, None)
    if not paired:
        return Rows(_paired(path, body, first_line, separator, sign, width), sign, stray=True)
    inside = _quoted_breaks(content, at)
    starts = np.flatnonzero(inside & ~np.concatenate([[False], inside[:-1]]))
    if len(starts):
        ends = np.flatnonzero(~inside & np.concatenate([[False], inside[:-1]]))
        if quote == AUTO:
            _refuse_ambiguous(path, body.split(b"\n"), starts, ends, first_line, separator, sign, width)
        first = first_line + int(starts[0])
        logger.warning(
            "%s: %d rows have line breaks in quotes and span several lines, first on line %d", path, len(starts), first
        )
    return Rows(body, sign)


def line_rows(body: bytes, separator: str, quote: str | None) -> Rows | None:
    """The rows of a text if each line is one, whatever lines come before or after; else None, and :func:`rows` decides.

    Args:
        body, separator, quote: as of :func:`rows`.
    """
    sign, content, at, paired = _signs(body, separator, quote)
    return Rows(body, sign) if sign is None or (paired and not _quoted_breaks(content, at).any()) else None


_Places = np.ndarray[Any, np.dtype[np.int64]]


def _signs(body: bytes, separator: str, quote: str | None) -> tuple[str | None, np.ndarray, _Places, bool]:
    """The sign that quotes, None if it does not occur; the text as bytes, where the signs are, whether they pair."""
    sign = '"' if quote == AUTO else quote
    if sign is None or sign.encode() not in body:
        return None, np.zeros(0, np.uint8), np.zeros(0, np.int64), True
    content = np.frombuffer(b"\n" + body + b"\n", dtype=np.uint8)
    at = np.flatnonzero(content == ord(sign))
    edge = [ord(separator), ord("\n"), ord(sign)]
    paired = (
        len(at) % 2 == 0 and np.isin(content[at[::2] - 1], edge).all() and np.isin(content[at[1::2] + 1], edge).all()
    )
    return sign, content, at, bool(paired)


def _quoted_breaks(content: np.ndarray, at: _Places) -> np.ndarray:
    """Which line breaks, but for the first, stand between a quote and its partner."""
    return np.searchsorted(at, np.flatnonzero(content == ord("\n"))[1:]) % 2 == 1


def _refuse_ambiguous(
    path: Path, lines: list[bytes], starts: np.ndarray, ends: np.ndarray,
    first_line: int, separator: str, sign: str, width: int,
) -> None:  # fmt: skip
    """Refuse a row of several lines each of which is a whole row if its quotes are letters."""
    for start, end in zip(starts, ends, strict=True):
        if all(len(fields(line.decode(), separator, sign)) == width for line in lines[start : end + 1]):
            raise DataError(
                f"{path}: lines {first_line + start} to {first_line + end} are one row if {sign} quotes, and "
                f"{end - start + 1} rows if it is a letter; set data.quote=null for letters, "
                f"\"data.quote='{sign}'\" for quotes"
            )


def _paired(path: Path, body: bytes, first_line: int, separator: str, sign: str, width: int) -> bytes:
    """The same rows with all quotes paired; each line must be a row by itself."""
    lines = body.split(b"\n")
    for index, line in enumerate(lines):
        if sign.encode() in line:
            found = fields(line.decode(), separator, sign)
            if len(found) != width:
                raise DataError(
                    f"{path}: line {first_line + index}, {len(found)} fields where {width} are expected, and the "
                    f"quotes {sign} of the file do not pair; data.quote=null takes them for letters"
                )
            quoted = (sign + field.replace(sign, sign * 2) + sign for field in found)
            lines[index] = separator.join(quoted).encode()
    return b"\n".join(lines)


def fields(line: str, separator: str, quote: str | None) -> list[str]:
    """The fields of one row; a quote counts where it opens a field and its partner closes it, else it is a letter."""
    if quote is None or quote not in line:
        return line.split(separator)
    found, place, form = [], 0, _quoted(separator, quote)
    while True:
        match = form.match(line, place)
        if match:
            found.append(match[1].replace(quote * 2, quote))
            place = match.end()
        else:
            end = line.find(separator, place)
            end = len(line) if end < 0 else end
            found.append(line[place:end])
            place = end
        if place >= len(line):
            return found
        place += len(separator)


@cache
def _quoted(separator: str, quote: str) -> re.Pattern[str]:
    sign, mark = re.escape(quote), re.escape(separator)
    return re.compile(rf"{sign}((?:[^{sign}]|{sign}{sign})*){sign}(?={mark}|\Z)")


def records(found: Rows, separator: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of each row, blank lines left out; slow, for messages only."""
    begin, row = first_line, ""
    for number, line in enumerate(found.body.decode().split("\n"), start=first_line):
        row = f"{row}\n{line}" if row else line
        if found.quote is not None and row.count(found.quote) % 2:
            continue
        if row:
            yield begin, fields(row, separator, found.quote)
        begin, row = number + 1, ""

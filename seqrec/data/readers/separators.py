"""Which separator a text has: as named, by its extension, or the only one that fits."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from seqrec.data.errors import DataError
from seqrec.data.readers.files import suffix
from seqrec.data.readers.quotes import fields

logger = logging.getLogger(__name__)

SEPARATORS = ("::", "\t", ";", "|", ",", " ")
"""Separators that are recognised; any other can be named."""
RUNS = r"\s+"
"""Any number of blanks and tabs."""
_HOW = "name it, such as \"data.separator=';'\""


def choose(
    path: Path, lines: Sequence[str], given: str | None, named: Collection[str], header: Sequence[str] | None
) -> str:
    """The separator of a text.

    Args:
        path: the file; ``.csv`` and ``.tsv`` say which separator is expected.
        lines: its first lines, none blank.
        given: the separator that was asked for, None to find it.
        named: columns that the header line must have.
        header: the columns of a text without header line.

    Raises:
        DataError: none fits, or several do.
    """
    if given is not None:
        return given.replace("\\t", "\t") if given != RUNS else RUNS
    if suffix(path) in ("csv", "tsv"):
        expected = "," if suffix(path) == "csv" else "\t"
        return (
            expected
            if _fits(lines[:1], expected, named, header)
            else _mislabelled(path, lines, expected, named, header)
        )
    counts = {mark: {line.count(mark) for line in lines} for mark in SEPARATORS}
    fitting = [mark for mark, found in counts.items() if len(found) == 1 and 0 not in found]
    marks = [mark for mark in fitting if mark != " "] or fitting
    if not marks and lines and len({len(line.split()) for line in lines}) == 1 and len(lines[0].split()) > 1:
        return RUNS
    if len(marks) != 1 and header is None:  # texts may hold any mark; the header line decides
        narrowed = [mark for mark in marks or SEPARATORS if _fits(lines[:1], mark, named, None)]
        marks = narrowed or marks
    if len(marks) != 1:
        raise DataError(f"{path}: cannot tell the separator (candidates: {_listed(marks)}); {_HOW}")
    return marks[0]


def _mislabelled(
    path: Path, lines: Sequence[str], expected: str, named: Collection[str], header: Sequence[str] | None
) -> str:
    """Another separator with which the file is a table with the named columns; ``expected`` if there is none."""
    marks = [mark for mark in SEPARATORS if mark not in (" ", expected) and _fits(lines, mark, named, header)]
    if len(marks) > 1:
        raise DataError(f"{path}: cannot tell the separator (candidates: {_listed(marks)}); {_HOW}")
    if not marks:
        return expected
    logger.warning("%s: separated by %r, not by %r as its name says; it is read so", path, marks[0], expected)
    return marks[0]


def _fits(lines: Sequence[str], mark: str, named: Collection[str], header: Sequence[str] | None) -> bool:
    """Whether the lines have equally many fields, among them the named columns."""
    rows = [fields(line, mark, '"') for line in lines]
    names = header if header is not None else [field.strip() for field in rows[0]] if rows else []
    return len(names) > 1 and set(named) <= set(names) and {len(row) for row in rows} == {len(names)}


def _listed(marks: Sequence[str]) -> str:
    return ", ".join(f"`{mark}`" for mark in marks) or "none"


def one_column(path: Path, number: int, line: str, separator: str) -> str:
    """Message for a first line that the separator does not split."""
    comment = next((mark for mark in ("#", "//", "--", "%", ";") if line.startswith(mark)), None)
    if comment is not None:
        return (
            f"{path}: line {number}, `{line[:60]}` looks like a comment; "
            f"\"data.comment='{comment}'\" leaves out lines that begin with `{comment}`"
        )
    other = max(SEPARATORS, key=line.count)
    looks = f"; the file looks separated by `{other}`: set \"data.separator='{other}'\"" if other in line else ""
    return f"{path}: line {number}, only one column found with separator `{separator}`{looks}"

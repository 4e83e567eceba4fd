"""The lines of a separated text, made plain: comments and blank lines are empty, separators are one character."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from seqrec.data.readers.files import lf_ended
from seqrec.data.readers.separators import RUNS

logger = logging.getLogger(__name__)

_INNER = "\x1f"  # stands for separators of several characters, which the csv parser does not take


class Comments:
    """Makes comments blank, so that the other lines keep their numbers, or counts lines that may be comments.

    Args:
        sign: what comments begin with; None where there are none.
    """

    def __init__(self, sign: str | None) -> None:
        self.sign = sign
        self.lines, self.marked, self.first = 0, 0, 0

    def blanked(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pieces of whole lines, ended by LF, without comments."""
        for piece in map(lf_ended, pieces):
            if self.sign:
                yield re.sub(rb"(?m)^[ \t]*" + re.escape(self.sign.encode()) + rb".*$", b"", piece)
                continue
            opening = self.lines > 0 and piece.startswith(b"#")
            marks = piece.count(b"\n#") + opening
            if marks and not self.marked:
                self.first = 1 + self.lines if opening else 2 + self.lines + piece.count(b"\n", 0, piece.index(b"\n#"))
            self.marked, self.lines = self.marked + marks, self.lines + piece.count(b"\n")
            yield piece

    def warn(self, path: Path) -> None:
        """Say so where some lines, not most, look like comments."""
        if 0 < self.marked < self.lines / 2:
            logger.warning(
                "%s: %d lines begin with `#`, first on line %d; if they are comments, \"data.comment='#'\" leaves them "
                "out",
                path, self.marked, self.first,
            )  # fmt: skip


def blank(content: bytes, tabs: bool) -> bytes:
    """The text with lines of blanks, and of tabs too if asked for, as empty lines."""
    for mark in (b" ", b"\t") if tabs else (b" ",):
        if content.startswith(mark) or b"\n" + mark in content:  # looking first is faster than replacing
            return re.sub(rb"(?m)^[ \t]+$" if tabs else rb"(?m)^ +$", b"", content)
    return content


def one_character(separator: str) -> str:
    """What stands for a separator in :func:`separated`."""
    return _INNER if separator == RUNS or len(separator.encode()) > 1 else separator


def separated(separator: str, content: bytes) -> bytes:
    """The text with its separator as one character of one byte."""
    if separator == RUNS:
        trimmed = re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", content)
        return re.sub(rb"[ \t]+", _INNER.encode(), trimmed)
    inner = one_character(separator)
    return content if inner == separator else content.replace(separator.encode(), inner.encode())

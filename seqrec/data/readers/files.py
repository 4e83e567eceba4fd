"""Bytes of plain and gzip files, checked to be whole and to be text."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO

from seqrec.data.errors import DataError

BLOCK = 1 << 26
"""Bytes read at a time."""


def suffix(path: Path) -> str:
    """Lower-case file extension without the dot, ``.gz`` not counted: ``csv`` for ``a.CSV.gz``."""
    name = path.name.lower().removesuffix(".gz")
    return name.rpartition(".")[2] if "." in name else ""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The uncompressed content of ``path`` (gzip if its name ends in ``.gz``) for reading.

    Raises:
        DataError: no such file, not readable, or a truncated or corrupt gzip; also while it is being read.
    """
    compressed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if compressed else path.open("rb") as handle:
            yield handle  # type: ignore[misc]
    except EOFError as error:
        raise DataError(
            f"{path}: the file ends too early (truncated or corrupt gzip); fetch or write it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: not a gzip file, or a corrupt one ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def text_blocks(path: Path, size: int = BLOCK) -> Iterator[bytes]:
    """Pieces of a UTF-8 text file, each of whole lines, without byte order mark.

    Args:
        path: the file, plain or ``.gz``.
        size: bytes read at a time.

    Raises:
        DataError: the file cannot be read, is empty, or is not text (a NUL byte or bytes that are not UTF-8).
    """
    rest, line, empty = b"", 1, True
    with opened(path) as handle:
        while piece := handle.read(size):
            piece = piece.removeprefix(b"\xef\xbb\xbf") if empty else piece
            empty = False
            piece = rest + piece
            if b"\0" in piece:
                raise DataError(_not_text(path, piece, piece.index(b"\0"), line))
            cut = piece.rfind(b"\n") + 1
            rest = piece[cut:]
            if cut:
                yield _text(path, piece[:cut], line)
                line += piece.count(b"\n")
    if empty:
        raise DataError(f"{path}: the file is empty")
    if rest:
        yield _text(path, rest, line)


def text(path: Path) -> bytes:
    """The whole content of a UTF-8 text file, checked as :func:`text_blocks` does."""
    return b"".join(text_blocks(path))


def lf_ended(content: bytes) -> bytes:
    """The same lines, each ended by LF: those that end with CR (old spreadsheets) or CR LF as well."""
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content


def _text(path: Path, piece: bytes, line: int) -> bytes:
    """``piece`` itself if it is UTF-8; ``line`` is the number of its first line."""
    try:
        if not piece.isascii():
            piece.decode()
    except UnicodeDecodeError as error:
        raise DataError(_not_text(path, piece, error.start, line)) from error
    return piece


def _not_text(path: Path, piece: bytes, position: int, line: int) -> str:
    """Message about the byte at ``position`` of a piece that begins with line ``line``."""
    line += piece.count(b"\n", 0, position)
    return f"{path}: line {line}, byte 0x{piece[position]:02x}: not a text file (UTF-8 is expected)"


def known(argument: str, value: str, allowed: Collection[str]) -> str:
    """``value`` if it is allowed.

    Raises:
        DataError: with the allowed values and the nearest one.
    """
    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise DataError(f"{argument}={value!r} is not one of {', '.join(allowed)}{hint}")

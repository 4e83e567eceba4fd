"""Downloads that resume, are checked, and appear whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import logging
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from seqrec.data.errors import DataError

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20


def download(url: str, target: Path, md5: str | None = None, lines: int | None = None, timeout: float = 30.0) -> Path:
    """Fetch ``url`` to ``target`` unless it is there; an interrupted download goes on where it stopped.

    Args:
        url: what to fetch.
        target: the file to make; its folder is made too. While incomplete it is called ``<target>.part``.
        md5: checksum of the file, None if not known.
        lines: number of lines of the (gzip) file, None not to count them.
        timeout: seconds to wait for the server.

    Returns:
        ``target``.

    Raises:
        DataError: no connection, or not the expected content. Says what to fetch by hand and where to put it.
    """
    if target.is_file():
        return target
    part = target.with_name(target.name + ".part")
    by_hand = f"fetch {url} by hand and put it at {target}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        logger.info("downloading %s to %s", url, target)
        complete = _fetch(url, part, timeout)
    except urllib.error.HTTPError as error:
        raise DataError(f"{url}: the server answers {error.code} {error.reason}; {by_hand}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{url}: download failed ({reason}); run again to resume, or {by_hand}") from error
    if not complete:
        raise DataError(f"{url}: the connection ended early; run again to resume, or {by_hand}")
    problem = _problem(part, md5, lines, zipped=target.suffix == ".gz")
    if problem:
        part.unlink()
        raise DataError(f"{url}: {problem}; the download was removed: run again, or {by_hand}")
    part.replace(target)
    return target


def extract(archive: Path, member: str, target: Path) -> Path:
    """Unpack one file of a zip archive to ``target`` unless it is there.

    Raises:
        DataError: not a zip archive, a damaged one, or one without ``member``.
    """
    if target.is_file():
        return target
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as inner, part.open("wb") as out:
            shutil.copyfileobj(inner, out)
    except KeyError as error:
        raise DataError(f"{archive}: has no file {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{archive}: a damaged zip archive ({error}); remove it and run again") from error
    part.replace(target)
    return target


def _fetch(url: str, part: Path, timeout: float) -> bool:
    """Append what is missing to ``part``; True if the server sent all that it announced."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:  # 416: nothing after what is here, or another file by now
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return True
        part.unlink()
        return _fetch(url, part, timeout)
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        announced = response.headers.get("Content-Length")
        received = 0
        with part.open("ab" if resumed else "wb") as out:
            while chunk := response.read(_CHUNK):
                out.write(chunk)
                received += len(chunk)
    return announced is None or received == int(announced)


def _problem(part: Path, md5: str | None, lines: int | None, zipped: bool) -> str | None:
    """Why a complete download is not the expected file, None if it is."""
    if md5 is not None:
        with part.open("rb") as handle:
            found = hashlib.file_digest(handle, "md5").hexdigest()
        if found != md5:
            return f"md5 {found} where {md5} is expected"
    if lines is not None:
        try:
            with gzip.open(part) if zipped else part.open("rb") as handle:
                counted = sum(1 for _ in handle)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            return f"not a whole gzip file ({error})"
        if counted != lines:
            return f"{counted} lines where {lines} are expected"
    return None

"""Downloads, checked before they appear in the folder of downloads, and files out of zip archives."""

from __future__ import annotations

import gzip
import shutil
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

from seqrec.data.errors import DataError

_RETRIES = 1


def download(url: str, target: Path, md5: str | None = None, lines: int | None = None, timeout: float = 30.0) -> Path:
    """Fetch ``url`` to ``target`` unless it is there.

    The file gets its name only when it is complete and as expected; until then it has a temporary one beside it.

    Args:
        url: what to fetch.
        target: the file to make; its folder is made too.
        md5: checksum of the file, None if not known.
        lines: number of lines of the (gzip) file, None not to count them.
        timeout: seconds to wait for the server.

    Returns:
        ``target``.

    Raises:
        DataError: no connection, not the expected content, or no place to write to. Says what to fetch by hand and
            where to put it.
    """
    if target.is_file():
        return target
    import pooch  # here, because a run whose data is in place needs none of it
    import requests

    http = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        timeout=timeout,
        headers={"Accept-Encoding": "identity"},
        hooks={"response": _as_stored},
    )

    def fetch(address: str, part: str, cache: Any) -> None:
        http(address, part, cache)
        if lines is not None:
            _check_lines(Path(part), lines, zipped=target.suffix == ".gz")
        Path(part).chmod(0o644)  # pooch's temporary files are for their owner only; a cache may be shared

    cache = pooch.create(
        path=target.parent,
        base_url="",
        registry={target.name: md5 and f"md5:{md5}"},
        urls={target.name: url},
        retry_if_failed=_RETRIES,
    )
    by_hand = f"run again, or fetch {url} by hand and put it at {target}"
    try:
        cache.fetch(target.name, downloader=fetch)
    except requests.HTTPError as error:
        answer: Any = error.response
        raise DataError(f"{url}: the server answers {answer.status_code} {answer.reason}; {by_hand}") from error
    except OSError as error:  # those of requests are OSErrors, too
        raise DataError(f"{url}: download failed ({_root(error)}); {by_hand}") from error
    except ValueError as error:  # of a check; pooch has removed the file
        raise DataError(f"{url}: {str(error).partition('. ')[0]}; {by_hand}") from error
    return target


def extract(archive: Path, member: str, target: Path) -> Path:
    """Unpack one file of a zip archive to ``target`` unless it is there.

    Raises:
        DataError: not a zip archive, a damaged one, one without ``member``, or no place to write to.
    """
    if target.is_file():
        return target
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as inner, part.open("wb") as out:
            shutil.copyfileobj(inner, out)
        part.replace(target)
    except KeyError as error:
        raise DataError(f"{archive}: has no file {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{archive}: a damaged zip archive ({error}); remove it and run again") from error
    except OSError as error:
        raise DataError(
            f"{archive}: cannot be unpacked to {target} ({error.strerror or error}); make room there, or set "
            "data.cache_dir to another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _as_stored(response: Any, **_: Any) -> None:
    """Keep the bytes of a ``.gz`` file; some servers call it a compressed transfer, which would be unpacked."""
    response.raw.headers.pop("Content-Encoding", None)


def _check_lines(part: Path, lines: int, zipped: bool) -> None:
    """Refuse a downloaded file with another number of lines."""
    try:
        with gzip.open(part) if zipped else part.open("rb") as handle:
            counted = sum(1 for _ in handle)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"not a whole gzip file ({error})") from error
    if counted != lines:
        raise ValueError(f"{counted} lines where {lines} are expected")


def _root(error: BaseException) -> BaseException:
    """The first cause, such as "Connection refused"; the errors around it repeat the address and object names."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return error

"""Where the files of a data set are: in the user's folder, among earlier downloads, or on a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqrec.data.errors import DataError
from seqrec.data.home import expanded
from seqrec.data.sets.download import download, extract


@dataclass(frozen=True)
class Source:
    """One file of a data set.

    Attributes:
        files: its names, the preferred one first; each is also looked for with ``.gz``.
        folders: the folders below ``data.root`` in which it may be, ``""`` for ``data.root`` itself.
        url: where it can be downloaded, None if it cannot.
        member: its name in the zip archive at ``url``, None if ``url`` is the file itself.
        md5: checksum of what is downloaded, None if not known.
        lines: number of lines of what is downloaded, None not to count them.
    """

    files: Sequence[str]
    folders: Sequence[str] = ("",)
    url: str | None = None
    member: str | None = None
    md5: str | None = None
    lines: int | None = None

    def is_at(self, path: Path) -> bool:
        """Whether ``path`` has one of the names of this file."""
        return path.name.removesuffix(".gz") in self.files

    def under(self, root: Path) -> Path | None:
        """The file in one of its folders below ``root``, None if there is none."""
        return _first(root / folder / name for name in self.files for folder in self.folders)

    def downloaded(self, downloads: Path) -> Path | None:
        """The file of an earlier download, taken out of its archive if need be; None if there is none."""
        if self.url is None or self.member is None:
            return _first(downloads / name for name in self.files)
        found, archive = _first([downloads / self.member]), downloads / _name(self.url)
        return extract(archive, self.member, downloads / self.member) if found is None and archive.is_file() else found

    def fetched(self, downloads: Path) -> Path:
        """The file, downloaded from ``url``.

        Raises:
            DataError: the download failed, or is not what is expected.
        """
        assert self.url is not None
        path = download(self.url, downloads / _name(self.url), md5=self.md5, lines=self.lines)
        return path if self.member is None else extract(path, self.member, downloads / self.member)


@dataclass(frozen=True)
class Folders:
    """The folders in which a data set may be.

    Attributes:
        root: the user's folder, ``data.root``; None if there is none.
        downloads: where downloads are kept.
    """

    root: str | None
    downloads: Path

    def find(self, *sources: Source) -> Path | None:
        """The first of ``sources`` that is in the user's folder, else the first among the downloads, else None.

        Raises:
            DataError: ``root`` is given but is not a folder.
        """
        if self.root:  # an environment variable may be empty
            root = expanded(self.root, "data.root")
            if not root.is_dir():
                raise DataError(
                    f"data.root={self.root!r} is not a folder; name the one that holds the data set, or set it to null"
                )
            found = _first_of(source.under(root) for source in sources)
            if found is not None:
                return found
        return _first_of(source.downloaded(self.downloads) for source in sources)

    def locate(self, *sources: Source) -> Path | None:
        """As :meth:`find`, but what is not there is downloaded: the first of ``sources`` that has a ``url``.

        Raises:
            DataError: ``root`` is given but is not a folder; a failed download.
        """
        found = self.find(*sources)
        if found is None:
            found = _first_of(source.fetched(self.downloads) for source in sources if source.url is not None)
        return found

    def find_all(self, *sources: Source) -> Sequence[Path]:
        """Where each of ``sources`` is; nothing if one of them is missing."""
        found = [self.find(source) for source in sources]
        return [path for path in found if path is not None] if None not in found else []


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _first(paths: Iterable[Path]) -> Path | None:
    """The first of ``paths`` that exists, each also with ``.gz``."""
    return next((path for plain in paths for path in (plain, Path(f"{plain}.gz")) if path.is_file()), None)


def _first_of(found: Iterable[Path | None]) -> Path | None:
    """The first that is not None; those after it are not looked for."""
    return next((path for path in found if path is not None), None)

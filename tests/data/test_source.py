"""Where a data set's files are found: in the user's folder, among the downloads, in an archive, nowhere."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from seqrec.data.errors import DataError
from seqrec.data.sets.source import Folders, Source

LOG = Source(["log.csv", "old_log.csv"], ["", "raw"])
PREPARED = Source(["ready.txt"], ["sequences", ""])
PACKED = Source(["films.dat"], url="http://nowhere.invalid/all.zip", member="all/films.dat")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("root", "downloads"):
        (tmp_path / name).mkdir()
    return Folders(str(tmp_path / "root"), tmp_path / "downloads")


def put(folder: Path | str | None, name: str) -> Path:
    assert folder is not None
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_the_preferred_name_then_the_preferred_folder(folders: Folders) -> None:
    last = put(folders.root, "raw/old_log.csv.gz")
    assert folders.find(LOG) == last
    better = put(folders.root, "raw/log.csv.gz")
    assert folders.find(LOG) == better
    plain = put(folders.root, "raw/log.csv")
    assert folders.find(LOG) == plain
    best = put(folders.root, "log.csv")
    assert folders.find(LOG) == best


def test_the_first_source_in_the_users_folder_before_all_downloads(folders: Folders) -> None:
    assert folders.find(PREPARED, LOG) is None
    downloaded = put(folders.downloads, "ready.txt")
    assert folders.find(PREPARED, LOG) == downloaded
    own = put(folders.root, "log.csv")
    assert folders.find(PREPARED, LOG) == own
    prepared = put(folders.root, "sequences/ready.txt")
    assert folders.find(PREPARED, LOG) == prepared
    assert Folders(None, folders.downloads).find(PREPARED, LOG) == downloaded


def test_out_of_an_archive_that_was_downloaded_before(folders: Folders) -> None:
    assert folders.find(PACKED) is None
    with zipfile.ZipFile(folders.downloads / "all.zip", "w") as archive:
        archive.writestr("all/films.dat", "1::A::Drama\n")
    for _ in range(2):
        found = folders.locate(PACKED)
        assert found == folders.downloads / "all" / "films.dat"
        assert found.read_text() == "1::A::Drama\n"


def test_nothing_to_download(folders: Folders) -> None:
    assert folders.locate(LOG, PREPARED) is None


def test_what_was_downloaded_before_is_not_fetched_again(folders: Folders) -> None:
    content = gzip.compress(b"a\nb\n")
    already = folders.downloads / "log.csv.gz"
    already.write_bytes(content)
    source = Source(["log.csv"], url="http://nowhere.invalid/log.csv.gz", lines=2)
    assert folders.locate(source) == already


def test_all_or_none(folders: Folders) -> None:
    log = put(folders.root, "log.csv")
    assert not folders.find_all(LOG, PREPARED)
    prepared = put(folders.root, "ready.txt")
    assert folders.find_all(LOG, PREPARED) == [log, prepared]


def test_a_path_is_known_by_its_name() -> None:
    assert LOG.is_at(Path("/elsewhere/old_log.csv.gz"))
    assert LOG.is_at(Path("log.csv"))
    assert not LOG.is_at(Path("/log.csv/ready.txt"))


def test_root_must_be_a_folder(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.root='.*none' is not a folder; name the one"):
        Folders(str(tmp_path / "none"), folders.downloads).find(LOG)

"""Downloads from a local server: whole, tried again, checked, refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from seqrec.data.errors import DataError
from seqrec.data.sets.download import download, extract
from seqrec.data.sets.source import Folders, Source
from tests.disk import full_disk

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


def archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("ml-100k/u.data", "1\t2\t3\t4\n")
    return content.getvalue()


SERVED = {"gz": gzip.compress(b"a\nb\nc\n"), "zip": archive()}


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; ``/short`` ends early, ``/broken`` the first time only, ``/encoded.gz`` is called a transfer."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/missing":
            self.send_error(404)
            return
        content = SERVED.get(self.path.rpartition(".")[2], CONTENT)
        self.send_response(200)
        if self.path == "/encoded_lines.gz":
            self.send_header("Content-Encoding", "x-gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        first = self.server.asked.count(self.path) == 1  # type: ignore[attr-defined]
        cut = self.path == "/short" or (self.path == "/broken" and first)
        self.wfile.write(content[:5000] if cut else content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_whole_file_once(server: Any, url: str, tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    for _ in range(2):
        assert download(f"{url}/file", target, md5=MD5) == target
    assert target.read_bytes() == CONTENT
    assert server.asked == ["/file"]
    assert list(target.parent.iterdir()) == [target]


def test_interrupted_download_leaves_nothing(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"download failed .*; run again, or fetch .* by hand") as caught:
        download(f"{url}/short", tmp_path / "file.bin")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_interrupted_download_is_tried_again(server: Any, url: str, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    assert download(f"{url}/broken", target, md5=MD5).read_bytes() == CONTENT
    assert server.asked == ["/broken", "/broken"]
    assert list(tmp_path.iterdir()) == [target]


def test_compressed_file_stays_compressed(url: str, tmp_path: Path) -> None:
    """Also where the server calls the compression one of the transfer, as it may for files ending in .gz."""
    target = download(f"{url}/encoded_lines.gz", tmp_path / "lines.gz", lines=3)
    assert gzip.decompress(target.read_bytes()) == b"a\nb\nc\n"


def test_others_may_read_a_download(url: str, tmp_path: Path) -> None:
    assert download(f"{url}/file", tmp_path / "file.bin").stat().st_mode & 0o777 == 0o644


def test_file_that_is_there_is_left_alone(server: Any, url: str, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"put here by hand")
    assert download(f"{url}/file", target, md5=MD5).read_bytes() == b"put here by hand"
    assert server.asked == []


def test_no_place_to_write_to(url: str, tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DataError, match=r"download failed .*folder"):
        download(f"{url}/file", tmp_path / "folder" / "file.bin")


def test_wrong_content_is_removed(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"expected md5:0000 but got {MD5}; run again"):
        download(f"{url}/file", tmp_path / "file.bin", md5="0000")
    with pytest.raises(DataError, match="3 lines where 4 are expected"):
        download(f"{url}/lines.gz", tmp_path / "lines.gz", lines=4)
    with pytest.raises(DataError, match="not a whole gzip file"):
        download(f"{url}/file", tmp_path / "file.gz", lines=4)
    assert not list(tmp_path.iterdir())
    assert download(f"{url}/lines.gz", tmp_path / "lines.gz", lines=3).is_file()


def test_no_server_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        address = f"http://127.0.0.1:{closed.server_port}/ml-1m.zip"
    target = tmp_path / "ml-1m.zip"
    with pytest.raises(DataError, match="Connection refused") as caught:
        download(address, target)
    assert "\n" not in str(caught.value)
    assert f"fetch {address} by hand and put it at {target}" in str(caught.value)


def test_missing_page(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="404"):
        download(f"{url}/missing", tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_extract(tmp_path: Path) -> None:
    packed, target = tmp_path / "a.zip", tmp_path / "out" / "u.data"
    packed.write_bytes(archive())
    assert extract(packed, "ml-100k/u.data", target).read_text() == "1\t2\t3\t4\n"
    with pytest.raises(DataError, match=r"has no file ml-1m/ratings\.dat"):
        extract(packed, "ml-1m/ratings.dat", tmp_path / "ratings.dat")
    packed.write_bytes(b"no zip")
    with pytest.raises(DataError, match="damaged zip"):
        extract(packed, "ml-100k/u.data", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


def test_a_full_disk_leaves_nothing_of_an_archive(tmp_path: Path) -> None:
    packed = tmp_path / "a.zip"
    packed.write_bytes(archive())
    with (
        full_disk(0),
        pytest.raises(DataError, match=r"a\.zip: cannot be unpacked to .*u\.data \(File too large\); make"),
    ):
        extract(packed, "ml-100k/u.data", tmp_path / "u.data")
    assert list(tmp_path.iterdir()) == [packed]


def test_source_out_of_a_downloaded_archive(server: Any, url: str, tmp_path: Path) -> None:
    folders = Folders(None, tmp_path)
    source = Source(
        ["u.data"], url=f"{url}/all.zip", member="ml-100k/u.data", md5=hashlib.md5(SERVED["zip"]).hexdigest()
    )
    for _ in range(2):
        assert folders.locate(source) == tmp_path / "ml-100k" / "u.data"
    assert server.asked == ["/all.zip"]

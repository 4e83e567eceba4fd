"""Downloads from a local server: whole, resumed, checked, refused."""

from __future__ import annotations

import gzip
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from seqrec.data.errors import DataError
from seqrec.data.sets.download import download, extract

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; ``/short`` drops the connection, ``/plain`` ignores ranges."""

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))  # type: ignore[attr-defined]
        if self.path == "/missing":
            self.send_error(404)
            return
        content = gzip.compress(b"a\nb\nc\n") if self.path == "/lines.gz" else CONTENT
        begin = 0
        if self.headers.get("Range") and self.path != "/plain":
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if begin >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:5000] if self.path == "/short" and not begin else content[begin:])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.ranges = []  # type: ignore[attr-defined]
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
    assert server.ranges == [None]
    assert list(target.parent.iterdir()) == [target]


def test_interrupted_download_resumes(server: Any, url: str, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    with pytest.raises(DataError, match="run again to resume"):
        download(f"{url}/short", target, md5=MD5)
    assert not target.exists()
    assert download(f"{url}/short", target, md5=MD5).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=5000-"]


def test_server_without_ranges_starts_again(url: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:100])
    assert download(f"{url}/plain", tmp_path / "file.bin", md5=MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more"], ids=["complete", "too long"])
def test_nothing_left_to_fetch(url: str, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "file.bin.part").write_bytes(part)
    assert download(f"{url}/file", tmp_path / "file.bin", md5=MD5).read_bytes() == CONTENT


def test_wrong_content_is_removed(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"md5 {MD5} where 0000 is expected"):
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
    with pytest.raises(DataError) as caught:
        download(address, target)
    assert f"fetch {address} by hand and put it at {target}" in str(caught.value)


def test_missing_page(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="404"):
        download(f"{url}/missing", tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_extract(tmp_path: Path) -> None:
    archive, target = tmp_path / "a.zip", tmp_path / "out" / "u.data"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("ml-100k/u.data", "1\t2\t3\t4\n")
    assert extract(archive, "ml-100k/u.data", target).read_text() == "1\t2\t3\t4\n"
    with pytest.raises(DataError, match=r"has no file ml-1m/ratings\.dat"):
        extract(archive, "ml-1m/ratings.dat", tmp_path / "ratings.dat")
    archive.write_bytes(b"no zip")
    with pytest.raises(DataError, match="damaged zip"):
        extract(archive, "ml-100k/u.data", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]

"""Containers and batch systems: no home folder, a user without an account, variables that are empty."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from seqrec.data.errors import DataError
from seqrec.data.home import cache_folder, expanded
from seqrec.data.sets.source import Folders, Source


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id without an account and without HOME."""

    def unknown(_: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("text", ["", " ", "~/.cache/seqrec"])
def test_an_empty_variable_is_the_default(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_folder(text) == Path("/home/ann/.cache/seqrec")


def test_an_empty_home_is_that_of_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setenv("HOME", "")
    assert expanded("~/data", "data.path") == Path(pwd.getpwuid(os.getuid()).pw_dir) / "data"


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("home", [None, ""])
def test_without_a_home_the_cache_is_elsewhere(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert cache_folder("") == Path(tempfile.gettempdir()) / f"seqrec-{os.getuid()}"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("~/.cache/seqrec") == Path(tempfile.gettempdir()) / f"seqrec-{os.getuid()}"
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch/cache")
    assert cache_folder("~/.cache/seqrec") == Path("/scratch/cache/seqrec")
    assert cache_folder("/data/cache") == Path("/data/cache")


@pytest.mark.usefixtures("nobody")
def test_what_needs_a_home_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match=r"data\.path=~/log\.csv: this user has no home folder .*; give an absolute"):
        expanded("~/log.csv", "data.path")
    with pytest.raises(DataError, match=r"data\.cache_dir=~/mine: this user has no home folder"):
        cache_folder("~/mine")
    with pytest.raises(DataError, match=r"data\.path=~nosuchuser/x: there is no such user"):
        expanded("~nosuchuser/x", "data.path")


def test_a_temporary_folder_of_another_user_is_no_cache(
    nobody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqrec.data.home.gettempdir", lambda: str(tmp_path))
    someone = os.getuid() + 1
    (tmp_path / f"seqrec-{someone}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: someone)
    with pytest.raises(DataError, match=r"is another user's; set data\.cache_dir"):
        cache_folder("")


def test_an_empty_root_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``SEQREC_DATA=`` does not stand for the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").touch()
    assert Folders("", tmp_path / "downloads").find(Source(["log.csv"])) is None

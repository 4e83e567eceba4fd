"""docs/own_log.md can be followed: its script, its commands and its Python, one block after the other."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest

from tests.integration.running import main_here

PAGE = Path(__file__).parents[2] / "docs" / "own_log.md"

pytestmark = pytest.mark.usefixtures("undrawn")


def test_the_page_can_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQREC_CACHE", str(tmp_path / "cache"))
    names: dict[str, object] = {}
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "bash", "python", "bash", "bash", "python"]
    for kind, text in blocks:
        if kind == "bash":
            start, main, *words = shlex.split(text)
            assert (start, main) == ("python", "main.py")
            trains = not any(word == "task=predict" for word in words)
            main_here(tmp_path, *words, *(["trainer=cpu"] if trains else []))
        else:
            exec(compile(text, str(PAGE), "exec"), names)
    shown = capsys.readouterr().out
    assert "new items (2 from neighbours)" in shown
    assert "single-" in shown.splitlines()[-1], "a new track is recommended"
    with (tmp_path / "lists.csv").open() as lists:
        rows = list(csv.DictReader(lists))
    assert len(rows) == 100 * 5 and rows[0]["user"].startswith("listener-")

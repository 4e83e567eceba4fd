"""The Python of docs/deploy.md runs as it stands, one block after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.inference.conftest import Finished

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
SHOWN = ["{'unknown_items': 2, 'empty_histories': 2, 'short_lists': 0}", "[1 1 0] [False  True  True]"]


def test_the_page_can_be_followed(
    finished: dict[str, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    code = "\n".join(blocks)
    folder = "outputs/<model>-<data>-s<seed>/<time>"
    assert len(blocks) >= 5 and code.count(folder) == 2
    exec(compile(code.replace(folder, str(finished["sasrec"].folder)), str(PAGE), "exec"), {})
    shown = capsys.readouterr().out
    assert all(line in shown for line in SHOWN)
    assert "who" in shown and (tmp_path / "ann.npz").is_file()

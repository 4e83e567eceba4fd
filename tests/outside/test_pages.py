"""The pages of docs/adding can be followed literally, from an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "adding").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RESULT = {"task": "repeats.json"}
RUNS = {"dataset": 3, "loss": 3, "model": 2, "task": 3}  # of each page, the jobs of its sweeps counted

SHOWN = {
    "dataset": ["left out (missing): ", "['song-"],  # rows without a customer; recommended songs
    "model": ["model.backbone.dim = 128:"],  # the settings are applied
}


def written(page: Path, folder: Path) -> None:
    """Write the files that the page shows: blocks whose first comment, after Hydra's own, is a path."""
    for _, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        name = re.match(r"(?:# @package .+\n)?# ([\w/]+\.\w+)\n", text)
        if name:
            path = folder / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def commands(page: Path) -> str:
    """All shell blocks of the page, one after the other, as a script that ends at the first error."""
    return "set -e\n" + "".join(
        text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == "bash"
    )


def programs(folder: Path, python: list[str]) -> None:
    """``seqrec`` and ``python`` as a shell finds them: this interpreter, and the command line of this checkout."""
    folder.mkdir()
    for name, call in {"seqrec": [*python, str(ROOT / "main.py")], "python": python}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)


@pytest.mark.thorough
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page: Path, python: list[str], tmp_path: Path) -> None:
    programs(tmp_path / "bin", python)
    place = tmp_path / "place"
    place.mkdir()
    written(page, place)
    own = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SEQREC_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-c", commands(page)], cwd=place, env=os.environ | own, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = [
        path for top in ("outputs", "multirun") for path in (place / top).rglob(RESULT.get(page.stem, "metrics.json"))
    ]
    assert len(results) == RUNS[page.stem], done.stdout
    for line in SHOWN.get(page.stem, ()):
        assert line in done.stdout

"""The script for a GPU: deadlines, failures, its report; and all of its parts on the emulated device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu.command import PARTS, Part, main, run
from tests.gpu.place import Place
from tests.gpu.report import Row, Section, shown, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("cpu", True, tmp_path / "cache")


def slow(place: Place) -> Iterator[Row]:
    yield {"what": "first", "value": 1.5}
    time.sleep(60)
    yield {"what": "second", "value": 2}


def broken(place: Place) -> Iterator[Row]:
    yield {"what": "first", "value": 1}
    raise ValueError("no such thing\nat all")


def test_a_part_is_stopped_at_its_deadline_and_keeps_what_it_found(place: Place) -> None:
    section = Section(1, "Slow")
    run(Part("Slow", slow, 1), place, section, seconds=0.2)
    assert section.rows == [{"what": "first", "value": 1.5}]
    assert section.ended == "stopped at its deadline of 0.2 s"
    assert 0.2 <= section.seconds < 10


def test_a_part_that_fails_says_why(place: Place) -> None:
    section = Section(1, "Broken")
    run(Part("Broken", broken, 1), place, section, seconds=30)
    assert section.rows == [{"what": "first", "value": 1}]
    assert section.ended == "ValueError: no such thing"


def test_the_report_has_all_rows_and_columns(tmp_path: Path) -> None:
    section = Section(2, "Two", [{"a": 0.00012345, "b": "x"}, {"a": 1234, "c": 1234.5}], ended="cut", seconds=3.2)
    text = write([section], {"device": "cpu"}, tmp_path)
    assert text == (tmp_path / "gpu.md").read_text()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert cells[0] == ["a", "b", "c"]
    assert cells[2:] == [["0.000123", "x", ""], ["1,234", "", "1,234"]]
    assert "Not complete: cut." in text
    stored = json.loads((tmp_path / "gpu.json").read_text())
    assert stored["device"] == "cpu"
    assert stored["parts"][0]["rows"] == section.rows


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (99.96, "100"), (5, "5"), (True, "True"), ("a", "a")])
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_parts_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--device", "cpu", "--small", "--parts", "0", "4", "--out", str(tmp_path)], "")
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert [part["ended"] for part in content["parts"]] == ["whole", "whole"]
    assert "Cross entropy over all items" in capsys.readouterr().out


def test_a_gpu_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path)], "")


@pytest.mark.slow
def test_all_parts_on_the_emulated_device(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.gpu", "--device", "emulated", "--small", "--scale", "5"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, env=environment, check=True)
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert [(part["title"], part["ended"]) for part in parts] == [(part.title, "whole") for part in PARTS]
    assert all(part["rows"] for part in parts)

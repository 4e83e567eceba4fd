"""``task=dashboard`` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.conftest import Make
from tests.integration.running import main_here


def test_the_page_of_a_sweep_lies_beside_its_jobs(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("multirun/now/0", "model=bpr")
    make("multirun/now/1", "model=caser")
    main_here(tmp_path, "task=dashboard", "task.runs=[multirun/now]")
    page = tmp_path / "multirun" / "now" / "report.html"
    assert "2 runs of 2 methods in multirun/now/report.html" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not list(tmp_path.rglob("*.partial")) and not (tmp_path / "outputs").exists()


def test_other_pages_have_a_folder_of_their_own(make: Make, tmp_path: Path) -> None:
    make("one", "model=bpr")
    main_here(tmp_path, "task=dashboard", "task.runs=[one]")
    assert len(list(tmp_path.glob("outputs/dashboard/*/report.html"))) == 1
    main_here(tmp_path, "task=dashboard", "task.runs=[one]", "task.output=mine")
    assert (tmp_path / "mine" / "report.html").exists()


def test_a_folder_without_runs_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as end:
        main_here(tmp_path, "task=dashboard", "task.runs=[nowhere]")
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "error: task.runs: nowhere holds no run; give run folders, or folders of them such as multirun/<time>\n"
    )
    assert not list(tmp_path.iterdir())

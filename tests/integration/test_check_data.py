"""``task=check_data`` as a user calls it: files, what is shown, exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.running import main_here

LONG = 10


def log(folder: Path, tied: bool) -> Path:
    """Ten users who take ten items each, one a day; or, tied, all of them on one day."""
    path = folder / "log.csv"
    rows = [(f"u{u}", f"i{(u * 7 + t * 3) % LONG}", 0 if tied else t) for u in range(10) for t in range(LONG)]
    path.write_text("user,item,time\n" + "".join(f"{user},{item},{time}\n" for user, item, time in rows))
    return path


def test_a_log_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main_here(tmp_path, "task=check_data", "data=custom", f"data.path={log(tmp_path, tied=False)}", "data.name=shop")
    folder = tmp_path / "checks" / "shop"
    assert {path.name for path in folder.iterdir()} == {"check.json", "check.md", "check.png", "check.svg"}
    found = json.loads((folder / "check.json").read_text())
    assert found["sizes"]["actions"] == 100
    assert [step["step"] for step in found["filters"][:3]] == ["read", "missing", "5-core"]
    assert not [one for one in found["findings"] if one["verdict"] == "fault"]
    shown = capsys.readouterr().out
    assert "shop: 10 users, 10 items, 100 actions" in shown
    assert "all figures and the picture in checks/shop" in shown
    assert {path.name for path in tmp_path.iterdir()} == {"checks", "log.csv"}


def test_a_fault_has_an_exit_status_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["task=check_data", "data=custom", f"data.path={log(tmp_path, tied=True)}"]
    with pytest.raises(SystemExit) as end:
        main_here(tmp_path, *words)
    assert end.value.code == 3
    assert "fault: tied_targets is 1.0000, above 0.1 (test targets whose place" in capsys.readouterr().out
    main_here(tmp_path, *words, "task.faults=[]")
    assert "warning: tied_targets" in capsys.readouterr().out
    main_here(tmp_path, *words, "task.limits.tied_targets=1")
    assert "tied_targets is" not in capsys.readouterr().out


def test_brackets_in_a_name_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are no markup of the terminal."""
    words = ["data=custom", f"data.path={log(tmp_path, tied=False)}", "data.name='shop[b]'"]
    main_here(tmp_path, "task=check_data", *words)
    shown = capsys.readouterr().out
    assert "shop[b]: 10 users" in shown and "checks/shop[b]" in shown


def test_sizes_that_are_not_the_published_ones_are_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["task=check_data", "data=custom", f"data.path={log(tmp_path, tied=False)}", "task.known_as=beauty"]
    with pytest.raises(SystemExit) as end:
        main_here(tmp_path, *words)
    assert end.value.code == 3
    assert "fault: published is 3, above 0" in capsys.readouterr().out


def test_computed_data_and_what_needs_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main_here(tmp_path, "task=check_data", "data.num_users=100")
    found = json.loads((tmp_path / "checks" / "synthetic" / "check.json").read_text())
    assert found["events"] is None
    shown = capsys.readouterr().out
    assert "no times here: ties, tied targets" in shown
    assert shown.count("needs times") == 4


def test_refused_data_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data.path=nowhere.csv: no such file"):
        main_here(tmp_path, "task=check_data", "data=custom", "data.path=nowhere.csv")
    assert not (tmp_path / "checks").exists()

"""task=compare on runs of main.py: tables, picture, slices that need the data set, and refusals in one line."""

from __future__ import annotations

import csv
import os
import shlex
import shutil
from pathlib import Path

import pytest

from tests.integration.running import MAIN, Run, main_here

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = ["data.num_users=60", "data.num_items=30"]


@pytest.fixture(scope="module")
def runs(run: Run, undrawn: None) -> list[Path]:
    """Two seeds of a model, and another model."""
    asked = [["model=popularity", "seed=0"], ["model=popularity", "seed=1"], ["model=markov", "seed=0"]]
    return [run(*words, *SMALL) for words in asked]


def compare(place: Path, runs: list[Path], *words: str) -> None:
    main_here(place, "task=compare", f"task.runs=[{','.join(map(str, runs))}]", *words)


def test_runs_are_compared(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(tmp_path, runs, "task.output=found", "task.metrics=[ndcg@5,mrr]")
    shown = capsys.readouterr().out
    assert "synthetic, all_items, 60 users" in shown and "popularity - markov" in shown
    assert "left out" not in shown and shown.endswith("and picture in found\n")
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        "comparison.csv",
        "comparison.md",
        "comparison.tex",
        "differences.png",
        "differences.svg",
    }
    with (tmp_path / "found" / "comparison.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["metric"] for row in rows if not row["slice_by"]] == ["ndcg@5", "mrr"]
    assert {"history length", "target popularity", "repeat", "recency of a repeat"} <= {row["slice_by"] for row in rows}
    repeats = [int(row["users"]) for row in rows if row["slice_by"] == "repeat"]
    assert sum(repeats) == 60
    assert "\\toprule" in (tmp_path / "found" / "comparison.tex").read_text(encoding="utf-8")
    assert "| popularity |" in (tmp_path / "found" / "comparison.md").read_text(encoding="utf-8")


def test_without_a_name_the_folder_says_when(runs: list[Path], tmp_path: Path) -> None:
    compare(tmp_path, runs, "task.baseline=popularity")
    assert len(list(tmp_path.glob("outputs/compare/*/comparison.csv"))) == 1


def test_without_the_data_set_what_it_tells_is_left_out(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = [Path(shutil.copytree(run, tmp_path / str(place))) for place, run in enumerate(runs)]
    for copy in copies:
        (copy / "config.yaml").unlink()
    compare(tmp_path, copies, "task.output=found")
    shown = capsys.readouterr().out
    assert "slices by repeat and recency are left out: no run folder holds config.yaml" in shown
    assert "history length: " in shown and "repeat: " not in shown


def test_a_data_set_that_is_gone_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, cache = tmp_path / "log.csv", tmp_path / "cache"
    rows = [f"u{user},i{(user + step) % 7},{step}" for user in range(20) for step in range(5)]
    log.write_text("\n".join(["user,item,time", *rows]), encoding="utf-8")
    data = ["data=custom", f"data.path={log}", f"data.cache_dir={cache}"]
    runs = [run(f"model={name}", *data) for name in ("popularity", "markov")]
    compare(tmp_path, runs, "task.output=found")
    assert "left out" not in capsys.readouterr().out
    log.unlink()
    shutil.rmtree(cache)
    compare(tmp_path, runs, "task.output=again")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "left out" in line]
    assert str(log) in line
    assert (tmp_path / "again" / "comparison.csv").exists()


def test_the_example_of_the_page_is_what_the_command_gives(tmp_path: Path) -> None:
    page = (MAIN.parent / "docs" / "compare.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("python main.py") and "docs/studies" in line]
    main_here(MAIN.parent, *shlex.split(line)[2:], f"task.output={tmp_path}")
    title, methods, _, differences, *_ = (tmp_path / "comparison.md").read_text(encoding="utf-8").split("\n\n")
    assert title.startswith("beauty")
    for table in (methods, differences):
        assert f"\n{table.strip()}\n" in page, "the command has other tables; take these"


def refusal(place: Path, runs: list[Path], capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The line that the command ends with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit) as end:
            compare(place, runs, *words)
    lines = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and len(lines) == 1
    assert not list(place.iterdir())
    return lines[0]


def test_runs_that_were_judged_differently_are_refused(
    run: Run, runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unseen = run("model=markov", "protocol=unseen_items", *SMALL)
    capsys.readouterr()
    line = refusal(tmp_path, [runs[0], unseen], capsys)
    assert line == (
        f"error: {runs[0]} and {unseen} cannot be compared, as they differ in protocol (all_items and "
        "unseen_items), and seen_items; give runs that were judged alike"
    )
    other = run("model=markov", "data.num_users=50", "data.num_items=30")
    capsys.readouterr()
    assert "differ in data.sha256" in refusal(tmp_path, [runs[0], other], capsys)


def test_users_of_several_targets_are_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their ranks are not independent, as all tests take them to be."""
    split = ["split=users", "data.split.validation=5", "data.split.test=10", "data.split.target=all"]
    several = [run(f"model={model}", *SMALL, *split) for model in ("popularity", "markov")]
    capsys.readouterr()
    assert "targets of 10 users, and the tests need one a user" in refusal(tmp_path, several, capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("task.metrics=[ndcg@7]", "task.metrics=ndcg@7; choose some of ndcg@5, ndcg@10, ndcg@20, recall@5"),
        ("task.baseline=best", "task.baseline=best is none of the methods; choose one of popularity, markov"),
        ("task.level=2", "task.level is 2"),
        ("task.runs=[nowhere]", "nowhere holds no finished run; give run folders, or a folder of them"),
        ("task.runs=3", "task.runs is 3; it must be a list (each text) or a mapping"),
        ("data=beauty", "leave it out"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: str, message: str, runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(tmp_path, runs, capsys, words)

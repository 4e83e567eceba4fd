"""Tables of papers as a user makes them: what is missing, what makes it, and what comes of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from seqrec.reporting.papers import counts
from seqrec.reporting.papers.published import PRINTED
from seqrec.runs.folder import CONFIG, METRICS
from tests.integration.running import main_here

pytestmark = pytest.mark.usefixtures("quick_jobs")
SMALL = ["task=tables", "task.budget=smoke", "task.rows=[fenrec]", "task.metrics=[ndcg@20]", "data=beauty"]


@pytest.fixture
def place(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.setenv("SEQREC_CACHE", str(workplace / "cache"))
    return tmp_path


def commands(printed: str) -> list[str]:
    return [line.strip() for line in printed.splitlines() if line.startswith("  python main.py ")]


def numbers(path: Path) -> list[dict[str, Any]]:
    return pl.read_csv(path).to_dicts()


def changed(folder: Path, **values: Any) -> None:
    """Set values in the stored configuration of a run, whose hash is left out of its results."""
    for name in (METRICS, "protocol.json"):
        content = json.loads((folder / name).read_text())
        content.pop("configuration")
        (folder / name).write_text(json.dumps(content))
    config = yaml.safe_load((folder / CONFIG).read_text())
    for key, value in values.items():
        section, _, last = key.partition("__")
        (config[section] if last else config)[last or section] = value
    (folder / CONFIG).write_text(yaml.safe_dump(config))


def test_missing_runs_are_named_made_and_found(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "paper=fenrec", "task.table=1", "task.seeds=[0,1]"]
    main_here(place, *words)
    shown = capfd.readouterr().out
    assert "2 runs of 1 of 1 cells are missing" in shown
    command = "python main.py -m paper=fenrec model=fenrec data=synthetic +debug=smoke trainer=cpu seed=0,1"
    assert commands(shown) == [command]
    main_here(place, *shlex.split(command)[2:], "seed=1")  # as written, of one seed
    made = next((place / "multirun").glob(f"*/0/{METRICS}")).parent
    capfd.readouterr()
    main_here(place, *words, "task.run=missing")
    shown = capfd.readouterr().out
    assert "all runs of all 1 cells are there" in shown and shown.count("epoch    2") == 1
    own = list((place / "multirun" / "tables" / "smoke").glob(f"fenrec/synthetic/fenrec-*/*/{METRICS}"))
    assert [path.parent.name for path in own] == ["seed-0"]
    ours = [json.loads(path.read_text())["test"]["ndcg@20"] for path in (*own, made / METRICS)]
    table = place / "multirun" / "tables" / "smoke" / "fenrec" / "table_1.csv"
    assert [(row["ours"], row["seeds"], row["verdict"]) for row in numbers(table)] == [
        (pytest.approx(sum(ours) / 2), 2, None)
    ]
    main_here(place, *words, "task.run=missing")
    assert "epoch    2" not in capfd.readouterr().out
    for other in ({"trainer__max_epochs": 3}, {"patience": 7}, {"data__batch_size": 7}):
        before = (made / CONFIG).read_text(), (made / METRICS).read_text(), (made / "protocol.json").read_text()
        changed(made, **other)
        main_here(place, *words)
        assert "1 runs of 1 of 1 cells are missing" in capfd.readouterr().out, other
        for name, text in zip((CONFIG, METRICS, "protocol.json"), before, strict=True):
            (made / name).write_text(text)
    changed(made, trainer__accelerator="gpu", logger={}, data__root="/elsewhere")
    main_here(place, *words)
    assert "all runs of all 1 cells are there" in capfd.readouterr().out


def test_a_figure_makes_runs_with_its_diagnosis(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A run without it is of the table, not of the figure; one with it is of both, and the same to the last digit."""
    words = ["task=tables", "paper=fenrec", "data=beauty", "task.budget=smoke", "task.rows=[sasrec]", "task.seeds=[0]"]
    main_here(place, *words, "task.table=1", "task.run=missing")
    capfd.readouterr()
    main_here(place, *words, "task.table=figure_5")
    (command,) = commands(capfd.readouterr().out)
    assert "'callbacks=[default,uniformity]'" in command
    main_here(place, *words, "task.table=figure_5", "task.run=missing")
    assert "all runs of all 1 cells are there" in capfd.readouterr().out
    smoke = place / "multirun" / "tables" / "smoke" / "fenrec"
    plain, looked_at = sorted(smoke.glob(f"synthetic/sasrec-*/seed-0/{METRICS}"), key=lambda path: path.stat().st_mtime)
    first, second = (json.loads(path.read_text()) for path in (plain, looked_at))
    assert first["test"] == second["test"] and first["val"] == second["val"]
    log = pl.read_csv(looked_at.parent / "log.csv")
    assert "uniformity/items" not in pl.read_csv(plain.parent / "log.csv").columns
    shown = {row["metric"]: row["ours"] for row in numbers(smoke / "figure_5.csv")}
    best = log.filter(pl.col("epoch") == second["best_epoch"])["uniformity/items"].item()
    assert shown == {"uniformity/items": pytest.approx(best), "ndcg@20": pytest.approx(second["test"]["ndcg@20"])}
    plain.unlink()
    main_here(place, *words, "task.table=1")
    assert "all runs of all 1 cells are there" in capfd.readouterr().out


def test_a_run_that_fails_is_named(place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    words = [*SMALL, "paper=fenrec", "task.table=1", "task.seeds=[0]", "data.batch_size=0", "task.run=missing"]
    with pytest.raises(SystemExit) as end:
        main_here(place, *words)
    told = capfd.readouterr()
    assert end.value.code == 2
    assert "seed 0 failed: " in told.out and "batch_size is 0; it must be at least 1" in told.out
    assert "error: not all runs came to their end" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["paper=fenrec", "task.table=7"], "fenrec has no table '7' here"),
        (["task.table=1"], "paper=none: tables are known of easnrec, fenrec, recboard"),
        (["paper=fenrec", "task.table=1", "model=mvs"], "model=mvs: the table has its rows; leave it out"),
        (["paper=fenrec", "task.table=1", "seed=1"], r"seed=1: write task.seeds=\[0,1,2\]"),
        (["paper=fenrec", "task.table=1", "task.data=[ml1m]"], "table_1 of fenrec has no data set 'ml1m'"),
        (["paper=fenrec", "task.table=1", "task.run=all"], "task.run=all: it is missing or null"),
        (["paper=fenrec", "task.table=D", "data=ml1m"], "table_D has no data set 'ml1m'; it has sports, beauty"),
        (["paper=easnrec", "task.table=1", "task.rows=[bpr]"], "table_1 counts data sets: task.rows"),
    ],
)
def test_what_is_not_there_is_refused(place: Path, words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        main_here(place, "task=tables", *words)


@pytest.mark.slow
@pytest.mark.parametrize("paper", sorted(path.name for path in PRINTED.iterdir() if path.is_dir()))
def test_all_tables_and_figures_of_a_paper(place: Path, paper: str, capfd: pytest.CaptureFixture[str]) -> None:
    names = sorted(path.stem for path in (PRINTED / paper).glob("*.yaml"))
    for name in names:
        main_here(place, "task=tables", f"paper={paper}", f"task.table={name}", "task.budget=smoke", "task.run=missing")
        assert "cells are there" in capfd.readouterr().out, name
        folder = place / "multirun" / "tables" / "smoke" / paper
        rows = numbers(folder / f"{name}.csv")
        assert rows and all(row["ours"] is not None and row["seeds"] == 1 for row in rows), name
        assert "\\bottomrule" in (folder / f"{name}.tex").read_text() and "| " in (folder / f"{name}.md").read_text()
        if name.startswith("figure"):
            assert (folder / f"{name}.svg").stat().st_size > 1000 < (folder / f"{name}.png").stat().st_size


@pytest.mark.slow
def test_counts_of_data_sets(place: Path, data_root: Path) -> None:
    for paper, table in counts.TABLES:
        main_here(place, "task=tables", f"paper={paper}", f"task.table={table}")
    found = {paper: numbers(next((place / "multirun" / "tables" / paper).glob("*.csv"))) for paper, _ in counts.TABLES}
    assert {row["verdict"] for row in found["fenrec"]} <= {"pass", "missing"}
    assert {(row["data"], row["cell"]) for row in found["easnrec"] if row["verdict"] == "fail"} <= {
        ("ml1m", "items"), ("ml1m", "sparsity"), ("yelp", "users"), ("yelp", "items"), ("yelp", "actions"),
    }  # fmt: skip

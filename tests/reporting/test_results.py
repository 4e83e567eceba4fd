"""The tables of results say what the stored runs say, and runs in one table were judged alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqrec.reporting.figures import validation_by_epoch
from seqrec.reporting.pages import ROOT, in_step
from seqrec.reporting.results import FIRST, PAGE, README, by_clock, short, table, text, unfinished
from seqrec.runs.kept import runs
from seqrec.runs.moved import PRESETS

FOLDERS = sorted(path for path in (ROOT / "docs" / "runs").iterdir() if path.is_dir())
by_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@by_folder
def test_the_page_is_in_step(folder: Path) -> None:
    page = (ROOT / PAGE).read_text()
    same = in_step(page, folder.name, "seqrec.reporting.results", text(folder)) == page
    assert same, "run: python -m seqrec.reporting.results"


def test_the_readme_is_in_step() -> None:
    page, made = (ROOT / README).read_text(), short(table(ROOT / "docs" / "runs" / FIRST)).markdown()
    assert in_step(page, FIRST, "seqrec.reporting.results", made) == page, "run: python -m seqrec.reporting.results"


@by_folder
def test_runs_of_changed_code_are_marked(folder: Path) -> None:
    page = text(folder)
    for run in runs(folder):
        changed = "-dirty" in str(run.card.git_commit)
        assert (f"| {run.name} †" in page) == changed, run.name


@by_folder
def test_a_run_that_the_clock_stopped_has_no_numbers(folder: Path) -> None:
    rows = {str(row[0]).removesuffix(" †"): row for row in table(folder).rows}
    others = unfinished(folder)
    stopped = {str(row[0]).removesuffix(" †"): row for row in others.rows} if others else {}
    for run in runs(folder):
        assert (run.name in rows) != (run.name in stopped)
        assert (run.name in stopped) == by_clock(run) == ("max_time" in run.command)
        if run.name in stopped:
            test = run.metrics["test"].values()
            assert not any(isinstance(cell, float) and cell in test for cell in stopped[run.name])


@by_folder
def test_runs_of_one_table_were_judged_alike(folder: Path) -> None:
    first, *others = runs(folder)
    data, _, protocol = folder.name.partition("-")
    assert (first.card.data["name"], first.card.protocol) == (data, PRESETS.get(protocol, protocol))
    for run in others:
        assert first.card.differences(run.card) == [], run.name
        assert run.metrics["references"] == first.metrics["references"], run.name


@by_folder
def test_tested_weights_are_those_of_the_best_epoch(folder: Path) -> None:
    for run in runs(folder):
        best = {row["epoch"]: row for row in run.log}[run.metrics["best_epoch"]]
        assert len(run.log) == run.metrics["epochs"], run.name
        monitor = f"val/{run.card.monitor}"
        assert best[monitor] == max(row[monitor] for row in run.log if monitor in row), run.name
        for name, value in run.metrics["val"].items():
            assert best[f"val/{name}"] == pytest.approx(value, abs=1e-6), (run.name, name)


def test_runs_are_drawn_a_panel_each() -> None:
    stored = runs(FOLDERS[0])
    figure = validation_by_epoch(stored)
    drawn = [panel for panel in figure.axes if panel.lines]
    assert [panel.get_title(loc="left") for panel in drawn] == [run.name for run in stored]
    assert figure.get_suptitle() == f"{stored[0].card.data['name']}, {stored[0].card.protocol}, seed 0"
    for panel, run in zip(drawn, stored, strict=True):
        judged = [row["val/ndcg@20"] for row in run.log if "val/ndcg@20" in row]
        assert np.asarray(panel.lines[0].get_ydata()).tolist() == judged


def test_rows_below_the_higher_printed_value_are_marked() -> None:
    """By hand: BERT4Rec by the board's settings 0.0678, 0.0452 beside 0.0735 and 0.0492; BSARec 0.0991 and 0.0690."""
    whole = table(ROOT / "docs" / "runs" / FIRST)
    place = whole.columns.index("against the higher")
    found = {row[0]: row[place] for row in whole.rows}
    assert found["bert4rec-recboard"] == "-7.7% ▼, -8.1% ▼"
    assert found["bsarec"] == "-1.1%, -1.3% ▼"
    assert found["fenrec"] == "+0.1%, -0.7%"
    assert found["markov"] == ""


def test_the_readme_has_the_best_run_of_each_model() -> None:
    rows = [str(row[0]) for row in short(table(ROOT / "docs" / "runs" / FIRST)).rows]
    assert "bert4rec" in rows and "bert4rec-recboard" not in rows and "bpr-recboard" in rows

"""The README's tables of results say what the kept runs say, and runs in one table were judged alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqrec.reporting.readme import ROOT, in_step
from seqrec.reporting.results import markdown_table, plot
from seqrec.runs.kept import runs

FOLDERS = sorted(path for path in (ROOT / "docs" / "runs").iterdir() if path.is_dir())
by_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@by_folder
def test_readme_is_in_step(folder: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    same = in_step(readme, folder.name, "seqrec.reporting.results", markdown_table(folder)) == readme
    assert same, "run: python -m seqrec.reporting.results"


@by_folder
def test_runs_of_one_table_were_judged_alike(folder: Path) -> None:
    judged = ("data", "split", "evaluated_users", "ranking", "tied_scores", "seen_items", "cutoffs", "protocol")
    first, *others = runs(folder)
    assert f"{first.protocol['data']['name']}-{first.protocol['protocol']}" == folder.name
    for run in others:
        assert {key: run.protocol[key] for key in judged} == {key: first.protocol[key] for key in judged}, run.model
        assert run.metrics["references"] == first.metrics["references"], run.model


@by_folder
def test_tested_weights_are_those_of_the_best_epoch(folder: Path) -> None:
    for run in runs(folder):
        best = {row["epoch"]: row for row in run.log}[run.metrics["best_epoch"]]
        assert len(run.log) == run.metrics["epochs"], run.model
        monitor = run.protocol["weights"].rpartition(" ")[2]
        assert best[monitor] == max(row[monitor] for row in run.log), run.model
        for name, value in run.metrics["val"].items():
            assert best[f"val/{name}"] == pytest.approx(value, abs=1e-6), (run.model, name)


def test_runs_are_drawn(tmp_path: Path) -> None:
    plot(FOLDERS[0], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")

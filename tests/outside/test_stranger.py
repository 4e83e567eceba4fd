"""A model, a loss, a data set and an experiment of someone else's package, under the installed seqrec."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.outside.conftest import Run

HERE = Path(__file__).parent


@pytest.fixture
def paths(installed: Path, tmp_path: Path) -> dict[str, str]:
    """The variables of a user who has the package ``mine`` in the folder where the commands run."""
    shutil.copytree(HERE / "mine", tmp_path / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(installed)]), "SEQREC_PACKAGES": "mine"}


def test_it_trains_resumes_and_stands_in_the_table(quick: Run, paths: dict[str, str], tmp_path: Path) -> None:
    line = ["--config-dir", "mine/conf", "model=mine", "data=toy", "trainer=cpu", "+model.backbone.dropout=0.1"]
    done = quick(*line, "trainer.max_epochs=1", **paths)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("outputs/mine-toy-s0/*")
    first = json.loads((folder / "metrics.json").read_text())
    assert first["epochs"] == 1

    done = quick(f"resume={folder.relative_to(tmp_path)}", "trainer.max_epochs=4", **paths)
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "metrics.json").read_text())
    assert result["epochs"] == 4
    assert result["test"]["ndcg@10"] > first["test"]["ndcg@10"]
    assert len(list(csv.DictReader((folder / "log.csv").open()))) == 4
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert {"mine", "popularity", "markov"} <= set(rows)


@pytest.mark.thorough
def test_an_experiment_with_options_inside_the_package(quick: Run, paths: dict[str, str], tmp_path: Path) -> None:
    search = "hydra.searchpath=[pkg://mine.conf]"
    done = quick("-m", search, "+experiment=mine/toy", "trainer=cpu", "seed=0,1", "trainer.max_epochs=1", **paths)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("multirun/*/*/metrics.json"))) == 2


def test_mistakes_are_one_line(quick: Run, paths: dict[str, str]) -> None:
    line = ["--config-dir", "mine/conf", "model=mine", "data=toy"]
    for arguments, variables, message in [
        (["model.backbone.dimm=3"], paths, "did you mean model.backbone.dim?"),
        ([], paths | {"SEQREC_PACKAGES": ""}, "allow your own package with SEQREC_PACKAGES=mine"),
    ]:
        done = quick(*line, *arguments, **variables)
        assert done.returncode == 2
        assert message in done.stderr and done.stderr.count("\n") == 1

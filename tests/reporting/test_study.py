"""The table of a study says what its runs say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seqrec.reporting.keeping import keep
from seqrec.reporting.pages import ROOT, in_step
from seqrec.reporting.study import PAIR, STUDIES, less_reference, readings, table, text
from seqrec.runs.folder import PER_USER, RANKS

KEPT = ROOT / "docs" / "runs" / "synthetic-easnrec" / "easnrec"
STUDY = ROOT / "docs" / "studies"


@pytest.mark.parametrize("study", STUDIES)
def test_the_page_is_in_step(study: str) -> None:
    page = (ROOT / STUDIES[study]).read_text(encoding="utf-8")
    same = in_step(page, study, "seqrec.reporting.study", text(STUDY / study)) == page
    assert same, "run: python -m seqrec.reporting.study"


@pytest.mark.parametrize("study", STUDIES)
def test_runs_of_one_data_set_were_judged_alike(study: str) -> None:
    for data in (path for path in (STUDY / study).iterdir() if path.is_dir()):
        first, *others = (run for stored in readings(data).values() for run in stored)
        assert first.card.data["name"] == data.name
        for run in (first, *others):
            assert not run.card.dirty
            assert run.metrics["epochs"] == first.metrics["epochs"]
            assert first.card.differences(run.card) == []


def made(folder: Path, ndcg: float, ranks: list[int]) -> None:
    """A finished run with a given result, from one that is kept."""
    folder.mkdir(parents=True)
    for name in ("log.csv", "protocol.json"):
        (folder / name).write_bytes((KEPT / name).read_bytes())
    metrics = json.loads((KEPT / "metrics.json").read_text(encoding="utf-8"))
    metrics["val"]["ndcg@10"] = ndcg
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    users = pl.DataFrame(
        {"user": ["c", "a", "b"], "target": ["x", "y", "z"], "rank": ranks, "history_length": [3, 1, 2]}
    )
    users.write_parquet(folder / PER_USER)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two seeds of the reference, three of the baseline and one of another reading."""
    for name, seed, ndcg, ranks in (
        (PAIR[0], 0, 0.5, [1, 11, 3]),
        (PAIR[0], 1, 0.6, [1, 1, 12]),
        (PAIR[1], 0, 0.4, [2, 1, 1]),
        (PAIR[1], 1, 0.4, [1, 20, 30]),
        (PAIR[1], 2, 0.4, [9, 9, 9]),
        ("another", 0, 0.3, [1, 1, 1]),
    ):
        run = tmp_path / "runs" / name / f"seed-{seed}"
        made(run, ndcg, ranks)
        keep(run, tmp_path / "study" / name / f"seed-{seed}")
    return tmp_path / "study"


def test_kept_runs_name_no_user(study: Path) -> None:
    found = {path.name for path in (study / PAIR[0] / "seed-0").iterdir()}
    assert found == {"log.csv", "metrics.json", "protocol.json", RANKS}
    ranks = pl.read_parquet(study / PAIR[0] / "seed-0" / RANKS)
    assert ranks.columns == ["rank", "history_length"]
    assert ranks.rows() == [(11, 1), (3, 2), (1, 3)]


def test_a_row_is_a_mean_over_seeds(study: Path) -> None:
    shown = table(study)
    rows = {str(row[0]): dict(zip(shown.columns, row, strict=True)) for row in shown.rows}
    assert list(rows) == [*PAIR, "another"]
    assert rows[PAIR[0]]["seeds"] == 2 and rows[PAIR[0]]["NDCG@10"] == f"0.5500 ± {0.1 / 2**0.5:.4f}"
    assert rows["another"]["NDCG@10"] == "0.3000"
    log = pl.read_csv(KEPT / "log.csv")
    ends = log["train/similarity"].to_list()
    assert rows["another"]["similarity"] == f"{ends[0]:.3g} → {ends[-1]:.3g}"
    assert rows["another"]["s an epoch"] == f"{np.median(log['train_seconds'].to_numpy()):.0f}"


def test_users_are_paired(study: Path) -> None:
    def gain(*ranks: int) -> float:
        return float(np.mean([1 / np.log2(rank + 1) if rank <= 10 else 0.0 for rank in ranks]))

    differences = [gain(2, 1) - gain(1, 1), gain(1, 20) - gain(11, 1), gain(1, 30) - gain(3, 12)]
    compared = less_reference(study, PAIR[1])
    assert compared is not None
    assert compared == pytest.approx((np.mean(differences), np.std(differences, ddof=1) / 3**0.5, 3))
    assert f"| {np.mean(differences):+.4f} ± " in text(study.parent)


def test_nothing_is_compared_without_a_common_seed(study: Path) -> None:
    for folder in (study / PAIR[1]).iterdir():
        (folder / RANKS).unlink()
    assert less_reference(study, PAIR[1]) is None


def test_an_unfinished_run_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no finished run"):
        keep(tmp_path, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()

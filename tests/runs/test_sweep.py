"""What is read of the jobs of a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from seqrec.functional.intervals import Interval
from seqrec.reporting.pages import ROOT
from seqrec.reporting.sweep_table import by_split, of_jobs, over_seeds, store
from seqrec.reporting.terminal import show_sweep
from seqrec.runs.failure import FAILED, note
from seqrec.runs.folder import LAST, METRICS, PER_USER
from seqrec.runs.intervals import INTERVALS
from seqrec.runs.origin import Origin
from seqrec.runs.sweep import Job, jobs

KEPT = ROOT / "docs" / "runs" / "synthetic-easnrec"


def finished(folder: Path, model: str, arguments: str) -> None:
    """A run that is kept, as a job that stored no intervals."""
    folder.mkdir(parents=True)
    for name in ("log.csv", "protocol.json"):
        (folder / name).write_bytes((KEPT / model / name).read_bytes())
    metrics = json.loads((KEPT / model / METRICS).read_text())
    metrics.pop(INTERVALS, None)
    (folder / METRICS).write_text(json.dumps(metrics))
    Origin(model=model, command=f"python main.py {arguments}").write(folder)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Jobs of all kinds, and what else may lie beside them."""
    finished(tmp_path / "0", "fenrec", "model=fenrec seed=0 '+logger.tags=[a,b]'")
    finished(tmp_path / "1", "easnrec", "model=fenrec seed=1 '+logger.tags=[a,b]' resume=auto")
    finished(tmp_path / "10", "icsrec", "model=icsrec seed=0")
    for number, line in (("2", note(2, ["model=icsrec", "seed=1"], "no\nitem (of 3): none")), ("3", "?")):
        (tmp_path / number).mkdir()
        (tmp_path / number / FAILED).write_text(f"{line}\n", encoding="utf-8")
    (tmp_path / "4" / LAST).parent.mkdir(parents=True)
    (tmp_path / "4" / LAST).touch()
    Origin(command="python main.py model=icsrec seed=2").write(tmp_path / "4")
    (tmp_path / "5").mkdir()
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_jobs(sweep: Path) -> None:
    found = jobs(sweep)
    assert [job.number for job in found] == [0, 1, 2, 3, 4, 10]
    assert found[0].arguments == {"model": "fenrec", "seed": "0", "logger.tags": "[a,b]"}
    assert found[1].arguments == {"model": "fenrec", "seed": "1", "logger.tags": "[a,b]"}
    assert [job.status for job in found] == [
        "finished",
        "finished",
        "failed: no item (of 3): none",
        "failed: for a reason that was not noted",
        "stopped",
        "finished",
    ]
    assert found[2].arguments == {"model": "icsrec", "seed": "1"}
    assert [job.run is not None for job in found] == [True, True, False, False, False, True]


def test_a_result_counts_more_than_an_old_failure(sweep: Path) -> None:
    (sweep / "0" / FAILED).write_text("job 0 (model=fenrec): another sweep\n", encoding="utf-8")
    assert jobs(sweep)[0].status == "finished"


def test_a_run_that_cannot_be_read_is_a_row(sweep: Path) -> None:
    (sweep / "1" / "log.csv").unlink()
    assert jobs(sweep)[1].status.endswith("is no finished run: it has no log.csv")


def test_a_folder_without_jobs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no job of a sweep"):
        jobs(tmp_path)


def rows(found: list[Job]) -> list[dict[str, object]]:
    table = of_jobs(found)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_a_row_a_job(sweep: Path) -> None:
    found = jobs(sweep)
    shown = rows(found)
    first, run = shown[0], found[0].run
    assert run is not None
    assert first["job"] == 0 and first["model"] == "fenrec" and first["seed"] == "0"
    assert first[f"val {run.card.monitor}"] == run.metrics["val"][run.card.monitor]
    assert first["test ndcg@10"] == run.metrics["test"]["ndcg@10"]
    assert first["best epoch"] == run.metrics["best_epoch"]
    assert first["hours"] == f"{run.metrics['seconds'] / 3600:.2f}"
    assert shown[2]["test ndcg@10"] is None and shown[2]["status"] == "failed: no item (of 3): none"


def test_means_over_seeds(sweep: Path) -> None:
    found = jobs(sweep)
    table = over_seeds(found)
    assert table is not None
    by_model = {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    values = [job.run.metrics["test"]["ndcg@10"] for job in found[:2] if job.run]
    apart = abs(values[0] - values[1]) / 2**0.5
    assert by_model["fenrec"]["seeds"] == 2
    assert by_model["fenrec"]["test ndcg@10"] == f"{sum(values) / 2:.4f} ± {apart:.4f}"
    assert by_model["icsrec"]["seeds"] == 1
    assert over_seeds(found[2:]) is None


def test_ranks_give_intervals_over_users(sweep: Path) -> None:
    generator, gains = np.random.default_rng(0), []
    for number in ("0", "1"):
        rank = generator.integers(1, 30, 3000).astype(float)
        gains.append(np.where(rank <= 10, 1 / np.log2(rank + 1), 0))
        pl.DataFrame({"user": np.arange(3000), "rank": rank}).write_parquet(sweep / number / PER_USER)
    found = jobs(sweep)
    interval = rows(found)[0]["test ndcg@10"]
    assert isinstance(interval, Interval)
    assert interval == pytest.approx((gains[0].mean(), *ends(gains[0])))
    assert "test ndcg@10,test ndcg@10_low,test ndcg@10_high," in of_jobs(found).csv()
    table = over_seeds(found)
    assert table is not None and list(table.columns[-2:]) == ["test ndcg@10", "± users"]
    low, high = ends(np.mean(gains, axis=0))
    halves = {str(row[0]): row[-1] for row in table.rows}
    assert halves == {"fenrec": pytest.approx((high - low) / 2), "icsrec": None}, "that one has no ranks"


def ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """By scipy."""
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return float(low), float(high)


def test_tables_are_stored(sweep: Path) -> None:
    found = jobs(sweep)
    table = of_jobs(found)
    store(sweep, table, over_seeds(found))
    assert (sweep / "table.csv").read_text(encoding="utf-8") == table.csv()
    assert (sweep / "table.md").read_text(encoding="utf-8").count("\n|--") == 2
    assert (sweep / "table.tex").read_text(encoding="utf-8").count(r"\toprule") == 2
    assert len(jobs(sweep)) == len(found)


def test_jobs_of_two_splits_have_two_tables(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(sweep / "11", "icsrec", "model=icsrec split=time")
    card = sweep / "11" / "protocol.json"
    stored = json.loads(card.read_text())
    card.write_text(json.dumps(stored | {"split": "time: some"}))
    note = sweep / "12" / FAILED
    note.parent.mkdir()
    note.write_text("job 12 (model=fenrec split=time): no memory\n")
    parts = by_split(jobs(sweep))
    assert [[job.number for job in part] for part in parts.values()] == [[0, 1, 2, 3, 4, 10], [11, 12]]
    show_sweep(sweep, jobs(sweep))
    assert "split by time: some" in capsys.readouterr().out
    tables = [(sweep / name).read_text() for name in ("table.csv", "table_2.csv")]
    assert [text.count("finished") for text in tables] == [3, 1] and "no memory" in tables[1]

"""What a training leaves in its run folder, and which weights it reports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
import torch
from omegaconf import OmegaConf
from scipy import stats

from seqrec.metrics import summarise
from tests.integration.comparison import assert_same_results, assert_same_state, curves, load, metrics
from tests.integration.running import Run

CUTOFFS = (5, 10, 20)
METRICS = {f"{name}@{k}" for name in ("recall", "ndcg") for k in CUTOFFS} | {"mrr"}


@pytest.fixture(scope="module")
def folder(run: Run) -> Path:
    return run("trainer.max_epochs=2")


@pytest.fixture(scope="module", autouse=True)
def others_are_undrawn(folder: Path, request: pytest.FixtureRequest) -> None:
    """One run's pictures are looked at."""
    request.getfixturevalue("undrawn")


def test_run_folder_is_complete(folder: Path) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names >= {
        "config.yaml",
        "metrics.json",
        "protocol.json",
        "per_user.parquet",
        "log.csv",
        "curves.png",
        "curves.svg",
        "comparison.png",
        "comparison.svg",
        "slices.png",
        "slices.svg",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }
    assert not [name for name in names if "partial" in name or "-v1" in name]
    for picture in folder.glob("*.png"):
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_config_is_resolved_and_complete(folder: Path) -> None:
    text = (folder / "config.yaml").read_text()
    assert "${" not in text
    config = OmegaConf.create(text)
    assert config.model.backbone.dim == 16
    assert config.model.backbone.num_items == config.catalog.num_items == 150
    assert config.trainer.max_epochs == 2


def test_checkpoints_are_tensors_and_primitives(folder: Path) -> None:
    for name in ("best", "last"):
        assert "state_dict" in load(folder, name)
    assert load(folder)["epoch"] == 1


def test_metrics_follow_from_the_ranks_of_users(folder: Path) -> None:
    result = metrics(folder)
    assert result["epochs"] == 2
    assert result["seconds"] > 0
    assert set(result["val"]) == set(result["test"]) == METRICS
    table = pl.read_parquet(folder / "per_user.parquet")
    assert table.columns == ["user", "target", "rank", "history_length", "target_popularity"]
    assert len(table) == table["user"].n_unique() == 200
    rank = table["rank"].to_numpy()
    assert result["test"] == summarise(torch.from_numpy(rank.copy()), list(CUTOFFS))
    intervals = result["intervals"]
    assert (intervals["level"], intervals["over"]) == (0.95, "users") and set(intervals["test"]) == METRICS
    half = stats.t.ppf(0.975, 199) * stats.sem(1 / rank)
    assert intervals["test"]["mrr"] == pytest.approx([result["test"]["mrr"] - half, result["test"]["mrr"] + half])
    assert set(intervals["references"]) == set(result["references"])
    by_hand = {f"recall@{k}": (rank <= k).mean() for k in CUTOFFS} | {"mrr": (1 / rank).mean()}
    for name, value in by_hand.items():
        assert result["test"][name] == pytest.approx(value, abs=1e-12)


def test_slices_and_references(folder: Path) -> None:
    result = metrics(folder)
    for by in ("history_length", "target_popularity"):
        parts = [part for part in result["slices"] if part["by"] == by]
        assert sum(part["users"] for part in parts) == 200
        mean = sum(part["users"] * part["mrr"] for part in parts) / 200
        assert mean == pytest.approx(result["test"]["mrr"], abs=1e-12)
    references = result["references"]
    assert references["optimum"]["ndcg@10"] > references["markov"]["ndcg@10"] > references["popularity"]["ndcg@10"]


def test_protocol_card(folder: Path) -> None:
    card = json.loads((folder / "protocol.json").read_text())
    assert card["protocol"] == "all_items"
    assert card["evaluated_users"] == card["data"]["users"] == 200
    assert card["data"]["items"] == 150
    assert len(card["data"]["sha256"]) == 64
    assert card["cutoffs"] == list(CUTOFFS)
    assert card["seed"] == 0


def test_log_has_one_row_an_epoch(folder: Path) -> None:
    rows = curves(folder)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {"train/loss", "val/ndcg@10"} <= set(rows[0])


def test_the_tested_weights_are_the_best_on_validation(run: Run, folder: Path) -> None:
    stopped = run("trainer.max_epochs=40", "patience=1", "model.optimizer.lr=0.03")
    result, rows = metrics(stopped), curves(stopped)
    values = [row["val/ndcg@10"] for row in rows]
    best = values.index(max(values)) + 1
    assert result["epochs"] == len(rows) < 40
    assert result["best_epoch"] == best == len(rows) - 1
    assert load(stopped, "best")["epoch"] + 1 == best
    assert load(stopped, "last")["epoch"] + 1 == len(rows)
    assert result["val"]["ndcg@10"] == pytest.approx(max(values), abs=1e-6)
    # A run that ends with the best epoch tests the same weights.
    short = run(f"trainer.max_epochs={best}", "patience=1", "model.optimizer.lr=0.03")
    assert metrics(short)["test"] == result["test"]
    assert pl.read_parquet(short / "per_user.parquet").equals(pl.read_parquet(stopped / "per_user.parquet"))


def test_the_same_command_gives_the_same_run(run: Run, folder: Path) -> None:
    again = run("trainer.max_epochs=2")
    assert again != folder
    assert_same_state(folder, again)
    assert_same_results(folder, again)


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_change_nothing(run: Run, folder: Path, workers: int) -> None:
    other = run("trainer.max_epochs=2", f"data.num_workers={workers}")
    assert_same_state(folder, other)
    assert_same_results(folder, other)


@pytest.mark.parametrize("model", ["popularity", "markov"])
def test_models_without_weights_run_through(run: Run, model: str) -> None:
    folder = run(f"model={model}", "protocol=fenrec")
    result = metrics(folder)
    assert result["test"] == result["references"][model]
    assert result["epochs"] == 1


@pytest.mark.usefixtures("quick_jobs")
def test_multirun_gives_each_job_its_folder(run: Run) -> None:
    sweep = run("-m", "seed=0,1", "trainer.max_epochs=1")
    first, second = (metrics(sweep / number) for number in ("0", "1"))
    assert first["test"] != second["test"]
    assert first["references"] == second["references"]


def test_a_fast_run_limits_training_validation_and_test(run: Run) -> None:
    folder = run("+debug=fast", "data.batch_size=16", "data.eval_batch_size=16", "trainer.max_epochs=1")
    assert len(pl.read_parquet(folder / "per_user.parquet")) == 3 * 16
    assert sum(part["users"] for part in metrics(folder)["slices"] if part["by"] == "history_length") == 3 * 16
    assert metrics(folder)["references"]["popularity"]["mrr"] > 0


def test_a_fast_run_is_short_in_its_first_stage_too(run: Run) -> None:
    folder = run("+debug=fast", "model=s3rec", "settings=none", "windows=full_chunks")
    assert len((folder / "warm_start" / "log.csv").read_text().splitlines()) == 1 + 2


def test_the_start_says_device_precision_batches_budget_and_settings(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("trainer.max_epochs=1", "data.batch_size=16")
    lines = capsys.readouterr().out.splitlines()
    assert "values  of conf/settings/sasrec/synthetic.yaml" in lines
    assert len([line for line in lines if "200 users, 150 items" in line]) == 1, "the data are described once"
    assert any(re.fullmatch(r"device  cpu, 1 thread, precision 32-true", line) for line in lines)
    assert any(re.fullmatch(r"budget  at most 1 epoch, \d+ batches an epoch, 50 epochs .*", line) for line in lines)
    assert "stopped after epoch 1 of 1: 1 epoch was to be trained (trainer.max_epochs)" in lines
    assert "ranking by popularity, markov, optimum too (on the CPU; minutes on large data)" in lines

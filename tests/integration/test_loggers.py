"""Any of Lightning's loggers, several at once: each gets the curves and the result, none ends the run of another."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pytest

from tests.integration.comparison import metrics
from tests.integration.running import Run

pytestmark = pytest.mark.usefixtures("undrawn")


def logged(folder: Path) -> dict[str, float]:
    """The last value of each column of Lightning's CSV logger."""
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        return {name: float(value) for row in csv.DictReader(file) for name, value in row.items() if value}


def test_the_csv_logger_gets_curves_and_result(run: Run) -> None:
    folder = run("logger=csv", "trainer.max_epochs=2")
    values = logged(folder)
    assert values["test/ndcg@10"] == metrics(folder)["test"]["ndcg@10"]
    assert {"train/loss", "val/ndcg@10", "val/mrr"} <= set(values)
    assert "seed: 0" in (folder / "csv" / "hparams.yaml").read_text()


def test_two_loggers_at_once(run: Run) -> None:
    pytest.importorskip("wandb")
    folder = run("logger=[csv,wandb]", "trainer.max_epochs=1")
    assert logged(folder)["test/mrr"] == metrics(folder)["test"]["mrr"]
    assert list(folder.glob("wandb/offline-run-*"))


def test_without_a_logger_there_is_only_the_run_folder_s_own_log(run: Run) -> None:
    folder = run("trainer.max_epochs=1")
    assert (folder / "log.csv").exists()
    assert (
        not (folder / "csv").exists() and not (folder / "wandb").exists() and not (folder / "lightning_logs").exists()
    )


@pytest.mark.skipif(bool(importlib.util.find_spec("tensorboard")), reason="tensorboard is installed here")
def test_a_logger_whose_package_is_missing_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as end:
        run("logger=tensorboard", "trainer.max_epochs=1")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2
    assert line.startswith("error: logger=tensorboard needs a package") and line.endswith("pip install tensorboard")

"""Sets and budgets of size 0 and 1: each gives a result, or one line and exit status 2 before anything is trained."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from tests.choice import thorough_but
from tests.integration.comparison import curves, load, metrics
from tests.integration.running import Run, undrawn

TINY = [
    "data.num_users=20", "data.num_items=30", "data.shortest=4", "data.longest=8", "data.batch_size=8",
    "settings=none", "trainer.max_epochs=1",
]  # fmt: skip


def log_file(folder: Path, histories: list[list[int]]) -> list[str]:
    """A sequence file, a user a line, as it is given on the command line."""
    folder.mkdir(exist_ok=True)
    lines = [" ".join(map(str, [user, *history])) for user, history in enumerate(histories, start=1)]
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    return ["data=custom", f"data.path={folder / 'log.txt'}", "data.min_user=1", "data.min_item=1", "settings=none"]


ONE = [
    ["data.num_users=1"],
    ["data.batch_size=1"],
    ["data.max_length=1"],
    ["trainer.max_steps=1"],
    ["protocol.cutoffs=[1]", "model.monitor=mrr"],
]
OTHERS = [
    ["data.batch_size=1000"],
    ["data.eval_batch_size=1"],
    ["trainer.limit_train_batches=1"],
    ["protocol.cutoffs=[1000]", "model.monitor=mrr"],
    ["patience=1"],
]


@pytest.mark.parametrize("changes", thorough_but(ONE, [*ONE, *OTHERS]))
def test_a_size_of_one_gives_a_result(run: Run, changes: list[str]) -> None:
    with undrawn():
        result = metrics(run(*TINY, *changes))
    assert all(math.isfinite(value) for value in [*result["test"].values(), *result["val"].values()])


@pytest.mark.parametrize("model", thorough_but(["sasrec"], ["sasrec", "popularity", "markov"]))
@pytest.mark.parametrize(
    "histories",
    [
        [[1, 2, 3, 4], [1, 2]],
        [[1, 1, 1, 1], [1, 1, 1, 1]],
        [[1, 2, 3, 4]],
    ],
    ids=["one evaluated user", "one item", "one user"],
)
def test_data_of_size_one_gives_a_result(run: Run, tmp_path: Path, model: str, histories: list[list[int]]) -> None:
    result = metrics(run(*log_file(tmp_path, histories), f"model={model}", "trainer.max_epochs=1"))
    assert all(math.isfinite(value) for value in result["test"].values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["trainer.max_epochs=0"], "the budget ended before the first step"),
        (["trainer.max_epochs=-3"], "-3"),
        (["trainer.max_steps=0"], "the budget ended before the first step"),
        (["trainer.max_time=00:00:00:00"], "the budget ended before the first step"),
        (["trainer.limit_train_batches=0"], "the budget ended before the first step"),
        (["data.batch_size=0"], "batch_size is 0; it must be at least 1"),
        (["data.max_length=0"], "max_length is 0; it must be at least 1"),
        (["data.num_users=0"], "num_users"),
        (["data.shortest=3", "data.longest=3"], "0 of 20 users have the 4"),
        (["model.backbone.dim=0"], "model.backbone.dim=0: it must be at least 1"),
        (["model.backbone.num_heads=0"], "num_heads"),
        (["model.backbone.num_layers=0"], "num_layers"),
    ],
)
def test_a_size_of_zero_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], changes: list[str], message: str
) -> None:
    refused(run, monkeypatch, capfd, [*TINY, *changes], message)


@pytest.mark.parametrize("model", ["sasrec", "popularity"])
@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ([[1, 2], [2, 1]], "no user can be evaluated: that takes 3 interactions, and the longest history"),
        ([[1, 2, 3], [2, 1, 3]], "has no training example.*0 of 2 users have the 4"),
    ],
    ids=["nobody is evaluated", "nothing to learn from"],
)
def test_data_of_size_zero_is_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    model: str,
    histories: list[list[int]],
    message: str,
) -> None:
    refused(run, monkeypatch, capfd, [*log_file(tmp_path, histories), f"model={model}"], message)


def test_a_budget_of_steps_that_ends_inside_an_epoch_ends_with_a_validation(run: Run) -> None:
    """Each epoch has three steps; what the log says of the cut one was measured on its weights."""
    cut = run(*TINY, "trainer.max_epochs=5", "trainer.max_steps=4", "model.optimizer.lr=0.03")
    rows, result = curves(cut), metrics(cut)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert load(cut)["global_step"] == 4
    assert rows[0]["val/mrr"] != rows[1]["val/mrr"]
    assert result["val"]["ndcg@10"] == pytest.approx(max(row["val/ndcg@10"] for row in rows), abs=1e-6)


def refused(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    overrides: list[str],
    message: str,
) -> None:
    """The command ends in one line that contains ``message``, status 2, and no result."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as end:
        run(*overrides)
    assert end.value.code == 2
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert re.search(message, error[0]), error

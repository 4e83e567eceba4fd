"""What the terminal shows while a model trains, and what is printed where there is none."""

from __future__ import annotations

import io
import math
import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rich.console import Console
from torch import Tensor

from seqrec.training.callbacks import progress, screen
from seqrec.training.callbacks.pace import Pace, Phase, duration
from seqrec.training.callbacks.progress import EpochProgress
from seqrec.training.callbacks.screen import Screen
from tests.training.line import Line, batches


class Judged(Line):
    """A line whose validation metric never gets better."""

    monitor = "ndcg@10"

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/ndcg@10", 0.25)

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("test/ndcg@10", 0.25)


def train(*callbacks: pl.Callback, epochs: int = 3, **options: Any) -> pl.Trainer:
    """Train, validate and test with batches of one example."""
    data = batches()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
    module = Judged()
    trainer.fit(module, data, data)
    trainer.validate(module, data, verbose=False)
    trainer.test(module, data, verbose=False)
    return trainer


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of 80 columns is sent."""
    sent = io.StringIO()
    console = Console(file=sent, force_terminal=True, width=80, height=24, highlight=False, color_system=None)
    monkeypatch.setattr(screen, "console", console)
    monkeypatch.setattr(progress, "console", console)
    monkeypatch.setattr(screen, "REDRAWN", 0.0)
    return sent


@pytest.mark.parametrize(
    ("before", "best"),
    [
        pytest.param(None, "0.2500", id="first epoch"),
        pytest.param(0.2, "0.2500", id="new best"),
        pytest.param(0.5, "0.5000", id="best before a resume"),
    ],
)
def test_the_best_so_far_is_that_of_the_checkpoint(
    before: float | None, best: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = None if before is None else torch.tensor(before)
    checkpoint = ModelCheckpoint(monitor="val/ndcg@10")
    checkpoint.best_model_score = kept
    trainer: Any = SimpleNamespace(
        callback_metrics={"val/ndcg@10": torch.tensor(0.25)},
        checkpoint_callback=checkpoint,
        current_epoch=7,
        is_global_zero=True,
    )
    progress = EpochProgress()
    progress.validated = 1.0
    module: Any = SimpleNamespace(monitor="ndcg@10")
    progress.on_train_epoch_end(trainer, module)
    assert capsys.readouterr().out.startswith(f"epoch    8  val ndcg@10 0.2500, best {best}, ")


def test_without_a_terminal_there_is_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    train(EpochProgress(), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"device  cpu, \d+ threads?, precision 32-true", lines[0])
    assert lines[1] == "budget  at most 2 epochs, 4 batches an epoch"
    assert [line[:10] for line in lines[2:]] == ["epoch    1", "epoch    2", "stopped af"]


def test_without_a_terminal_long_epochs_validations_and_tests_speak_inside(capsys: pytest.CaptureFixture[str]) -> None:
    train(EpochProgress(line_seconds=1e-9), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    inside = [line for line in lines if "batch 3 of 4" in line]
    training = r"epoch {} of 2, batch 3 of 4, loss \d\.\d{{4}}, [\d.]+ batches/s, 0:0\d left; whole training: "
    validating = r"epoch {} of 2, validating, batch 3 of 4, [\d.]+ batches/s, 0:0\d left; whole training: .*"
    assert re.fullmatch(training.format(1) + r"more than 0:0\d left", inside[0])  # nobody knows validation yet
    assert re.fullmatch(validating.format(1), inside[1])
    assert re.fullmatch(training.format(2) + r"0:0\d left", inside[2])
    assert re.fullmatch(validating.format(2), inside[3])
    assert re.fullmatch(r"validating, batch 3 of 4, [\d.]+ batches/s, 0:0\d left", inside[4])
    assert re.fullmatch(r"testing, batch 3 of 4, [\d.]+ batches/s, 0:0\d left", inside[5])


def test_a_terminal_shows_the_epoch_inside(terminal: io.StringIO) -> None:
    train(EpochProgress(), epochs=2)
    text = terminal.getvalue()
    assert re.search(r"epoch 2 of 2, whole training: ", text)
    assert re.search(r"batch 3 of 4  .*loss \d\.\d{4}, [\d.]+ batches/s, 0:0\d left", text)
    assert "val ndcg@10 0.2500, best 0.2500 in epoch 1" in text
    assert "validating, batch 4 of 4" in text and "testing, batch 4 of 4" in text
    assert "…" not in text


def test_80_columns_lose_no_digit(terminal: io.StringIO) -> None:
    shown = Screen(True, 60)
    phase = Phase(123456, 12345)
    phase.started -= 1.0
    shown.show("epoch 123 of 300", "whole training: at most 123:45:59 left", "batch", phase, "loss 123.4567", "best")
    shown.close()
    assert "…" not in terminal.getvalue()
    lines = re.sub(r"\x1b\[[\d?]*\w", "", terminal.getvalue()).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    row = next(line for line in lines if "batch 12345 of 123456" in line)
    assert re.search(r"loss 123\.4567, \d+\.\d batches/s, \d+:\d\d left", row)


def test_a_bar_can_be_switched_off(terminal: io.StringIO) -> None:
    train(EpochProgress(bar=False), epochs=1)
    text = terminal.getvalue()
    assert "epoch    1  val ndcg@10 0.2500" in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({}, "stopped after epoch 3 of 3: 3 epochs were to be trained (trainer.max_epochs)", id="epochs"),
        pytest.param(
            {"max_steps": 6},
            "stopped in epoch 2 of 3, after batch 2 of 4: 6 steps were to be made (trainer.max_steps)",
            id="steps",
        ),
        pytest.param(
            {"max_time": timedelta(microseconds=1)},
            "stopped in epoch 1 of 3, after batch 1 of 4: the time is over (trainer.max_time)",
            id="time",
        ),
    ],
)
def test_the_reason_of_a_stop_is_said(options: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    train(EpochProgress(), **options)
    assert reason in capsys.readouterr().out.splitlines()


def test_patience_at_its_end_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    train(EpochProgress(), EarlyStopping("val/ndcg@10", mode="max", patience=2), epochs=9)
    lines = capsys.readouterr().out.splitlines()
    assert "budget  at most 9 epochs, 4 batches an epoch, 2 epochs without a better one" in lines
    assert "stopped after epoch 3 of 9: val/ndcg@10 was not better for 2 epochs (patience)" in lines


def trainer_of(**values: Any) -> Any:
    known = {"max_epochs": 10, "max_steps": -1, "current_epoch": 1, "global_step": 150, "callbacks": []}
    more = {"check_val_every_n_epoch": 1, "num_val_batches": [5], "early_stopping_callback": None}
    return SimpleNamespace(**known | more | values)


def running(done: int, seconds: float) -> Phase:
    phase = Phase(100, done)
    phase.started -= seconds
    return phase


def test_the_time_left_knows_validation_and_budgets() -> None:
    pace = Pace(batches=100, seconds=100.0, validation=20.0)
    # Half of this epoch and eight more at a batch a second, and nine validations.
    assert pace.left(trainer_of(), running(50, 50.0), 50.0, None) == f"{duration(50 + 800 + 180)} left"
    # Fifty steps more, then one validation.
    assert pace.left(trainer_of(max_steps=200), running(50, 50.0), 50.0, None) == "1:10 left"
    # Every fourth epoch is validated.
    rarely = trainer_of(check_val_every_n_epoch=4)
    assert pace.left(rarely, running(50, 50.0), 50.0, None) == f"{duration(50 + 800 + 60)} left"
    stopping = trainer_of(early_stopping_callback=SimpleNamespace(patience=3))
    assert pace.left(stopping, running(50, 50.0), 50.0, None) == f"at most {duration(1030)} left"


def test_the_time_left_is_not_said_before_it_is_known() -> None:
    assert Pace().left(trainer_of(), Phase(100), 0.0, None) == ""
    assert Pace().left(trainer_of(), running(50, 50.0), 50.0, None).startswith("more than ")
    endless = trainer_of(max_epochs=-1)
    assert Pace(validation=1.0).left(endless, running(50, 50.0), 50.0, None) == ""
    assert Phase(math.inf, 3).left is None


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (80, "1:20"), (3600, "1:00:00"), (356400, "99:00:00")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_showing_draws_no_random_number(tmp_path: Path) -> None:
    states = []
    for callbacks in ([], [EpochProgress(line_seconds=1e-9)]):
        torch.manual_seed(0)
        train(*callbacks)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)

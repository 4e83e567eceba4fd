"""When a training without progress ends: after epochs, and not before it has made some steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from torch import Tensor

from seqrec.training.callbacks.checkpoints import EarlyStopping
from seqrec.training.callbacks.pace import Phase
from seqrec.training.callbacks.start_and_end import machine, stop_reason
from tests.factories import quiet_trainer
from tests.training import line
from tests.training.line import BATCHES, Line


class Plateau(Line):
    """A line whose validation metric never gets better."""

    monitor = "ndcg@10"

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/ndcg@10", 0.25)


def train(
    stopping: EarlyStopping, batches: int = BATCHES, checkpoint: Path | None = None, **options: Any
) -> pl.Trainer:
    trainer = quiet_trainer(callbacks=[stopping], **({"max_epochs": 30} | options))
    trainer.fit(Plateau(), line.batches(batches), line.batches(batches), ckpt_path=checkpoint, weights_only=True)
    return trainer


@pytest.mark.parametrize(
    ("patience", "steps", "options", "waited"),
    [
        (2, None, {}, 2),
        (2, 8, {}, 2),
        (2, 9, {}, 3),  # of four steps each
        (5, 9, {}, 5),
        (2, 9, {"accumulate_grad_batches": 2}, 5),
        (2, 9, {"limit_train_batches": 1}, 9),
        (None, 9, {"max_epochs": 12}, 11),
    ],
)
def test_epochs_without_progress(patience: int | None, steps: int | None, options: dict[str, Any], waited: int) -> None:
    """The first epoch is the best; then as many are waited for."""
    trainer = train(EarlyStopping(patience, patience_steps=steps), **options)
    assert trainer.current_epoch == 1 + waited


def test_what_is_said() -> None:
    trainer = train(EarlyStopping(2, patience_steps=9))
    assert "3 epochs without a better one" in machine(trainer)
    assert "not better for 3 epochs (patience_steps)" in stop_reason(trainer, Phase(4, done=4))
    trainer = train(EarlyStopping(4, patience_steps=9))
    assert "not better for 4 epochs (patience)" in stop_reason(trainer, Phase(4, done=4))


def test_a_resumed_run_counts_by_the_epochs_of_the_first(tmp_path: Path) -> None:
    """Windows that are cut at random places differ in number from epoch to epoch."""
    first = train(EarlyStopping(2, patience_steps=12), max_epochs=2)
    first.save_checkpoint(tmp_path / "last.ckpt")
    rest = train(EarlyStopping(2, patience_steps=12), batches=2, checkpoint=tmp_path / "last.ckpt")
    assert rest.current_epoch == 1 + 3
    longer = train(EarlyStopping(2, patience_steps=20), batches=2, checkpoint=tmp_path / "last.ckpt")
    assert longer.current_epoch == 1 + 5


def test_patience_counts_epochs_however_many_are_validated() -> None:
    trainer = train(EarlyStopping(4), check_val_every_n_epoch=2)
    assert trainer.current_epoch == 2 + 4  # the first validation is the best
    assert "not better for 4 epochs (patience)" in stop_reason(trainer, Phase(4, done=4))
    trainer = train(EarlyStopping(5, patience_steps=9), check_val_every_n_epoch=2)
    assert trainer.current_epoch == 2 + 6
    trainer = train(EarlyStopping(None), check_val_every_n_epoch=2, max_epochs=3)
    assert "without a better one" not in machine(trainer)

"""The log of epochs when a run is resumed in the middle of one, as a job does that Slurm puts back in its queue."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import pytorch_lightning as lightning
from torch import Tensor

from seqrec.runs.folder import LOG
from seqrec.training.callbacks.epoch_log import EpochLog
from tests.factories import quiet_trainer
from tests.training.line import BATCHES, Line, batches, fit


class Stopped(Exception):
    pass


class StopInTheMiddle(lightning.Callback):
    def on_train_batch_end(self, trainer: lightning.Trainer, *args: Any) -> None:
        if trainer.global_step == BATCHES + BATCHES // 2:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "middle.ckpt")
            raise Stopped


def test_the_rest_of_an_epoch_is_logged_with_its_own_seconds(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fit(tmp_path, EpochLog(), StopInTheMiddle())
    assert pl.read_csv(tmp_path / LOG)["epoch"].to_list() == [1]
    start = time.perf_counter()
    fit(tmp_path, EpochLog(), checkpoint=tmp_path / "middle.ckpt")
    log = pl.read_csv(tmp_path / LOG)
    assert log["epoch"].to_list() == [1, 2, 3]
    assert log["train_seconds"][1:].sum() < time.perf_counter() - start


def test_a_column_that_begins_late_is_written(tmp_path: Path) -> None:
    log = EpochLog()
    log.rows = [{"epoch": float(epoch)} for epoch in range(1, 150)]
    log.rows[-1]["val/ndcg@10"] = 0.5
    fit(tmp_path, log, epochs=1)
    assert pl.read_csv(tmp_path / LOG, infer_schema_length=None)["val/ndcg@10"].drop_nulls().to_list() == [0.5]


class Judged(Line):
    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.log("train/loss", 1.0)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/ndcg@10", 0.1 * self.current_epoch)


def test_an_epoch_without_validation_has_no_result_of_another(tmp_path: Path) -> None:
    trainer = quiet_trainer(
        callbacks=[EpochLog()], max_epochs=5, check_val_every_n_epoch=2, default_root_dir=tmp_path, logger=False
    )
    trainer.fit(Judged(), batches(), batches())
    log = pl.read_csv(tmp_path / LOG, infer_schema_length=None)
    assert log["val/ndcg@10"].to_list() == pytest.approx([None, 0.1, None, 0.3, None])
    assert log["train/loss"].to_list() == [1.0] * 5

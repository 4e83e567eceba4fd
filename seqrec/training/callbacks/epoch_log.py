"""The log of epochs: what each cost and gave, in a CSV file that grows with the run, resumed or not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
from pytorch_lightning import Callback

from seqrec.data.writing import write_csv
from seqrec.runs.files import replacing
from seqrec.runs.folder import LOG


class EpochLog(Callback):
    """Writes ``log.csv``: epoch, seconds of training and of validation, and all metrics; stored in checkpoints."""

    state_key = "History"  # the name of this class in checkpoints of version 0.1

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.started = self.validation_started = self.validation = 0.0

    @property
    def seconds(self) -> float:
        """Training and validation time of all epochs so far, also those before a resume."""
        return sum(row["train_seconds"] + row["val_seconds"] for row in self.rows)

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start the clock; a run that is resumed in the middle of an epoch never starts that epoch."""
        self._start_clock()

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start the clock of the epoch."""
        self._start_clock()

    def on_validation_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start the clock of the validation."""
        self.validation_started = time.perf_counter()

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Stop the clock of the validation."""
        self.validation = time.perf_counter() - self.validation_started

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Add the epoch's row and write the file anew."""
        # In an epoch without validation, callback_metrics still holds the results of the last one.
        stale = () if self.validation else ("val/",)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if not name.startswith(stale)}
        training = time.perf_counter() - self.started - self.validation
        row = {"epoch": trainer.current_epoch + 1, "train_seconds": training, "val_seconds": self.validation}
        self.rows.append(row | metrics)
        if trainer.is_global_zero:
            with replacing(Path(trainer.default_root_dir) / LOG) as partial:
                # A column may begin late: that of validation, where not every epoch is validated.
                write_csv(partial, pl.DataFrame(self.rows, infer_schema_length=None))

    def _start_clock(self) -> None:
        self.started, self.validation = time.perf_counter(), 0.0

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue a stopped run's rows."""
        self.rows = state_dict["rows"]

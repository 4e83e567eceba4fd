"""Wall and CPU seconds of a training, by batches, epochs and evaluations.

A GPU works behind the host: a clock is read when both are done. Single steps are not waited for.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from seqrec.training.measure import done, since


class Clock(pl.Callback):
    """Wall and CPU seconds of batches and of whole epochs.

    Attributes:
        epochs: (wall, CPU) seconds of each training epoch, validation not counted.
        loops: the same from the first batch to the last, without what a model does before them.
        evaluations: (wall, CPU) seconds of each full validation.
        first_batch: wall seconds from the start of fitting to the end of the first batch.
        tokens, pairs: valid and supervised positions of the last epoch.
    """

    def __init__(self) -> None:
        self.epochs: list[tuple[float, float]] = []
        self.loops: list[tuple[float, float]] = []
        self.evaluations: list[tuple[float, float]] = []
        self.first_batch = 0.0
        self.tokens = self.pairs = self.steps = 0
        self.fit_start = self.epoch_start = self.loop_start = self.validation_start = (0.0, 0.0)
        self.in_validation = self.loop = (0.0, 0.0)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start."""
        self.fit_start = done(module.device)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Reset the epoch's counts."""
        self.epoch_start, self.in_validation = done(module.device), (0.0, 0.0)
        self.tokens = self.pairs = self.steps = 0

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Start the clock of the steps."""
        if batch_idx == 0:
            self.loop_start = done(module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count what the batch held, and read the clock of the steps after the first batch and the last one."""
        self.tokens += batch.counts.items
        self.pairs += batch.counts.supervised
        self.steps += 1
        if not self.first_batch:
            self.first_batch = since(self.fit_start, module.device)[0]
        if trainer.is_last_batch:
            self.loop = since(self.loop_start, module.device)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the validation's clock."""
        self.validation_start = done(module.device)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the validation's clock."""
        self.in_validation = since(self.validation_start, module.device)
        self.evaluations.append(self.in_validation)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the epoch's clock."""
        wall, cpu = since(self.epoch_start, module.device)
        self.epochs.append((wall - self.in_validation[0], cpu - self.in_validation[1]))
        self.loops.append(self.loop)


def median(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Medians of both columns."""
    columns = [sorted(column) for column in zip(*pairs, strict=True)]
    return columns[0][len(pairs) // 2], columns[1][len(pairs) // 2]

"""The progress of a training in the terminal, with the time left."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(highlight=False)


class EpochProgress(pl.Callback):
    """A bar over the batches of all epochs with the time left; one plain line an epoch without a terminal."""

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock, also for the rest of an epoch; show the bar where someone can see it."""
        self.started = time.perf_counter()
        if not (console.is_terminal and trainer.is_global_zero):
            return
        columns = (
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeElapsedColumn(),
        )
        self.bar = Progress(*columns, TextColumn("left at most"), TimeRemainingColumn(), console=console)
        self.task = self.bar.add_task("training", total=trainer.max_epochs, completed=trainer.current_epoch)
        self.bar.start()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self.started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar by a part of an epoch."""
        if self.bar is not None:
            done = trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches
            self.bar.update(self.task, completed=round(done, 2))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the validation metric of the epoch, or the loss where nothing is validated."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        monitor = module.monitor
        if f"val/{monitor}" in metrics:
            value = metrics[f"val/{monitor}"]
            assert isinstance(trainer.checkpoint_callback, ModelCheckpoint)
            before = trainer.checkpoint_callback.best_model_score  # of earlier epochs, also those before a resume
            best = value if before is None else max(value, float(before))
            text = f"val {monitor} {value:.4f}, best {best:.4f}"
        else:
            text = f"train loss {metrics['train/loss']:.4f}"
        if self.bar is not None:
            self.bar.update(self.task, description=text)
        elif trainer.is_global_zero:
            seconds = time.perf_counter() - self.started
            console.print(f"epoch {trainer.current_epoch + 1:4d}  {text}, {seconds:.1f} s")

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Leave the last state of the bar on the screen."""
        self._stop()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

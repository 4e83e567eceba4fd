"""The progress of a training in the terminal: this epoch, the time left, the best so far, and why it ended."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn

from seqrec.training.callbacks.pace import Pace, Phase
from seqrec.training.callbacks.screen import Screen, console
from seqrec.training.callbacks.start_and_end import machine, stop_reason


class EpochProgress(pl.Callback):
    """Shows epoch, batch, loss, batches a second and the time left; validation and test the same way.

    In a terminal these lines are drawn anew again and again. Elsewhere there is a line an epoch, and one each
    ``line_seconds`` inside what takes longer.

    Args:
        bar: whether to draw in a terminal; if not, it gets the plain lines.
        line_seconds: between two plain lines inside an epoch, a validation or a test.

    Raises:
        ValueError: the seconds are not positive.
    """

    def __init__(self, bar: bool = True, line_seconds: float = 60) -> None:
        if line_seconds <= 0:
            raise ValueError(f"callbacks.progress.line_seconds is {line_seconds}; give a positive number of seconds")
        self.bar, self.line_seconds = bar, line_seconds
        self.screen: Screen | None = None
        self.pace, self.epoch = Pace(), Phase(math.inf)
        self.evaluation: Phase | None = None
        self.started = self.validated = 0.0
        self.last = self.best_epoch = ""

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say on what and how long it will train; start the clock, also for the rest of an epoch."""
        self.started = time.perf_counter()
        self.pace, self.epoch = Pace(trainer.global_step), Phase(trainer.num_training_batches)
        if trainer.is_global_zero:
            console.print(machine(trainer), soft_wrap=True)
        self._open(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self.started, self.validated, self.epoch = time.perf_counter(), 0.0, Phase(trainer.num_training_batches)
        if self.draws:
            self._show(trainer, "batch", self.epoch)

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Start the clock of the batches, without what a model does before the first."""
        if not self.epoch.done:
            self.epoch = Phase(trainer.num_training_batches, batch_idx, batch_idx)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch; look at its loss where it is to be shown."""
        self.epoch.done = batch_idx + 1
        if self.screen is not None and self.screen.due():
            loss = loss_of_step(module, outputs)
            self._show(trainer, "batch", self.epoch, "" if loss is None else f"loss {loss:.4f}")

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show a validation of its own, or that of the epoch."""
        self._start_evaluation(trainer, trainer.num_val_batches)

    def on_validation_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *batch: Any) -> None:
        """Count the batch."""
        self._count_evaluated(trainer, "validating, batch")

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Remember how long a validation takes."""
        self._end_evaluation(trainer)

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the test."""
        self._start_evaluation(trainer, trainer.num_test_batches)

    def on_test_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *batch: Any) -> None:
        """Count the batch."""
        self._count_evaluated(trainer, "testing, batch")

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take it off the screen."""
        self._end_evaluation(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the validation metric of the epoch, or the loss where nothing is validated."""
        seconds = time.perf_counter() - self.started
        self.pace.add(self.epoch, seconds - self.validated)
        self.epoch.begun = self.epoch.done  # counted
        self.last = self._result(trainer, module)
        if not self.draws and trainer.is_global_zero:
            console.print(f"epoch {trainer.current_epoch + 1:4d}  {self.last}, {seconds:.1f} s", soft_wrap=True)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Leave the last result on the screen and say why it is the last."""
        if self.screen is not None:
            if self.draws:
                self.screen.show("", "", "batch", self.epoch, result=self.last)
            self._close()
        if trainer.is_global_zero:
            console.print(stop_reason(trainer, self.epoch), soft_wrap=True)

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._close()

    @property
    def draws(self) -> bool:
        """Whether lines of a terminal are drawn anew at the moment."""
        return self.screen is not None and self.screen.live is not None

    def _result(self, trainer: pl.Trainer, module: pl.LightningModule) -> str:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        monitor = module.monitor
        if f"val/{monitor}" not in metrics or not self.validated:
            return f"train loss {metrics['train/loss']:.4f}" if "train/loss" in metrics else "nothing measured"
        value, kept = metrics[f"val/{monitor}"], trainer.checkpoint_callback
        # Of earlier epochs, also those before a resume.
        before = kept.best_model_score if isinstance(kept, ModelCheckpoint) else None
        if before is None or value > float(before):
            self.best_epoch = f" in epoch {trainer.current_epoch + 1}"
        best = value if before is None else max(value, float(before))
        return f"val {monitor} {value:.4f}, best {best:.4f}{self.best_epoch if self.draws else ''}"

    def _show(self, trainer: pl.Trainer, what: str, phase: Phase, details: str = "") -> None:
        assert self.screen is not None
        if trainer.state.fn != TrainerFn.FITTING:
            self.screen.show("", "", what, phase)
            return
        limit = f" of {trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
        seconds = time.perf_counter() - self.started - self.validated
        left = self.pace.left(trainer, self.epoch, seconds, self.evaluation)
        whole = f"whole training: {left}" if left else ""
        self.screen.show(f"epoch {trainer.current_epoch + 1}{limit}", whole, what, phase, details, self.last)

    def _start_evaluation(self, trainer: pl.Trainer, batches: list[int | float]) -> None:
        self.evaluation = Phase(sum(batches))
        if trainer.state.fn != TrainerFn.FITTING:
            self._open(trainer)

    def _count_evaluated(self, trainer: pl.Trainer, what: str) -> None:
        if self.evaluation is not None:
            self.evaluation.done += 1
            if self.screen is not None and self.screen.due():
                self._show(trainer, what, self.evaluation)

    def _end_evaluation(self, trainer: pl.Trainer) -> None:
        if self.evaluation is not None:
            self.pace.validation = self.validated = time.perf_counter() - self.evaluation.started
            self.evaluation = None
        if trainer.state.fn != TrainerFn.FITTING:
            self._close(leave=False)

    def _open(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero:
            self.screen = Screen(self.bar and console.is_terminal, self.line_seconds)

    def _close(self, leave: bool = True) -> None:
        if self.screen is not None:
            self.screen.close(leave)
            self.screen = None


def loss_of_step(module: pl.LightningModule, outputs: Any) -> float | None:
    """The loss of the last batch: what the model names so among its terms, else what its step returned."""
    loss = getattr(module, "last_terms", {}).get("train/loss")
    if loss is None:
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return float(loss) if isinstance(loss, torch.Tensor) else None

"""What loggers are told of single steps, and what an epoch cost: nothing here changes a step or draws a number."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from seqrec.nn.sharding import whole
from seqrec.training.callbacks.progress import loss_of_step
from seqrec.training.measure import peak_memory_mb


class StepLog(pl.Callback):
    """Sends loss, learning rate and gradient norm every n steps, and seconds, examples a second and memory an epoch.

    They are ``step/loss``, ``step/lr`` (a number more from the second optimizer on), ``step/grad_norm`` (before
    clipping, of all parameters that the step moves), ``cost/...``. Without a logger it does nothing.

    Args:
        every_n_steps: batches between two looks, each of which makes a GPU wait; 0 looks at no step.

    Raises:
        ValueError: the number is negative.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        if every_n_steps < 0:
            raise ValueError(f"callbacks.step_log.every_n_steps is {every_n_steps}; give 0 or more")
        self.every_n_steps = every_n_steps
        self.due = False
        self.squares: list[Tensor] = []
        self.examples = 0
        self.started = self.validation_started = self.validation = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self.started, self.validation, self.examples = time.perf_counter(), 0.0, 0

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Decide whether to look at this step."""
        self.due = bool(trainer.loggers and self.every_n_steps) and (batch_idx + 1) % self.every_n_steps == 0
        self.squares = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Optimizer) -> None:
        """Add the gradients of one optimizer."""
        if self.due:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            self.squares += [whole(_values(gradient).detach().float().square().sum()) for gradient in gradients]

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Send what was seen."""
        self.examples += len(getattr(batch, "row", ()))
        if not self.due:
            return
        found: dict[str, float] = {}
        loss = loss_of_step(module, outputs)
        if loss is not None:
            found["step/loss"] = loss
        if self.squares:
            found["step/grad_norm"] = math.sqrt(float(torch.stack(self.squares).sum()))
        for number, optimizer in enumerate(trainer.optimizers):
            name = "step/lr" if number == 0 else f"step/lr_{number + 1}"
            found[name] = float(optimizer.param_groups[0]["lr"])
        self._send(trainer, found, _batches(trainer))

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of the validation."""
        self.validation_started = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the clock of the validation."""
        self.validation = time.perf_counter() - self.validation_started

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Send what the epoch cost."""
        if not trainer.loggers:
            return
        seconds = time.perf_counter() - self.started - self.validation
        cost = {"train_seconds": seconds, "val_seconds": self.validation, "peak_memory_mb": peak_memory_mb()}
        if self.examples:
            cost["examples_per_second"] = self.examples * trainer.world_size / max(seconds, 1e-9)
        # Counted already: this belongs to the last batch, as what Lightning logs of an epoch.
        self._send(trainer, {f"cost/{name}": value for name, value in cost.items()}, _batches(trainer) - 1)

    def _send(self, trainer: pl.Trainer, values: dict[str, float], step: int) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(values | {"epoch": float(trainer.current_epoch)}, step=max(step, 0))


def _batches(trainer: pl.Trainer) -> int:
    """Finished batches, Lightning's x axis of what it logs; several optimizers in a batch count once."""
    return trainer.fit_loop.epoch_loop._batches_that_stepped


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient

"""What is said when a training starts, and why it ended."""

from __future__ import annotations

import sys

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping, Timer
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason

from seqrec.training.callbacks.pace import Phase, duration


def machine(trainer: Trainer) -> str:
    """Two lines: the device and the precision; the budget and the batches of an epoch."""
    device = trainer.strategy.root_device
    name = f"cpu, {_count(torch.get_num_threads(), 'thread')}"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif device.type != "cpu":
        name = device.type
    processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    budget = [_count(trainer.max_epochs, "epoch")] if (trainer.max_epochs or -1) > 0 else []
    budget += [_count(trainer.max_steps, "step")] if trainer.max_steps > 0 else []
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        left = callback.time_remaining() if isinstance(callback, Timer) else None
        budget += [] if left is None else [duration(left)]
    most = f"at most {' or '.join(budget)}, " if budget else ""
    batches = f"{trainer.num_training_batches:,} batches an epoch"
    return f"device  {name}{processes}, precision {trainer.precision}\nbudget  {most}{batches}{_patience(trainer)}"


def _patience(trainer: Trainer) -> str:
    early = trainer.early_stopping_callback
    if early is None or early.patience >= sys.maxsize:
        return ""
    return f", {_count(_waited(trainer, early), 'epoch')} without a better one"


def _waited(trainer: Trainer, early: EarlyStopping) -> int:
    """Epochs that are waited for; Lightning's patience counts validations."""
    return early.patience * (trainer.check_val_every_n_epoch or 1)


def stop_reason(trainer: Trainer, epoch: Phase) -> str:
    """One line on where and why a training ended: a budget that is used up, or patience at its end.

    Args:
        trainer: at the end of its training.
        epoch: its last one, as far as it came.
    """
    limit = f" of {trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
    epochs = f"epoch {trainer.current_epoch}{limit}"
    if 0 < epoch.done < epoch.total and epoch.known:
        return f"stopped in {epochs}, after batch {epoch.done} of {epoch.total:.0f}: {_reason(trainer)}"
    return f"stopped after {epochs}: {_reason(trainer)}"


def _reason(trainer: Trainer) -> str:
    early = trainer.early_stopping_callback
    if trainer.should_stop and early is not None and early.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
        if early.stopping_reason == EarlyStoppingReason.PATIENCE_EXHAUSTED:
            key = "patience_steps" if getattr(early, "counts_steps", False) else "patience"
            return f"{early.monitor} was not better for {_count(_waited(trainer, early), 'epoch')} ({key})"
        return str(early.stopping_reason_message)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        left = callback.time_remaining() if isinstance(callback, Timer) else None
        if left is not None and left <= 0:
            return "the time is over (trainer.max_time)"
    if 0 < trainer.max_steps <= trainer.global_step:
        return f"{_were(trainer.max_steps, 'step')} to be made (trainer.max_steps)"
    if trainer.max_epochs is not None and 0 < trainer.max_epochs <= trainer.current_epoch:
        return f"{_were(trainer.max_epochs, 'epoch')} to be trained (trainer.max_epochs)"
    return "a callback asked for it"


def _were(number: int, one: str) -> str:
    return f"{_count(number, one)} {'was' if number == 1 else 'were'}"


def _count(number: int | None, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"

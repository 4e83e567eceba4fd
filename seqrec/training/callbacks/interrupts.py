"""Ctrl+C ends a training, wherever it strikes."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback


class HeedInterrupts(Callback):
    """Raises ``KeyboardInterrupt`` again at the next batch where the first one was lost.

    C code that asks a Python object for an attribute drops whatever exception arises meanwhile, so an interrupt at
    such a moment vanishes and the training would go on to its end.
    """

    def __init__(self) -> None:
        self.asked = False

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take over from Python's own handler; where a shell has interrupts ignored they stay so."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop if someone asked for it."""
        self._stop_if_asked()

    def on_validation_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop if someone asked for it."""
        self._stop_if_asked()

    def on_fit_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Give the signal back."""
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _stop_if_asked(self) -> None:
        if self.asked:
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        raise KeyboardInterrupt

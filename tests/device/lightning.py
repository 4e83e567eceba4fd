"""Lightning on the emulated device: its accelerator and strategy, and a callback that tells parts of a run apart."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import Accelerator
from pytorch_lightning.strategies import SingleDeviceStrategy

from tests.device.record import Record
from tests.device.tensor import NAME, device


class EmulatedAccelerator(Accelerator):
    """One device."""

    def setup_device(self, device: torch.device) -> None: ...

    def teardown(self) -> None: ...

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        return 1

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [device()]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def get_device() -> str:
        return NAME

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return NAME


def strategy() -> SingleDeviceStrategy:
    """Everything on the emulated device, for ``trainer.strategy``."""
    return SingleDeviceStrategy(device=device(), accelerator=EmulatedAccelerator())


class Parts(pl.Callback):
    """Begins a part of the record where a part of the run begins.

    Those are ``epoch start 0``, 1, ...; ``step 1``, 2, ..., each with the copy of its batch, but for the first of an
    epoch; ``evaluation batch 1``, 2, ... of validation and test, but for the first of each. The rest is ``between``.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.epochs = self.steps = self.batches = 0

    def on_fit_start(self, *_: Any) -> None:
        self.record.begin("between")

    def on_train_epoch_start(self, *_: Any) -> None:
        self.record.begin(f"epoch start {self.epochs}")
        self.epochs += 1

    def on_train_batch_start(self, *_: Any) -> None:
        self.record.go_on(f"step {self.steps}")
        self.steps += 1

    def on_train_batch_end(self, *_: Any) -> None:
        self.record.begin("next")

    def on_train_epoch_end(self, *_: Any) -> None:
        self.record.begin("between")

    def on_validation_start(self, *_: Any) -> None:
        self.record.begin("between")

    def on_validation_batch_start(self, *_: Any) -> None:
        self._evaluate()

    def on_test_batch_start(self, *_: Any) -> None:
        self._evaluate()

    def on_validation_batch_end(self, *_: Any) -> None:
        self.record.begin("next")

    def on_test_batch_end(self, *_: Any) -> None:
        self.record.begin("next")

    def on_validation_epoch_end(self, *_: Any) -> None:
        self.record.begin("between")

    def on_test_epoch_end(self, *_: Any) -> None:
        self.record.begin("between")

    def _evaluate(self) -> None:
        self.record.go_on(f"evaluation batch {self.batches}")
        self.batches += 1

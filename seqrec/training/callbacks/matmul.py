"""TF32: faster products of float32 matrices on NVIDIA's tensor cores while a model learns, never while it is judged."""

from __future__ import annotations

from typing import Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback


class MatmulPrecision(Callback):
    """Sets ``torch.set_float32_matmul_precision`` for training steps on a CUDA device, and puts it back afterwards.

    Validation and test rank in full float32: factors of 10 bits would make items level that are not.

    Args:
        precision: ``high`` allows TF32, ``medium`` bfloat16 too, ``highest`` neither.

    Raises:
        ValueError: there is no such precision.
    """

    def __init__(self, precision: Literal["high", "medium", "highest"]) -> None:
        if precision not in ("high", "medium", "highest"):
            raise ValueError(f"precision is {precision!r}; choose high, medium or highest")
        self.precision = precision
        self.before: str | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set it, on CUDA alone: what it means elsewhere is not what it is for."""
        if trainer.strategy.root_device.type == "cuda":
            self.before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision(self.precision)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Rank in full precision."""
        if self.before is not None:
            torch.set_float32_matmul_precision("highest")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn on."""
        if self.before is not None:
            torch.set_float32_matmul_precision(self.precision)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put back what was set before."""
        if self.before is not None:
            torch.set_float32_matmul_precision(self.before)
            self.before = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Put back what was set before a training that stops."""
        self.on_fit_end(trainer, pl_module)

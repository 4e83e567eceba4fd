"""The smallest training there is: what callbacks do is seen in it."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from torch import Tensor, nn, ones, optim
from torch.utils.data import DataLoader

BATCHES = 4


def batches(count: int = BATCHES) -> DataLoader[Tensor]:
    """Batches ``(1, 1)``."""
    return DataLoader(ones(count, 1))  # type: ignore[arg-type]  # a tensor has the length and the items of a data set


class Line(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.layer(batch).square().mean()

    def configure_optimizers(self) -> optim.Optimizer:
        return optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, *callbacks: pl.Callback, epochs: int = 3, checkpoint: Path | None = None) -> None:
    """Train for some epochs of four batches, writing nothing but what the callbacks write."""
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        default_root_dir=folder,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Line(), batches(), ckpt_path=checkpoint, weights_only=True)

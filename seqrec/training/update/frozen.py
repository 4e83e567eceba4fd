"""Frozen: while new rows learn, all other weights stay bit for bit what they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from seqrec.methods.growth import Part


class Frozen(pl.Callback):
    """After each batch puts back what is not new, whatever optimizer, decay or moving average has changed it.

    Args:
        state: weights from which the training starts.
        parts: of the tables that have grown, with the sizes that they had before.
    """

    def __init__(self, state: Mapping[str, Tensor], parts: Mapping[str, Part]) -> None:
        self.state, self.parts = dict(state), parts

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Put back all but the new rows."""
        for name, value in pl_module.state_dict().items():
            kept, part = self.state[name].to(value.device), self.parts.get(name)
            if part is None:
                value.copy_(kept)
                continue
            stop, behind = part.rows.stop, len(value) - part.last
            value[:stop] = kept[:stop]
            value[behind:] = kept[behind:]

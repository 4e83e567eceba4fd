"""NextItem: predict the next item at every learnt position (SASRec, GRU4Rec, Caser, LRURec, BSARec, ...)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.random import split
from seqrec.methods.base import BuildOptimizer, Recommender

NextItemLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Loss of ``(states (M, D), target (M,), table (I + 2, D), keys (M,))``."""


class NextItem(Recommender):
    """One loss on the next item; which positions learn is decided by the training windows.

    Args:
        backbone: a causal backbone, or any with windows that learn at the newest position only.
        optimizer: see :class:`Recommender`.
        loss: a function of :mod:`seqrec.functional.losses`.
        **base: other arguments of :class:`Recommender`.
    """

    def __init__(self, backbone: Backbone, optimizer: BuildOptimizer, loss: NextItemLoss, **base: Any) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss = loss

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Mean loss over the learnt positions of the batch."""
        states = self.backbone(batch.items)
        learnt = batch.next_items != 0
        loss = self.loss(
            states[learnt],
            batch.next_items[learnt],
            self.backbone.item_embedding.weight,
            self.position_keys(batch)[learnt],
        )
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.row))
        return loss

    def position_keys(self, batch: Batch) -> Tensor:
        """A random key for each position, ``(B, L)``, counted from the newest so that trimming changes nothing."""
        length = batch.items.shape[1]
        oldest_first = (batch.items != 0).sum(1, keepdim=True) - 1 - torch.arange(length, device=batch.row.device)
        return split(self.keys(batch.row, view=0), length).gather(1, oldest_first.clamp(min=0))

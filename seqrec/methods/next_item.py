"""NextItem: predict the next item at every supervised position (SASRec, GRU4Rec, Caser, LRURec, BSARec, ...)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.losses import NextItemLoss
from seqrec.methods.base import BuildOptimizer, Recommender


class NextItem(Recommender):
    """One loss on the next item; which positions learn is decided by the training windows.

    Args:
        backbone: a causal backbone, or any with windows that learn at the newest position only.
        optimizer: see :class:`Recommender`.
        loss: a function of :mod:`seqrec.functional.losses`.
        **base: other arguments of :class:`Recommender`.
    """

    may_divide_items = True
    compiled_parts = ("states_and_loss",)

    def __init__(self, backbone: Backbone, optimizer: BuildOptimizer, loss: NextItemLoss, **base: Any) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss = loss

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Mean loss over the supervised positions of the batch."""
        loss = self.next_item_loss(self.loss, batch)
        self.log_terms(batch, {"loss": loss})
        return loss

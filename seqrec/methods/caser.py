"""Caser: the next item after a user's newest items, and a penalty on the norms of the weights.

Source: see :class:`seqrec.backbones.caser.caser.CaserEncoder`; in RecBole's form: one target, cross entropy, norms.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqrec.backbones.caser.caser import CaserEncoder
from seqrec.data.batch import Batch, Histories
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import NextItemLoss
from seqrec.methods.base import BuildOptimizer, Recommender


class Caser(Recommender):
    """``L_rec + norm_weight * (sum of the weights' norms)``, trained at the newest position of each window.

    Args:
        backbone: histories of users to vectors.
        optimizer: see :class:`Recommender`.
        loss: L_rec, a function of :mod:`seqrec.functional.losses`.
        norm_weight: of the norms.
        **base: other arguments of :class:`Recommender`.
    """

    knows_users = True
    needs = CaserEncoder
    backbone: CaserEncoder

    def __init__(
        self, backbone: CaserEncoder, optimizer: BuildOptimizer, loss: NextItemLoss, norm_weight: float, **base: Any
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss, self.norm_weight = loss, norm_weight

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of a batch."""
        table = self.backbone.item_embedding.weight
        rng_keys = self.rng_keys(batch.row, Stream.NEGATIVES)
        recommendation = self.loss(self.query(batch.histories), batch.target, table, rng_keys)
        total = recommendation + self.norm_weight * self.backbone.norms()
        self.log_terms(batch, {"loss": total, "recommendation": recommendation})
        return total

    def query(self, histories: Histories) -> Tensor:
        """Vectors ``(B, D)`` of the histories and their users, who must be known."""
        return self.backbone.newest(histories.items, self.users(histories))

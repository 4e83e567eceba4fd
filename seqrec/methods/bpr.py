"""BPR: an item that a user has consumed should score above one that the user has not.

Source: Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009, in RecBole's form:
matrix factorisation without biases, no norm in the loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.factors import Factors
from seqrec.data.batch import Batch, Histories
from seqrec.data.indices.unseen import Unseen
from seqrec.functional.keyed_random import Stream, integers
from seqrec.functional.losses import bpr
from seqrec.methods.base import BuildOptimizer, Recommender


class BPR(Recommender):
    """``-log sigmoid(p_u . q_i - p_u . q_j)`` over the training interactions (u, i), j uniform over the others.

    Args:
        backbone: vectors of users and items.
        optimizer: see :class:`Recommender`.
        num_negatives: items j for each interaction.
        **base: other arguments of :class:`Recommender`.

    Attributes:
        unseen: what the negatives are drawn from; made when training starts.
    """

    knows_users = True
    reads_histories = False
    needs = Factors
    backbone: Factors
    unseen: Unseen

    def __init__(self, backbone: Factors, optimizer: BuildOptimizer, num_negatives: int, **base: Any) -> None:
        super().__init__(backbone, optimizer, **base)
        self.num_negatives = num_negatives

    def on_fit_start(self) -> None:
        """Index the items that each user has not consumed in training."""
        self.unseen = Unseen.of(self.data.sequences).to(self.device)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Mean loss over the targets of a batch and their negatives."""
        items = torch.cat([batch.target[:, None], self.negatives(batch)], dim=1)  # (B, 1 + K)
        with torch.autocast(self.device.type, enabled=False):  # small differences of scores decide
            scores = (self.backbone.item_embedding(items) @ self.query(batch.histories)[:, :, None]).squeeze(2)
            loss = bpr(scores[:, 0], scores[:, 1:])
        self.log_terms(batch, {"loss": loss})
        return loss

    def negatives(self, batch: Batch) -> Tensor:
        """Items ``(B, K)``, uniform over those that the user has not consumed in training."""
        count = self.unseen.count[batch.user][:, None]
        drawn = integers(self.rng_keys(batch.row, Stream.NEGATIVES), self.num_negatives, count)
        return self.unseen.items(batch.user, drawn)

    def query(self, histories: Histories) -> Tensor:
        """Vectors ``(B, D)`` of the users, who must be known; their histories do not enter."""
        vectors: Tensor = self.backbone.user_embedding(self.users(histories))
        return vectors

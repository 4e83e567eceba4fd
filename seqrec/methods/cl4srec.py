"""CL4SRec: next items, and a contrast of two randomly changed views of each history.

Source: Xie et al., Contrastive Learning for Sequential Recommendation, ICDE 2022, in the RecBole form that
came with DuoRec: two different operators a history, raw dot products, the mean over both views' rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.hard_negatives import PairContrast
from seqrec.functional.losses import NextItemLoss
from seqrec.functional.pooling import newest_mean
from seqrec.methods.base import BuildOptimizer, Recommender

Views = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
"""Two views ``(B, L)`` of ``(items (B, L), keys (B,), mask token)``; the items themselves stay as they are."""


class CL4SRec(Recommender):
    """``L = L_rec + lambda * L_cl`` ; the contrast is one of user vectors, the states at the newest item.

    Args:
        backbone: histories to states.
        optimizer: see :class:`Recommender`.
        loss: L_rec, a function of :mod:`seqrec.functional.losses`.
        views: the augmentation, a function of :mod:`seqrec.functional.augment`.
        pair_contrast: L_cl of the views, made anew for each batch; without labels, so all other rows are negatives.
        contrast_weight: lambda.
        **base: other arguments of :class:`Recommender`.
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        loss: NextItemLoss,
        views: Views,
        pair_contrast: PairContrast,
        contrast_weight: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss, self.views, self.pair_contrast = loss, views, pair_contrast
        self.contrast_weight = contrast_weight

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of one batch, from one pass over the histories and both views."""
        views = torch.cat(self.views(batch.items, self.keys(batch.row, view=1), self.backbone.mask_token))
        states = self.backbone(torch.cat([batch.items, views]))
        recommendation = self.next_item_loss(self.loss, states[: len(batch.row)], batch)
        first, second = newest_mean(states[len(batch.row) :], views != 0, window=1).chunk(2)
        pair_loss = self.pair_contrast(first, second, None, self.current_epoch)
        contrast = pair_loss(first, second, None)
        loss = recommendation + self.contrast_weight * contrast
        terms = {"train/loss": loss, "train/recommendation": recommendation, "train/contrast": contrast}
        self.log_dict(terms, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.row))
        return loss

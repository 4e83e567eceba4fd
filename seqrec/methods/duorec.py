"""DuoRec: next items, and a contrast of a history with another one that has the same next item.

Source: Qiu et al., Contrastive Learning for Representation Degeneration Problem in Sequential Recommendation,
WSDM 2022, as released (mode us_x): raw dot products, the mean over both views' rows.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.same_target import SameTarget
from seqrec.functional.hard_negatives import PairContrast
from seqrec.functional.losses import NextItemLoss
from seqrec.functional.pooling import newest_mean
from seqrec.functional.random import uniform
from seqrec.methods.base import BuildOptimizer, Recommender


class DuoRec(Recommender):
    """``L = L_rec + lambda * L_cl(u', s)``.

    u' is the user vector of the history under a second dropout mask, s that of another training history with
    the same target, drawn anew each epoch; a history without such a partner is its own, under a third mask.

    Args:
        backbone: histories to states; its dropout makes the views differ.
        optimizer: see :class:`Recommender`.
        loss: L_rec, a function of :mod:`seqrec.functional.losses`.
        pair_contrast: L_cl, made anew for each batch; without labels, so rows of one target are negatives too.
        semantic_weight: lambda.
        **base: other arguments of :class:`Recommender`.

    Attributes:
        same_target: the training windows by target; made when training starts.
    """

    same_target: SameTarget

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        loss: NextItemLoss,
        pair_contrast: PairContrast,
        semantic_weight: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss, self.pair_contrast, self.semantic_weight = loss, pair_contrast, semantic_weight

    def on_fit_start(self) -> None:
        """Group the training windows by target; they are the same in all epochs."""
        data: SequenceDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        self.same_target = SameTarget(data.training_windows(0), data.max_length)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of one batch, from one pass over the histories twice and their partners."""
        length = batch.items.shape[1]
        partners = self.partners(batch.row)
        width = max(length, partners.shape[1])
        items, partners = (F.pad(x, (0, width - x.shape[1])) for x in (batch.items, partners))
        views = torch.cat([items, partners])
        states = self.backbone(torch.cat([items, views]))
        recommendation = self.next_item_loss(self.loss, states[: len(items), :length], batch)
        first, second = newest_mean(states[len(items) :], views != 0, window=1).chunk(2)
        pair_loss = self.pair_contrast(first, second, None, self.current_epoch)
        contrast = pair_loss(first, second, None)
        loss = recommendation + self.semantic_weight * contrast
        terms = {"train/loss": loss, "train/recommendation": recommendation, "train/contrast": contrast}
        self.log_dict(terms, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.row))
        return loss

    def partners(self, row: Tensor) -> Tensor:
        """A history ``(B, L')`` with the same target for each of windows ``row`` ``(B,)``, drawn by its key."""
        drawn = uniform(self.keys(row, view=1), 1)[:, 0]
        partner = self.same_target.random_excluding_self(row.cpu(), drawn.cpu())
        return self.same_target.windows.batch(partner, self.same_target.max_length).items.to(row.device)

"""PairContrastive: next items, and a contrast of two views of each history (CL4SRec, DuoRec)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.data.indices.soft_labels import Labels
from seqrec.data.windows import Windows
from seqrec.functional.losses import NextItemLoss, soft_label_cross_entropy
from seqrec.functional.pooling import widened
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.base import BuildOptimizer, Recommender, Task
from seqrec.methods.contrastive.contrasts import PairContrast


class SoftLabel(NamedTuple):
    """Distributions over a few items each: items and probabilities ``(B, K)``."""

    items: Tensor
    probabilities: Tensor


class PairContrastive(Recommender, ABC):
    """``L = L_rec + lambda * L_cl`` ; the contrast is one of user vectors, the states at the newest item.

    A subclass says what the two views are. FENRec's parts can take the place of both losses (its Table 2).

    Args:
        backbone: histories to states.
        optimizer: see :class:`Recommender`.
        loss: L_rec without ``labels``, a function of :mod:`seqrec.functional.losses`.
        pair_contrast: L_cl; without labels, so all other examples of the batch, on all ranks, are negatives.
        contrast_weight: lambda.
        labels: distributions that L_rec aims at instead of the next item; None is the next item.
        **base: other arguments of :class:`Recommender`.
    """

    windows: Windows
    max_length: int
    compiled_parts = ("terms",)

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        loss: NextItemLoss,
        pair_contrast: PairContrast,
        contrast_weight: float,
        labels: Labels | None = None,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss, self.pair_contrast, self.contrast_weight = loss, pair_contrast, contrast_weight
        self.labels = labels

    def on_fit_start(self) -> None:
        """Prepare for the training windows; they are the same in all epochs."""
        self.prepare(self.data.training_windows(0), self.data.max_length)

    def prepare(self, windows: Windows, max_length: int) -> None:
        """Find the label of each training window.

        Raises:
            ValueError: the windows learn at more than the newest position.
        """
        if windows.all_positions:
            raise ValueError(f"{type(self).__name__} needs one target a window; choose windows=prefixes")
        self.windows, self.max_length = windows, max_length
        if self.labels is not None:
            self.label_items, self.label_probabilities = (x.to(self.device) for x in self.labels(windows))

    @abstractmethod
    def views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Two histories ``(B, L')`` for each row of the batch."""

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of one batch, from one pass over the histories and both views; each row has its own dropout."""
        histories = (batch.items, *self.views(batch))
        length = max(items.shape[1] for items in histories)
        together = torch.cat([widened(items, length) for items in histories])
        terms = self.terms(together, self.aim(batch), self.current_epoch)
        self.log_terms(batch, terms)
        return terms["loss"]

    def aim(self, batch: Batch) -> Task | SoftLabel:
        """What L_rec learns from a batch."""
        if self.labels is None:
            return self.task(self.loss, batch)
        return SoftLabel(self.label_items[batch.row], self.label_probabilities[batch.row])

    def terms(self, together: Tensor, aim: Task | SoftLabel, epoch: int) -> dict[str, Tensor]:
        """The total and its parts, of histories over first and second views ``(3B, L)``."""
        user, first, second = self.backbone.newest(together).chunk(3)
        recommendation = self.recommendation(aim, user)
        first, second = of_all_ranks(first), of_all_ranks(second)
        noise = self.pair_contrast.negatives(first, second, None, epoch)
        contrast = self.pair_contrast(first, second, None, noise)
        total = recommendation + self.contrast_weight * contrast
        return {"loss": total, "recommendation": recommendation, "contrast": contrast}

    def recommendation(self, aim: Task | SoftLabel, user: Tensor) -> Tensor:
        """L_rec of user vectors ``(B, D)``."""
        if isinstance(aim, Task):
            return self.loss_at(self.loss, aim, user)
        return soft_label_cross_entropy(user, self.backbone.item_embedding.weight[:-1], *aim)

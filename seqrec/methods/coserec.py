"""CoSeRec: next items, and a contrast of two views, some made by putting in similar items.

Source: Liu et al., Contrastive Self-supervised Sequential Recommendation with Robust Augmentation, 2021, in the
final form of the released code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.padded_transformer import PaddedTransformer
from seqrec.data.batch import Batch
from seqrec.data.sequences import Sequences
from seqrec.functional.item_similarity import (
    Similar,
    UserWeight,
    better,
    most_similar_by_users,
    most_similar_by_vectors,
    with_random_neighbours,
)
from seqrec.functional.keyed_random import Stream
from seqrec.functional.ragged import HIDDEN, Ragged
from seqrec.methods.base import BuildOptimizer
from seqrec.methods.contrastive.view_contrast import ViewContrastive

View = Callable[[Ragged, Tensor, int, Tensor], Ragged]
"""A view of ``(histories, rng_keys (B,), token of a hidden item, most similar items (I + 2,))``."""


class CoSeRec(ViewContrastive):
    """``L_rec + lambda L_cl``; the most similar item of each item is looked up in a table.

    At first the table comes from the users that items share. After the warm-up it is made anew before each epoch:
    for each item the more similar of that neighbour and the nearest by the present item vectors.

    Args:
        backbone: gives states to padding.
        optimizer: see :class:`Recommender`.
        view: the augmentation, :func:`seqrec.functional.augment_similar.informative`.
        user_weight: what a user counts in the similarity, a function of :mod:`seqrec.functional.item_similarity`.
        contrast_weight: lambda.
        warmup_epochs: last epoch, from 0, whose table does without the item vectors.
        **base: other arguments of :class:`ViewContrastive`.

    Attributes:
        by_users: neighbours by shared users; made when training starts.
        similar: ``(I + 2,)`` the table of the present epoch; ``HIDDEN`` where padding is the nearest.
    """

    by_users: Similar
    similar: Tensor

    def __init__(
        self,
        backbone: PaddedTransformer,
        optimizer: BuildOptimizer,
        view: View,
        user_weight: UserWeight,
        contrast_weight: float,
        warmup_epochs: int,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.view, self.user_weight = view, user_weight
        self.contrast_weight, self.warmup_epochs = contrast_weight, warmup_epochs

    def on_fit_start(self) -> None:
        """Find the neighbours by shared users."""
        super().on_fit_start()
        self.prepare(self.data.sequences)

    def prepare(self, sequences: Sequences) -> None:
        """Neighbours by the users' training inputs: all but their last three interactions."""
        known = sequences.training_mask(held_out=3)
        rows = sequences.num_items + 2
        found = most_similar_by_users(sequences.owner[known], sequences.items[known].long(), rows, self.user_weight)
        self.by_users = Similar(*(part.to(self.device) for part in found))

    def on_train_epoch_start(self) -> None:
        """Make the epoch's table and views."""
        super().on_train_epoch_start()
        self.refresh()
        self.make_views()

    @torch.no_grad()
    def refresh(self) -> None:
        """The table of this epoch; an item that shares no user gets a random neighbour, for this epoch."""
        rng_keys = self.rng_keys(torch.arange(len(self.by_users.item), device=self.device), Stream.NEIGHBOURS)
        chosen = with_random_neighbours(self.by_users, rng_keys)
        if self.current_epoch > self.warmup_epochs:
            chosen = better(chosen, most_similar_by_vectors(self.backbone.item_embedding.weight))
        self.similar = chosen.item.masked_fill(chosen.item == 0, HIDDEN)

    def changed(self, histories: Ragged, rng_keys: Tensor) -> Ragged:
        """See :meth:`ViewContrastive.changed`."""
        return self.view(histories, rng_keys, HIDDEN, self.similar)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of a batch."""
        recommendation = self.recommendation(batch, self.backbone.at(batch.items, self.supervised(batch)))
        contrast = self.instance_loss(self.backbone.padded(self.views(batch)))
        total = recommendation + self.contrast_weight * contrast
        self.log_terms(batch, {"loss": total, "recommendation": recommendation, "contrast": contrast})
        return total

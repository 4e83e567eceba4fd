"""ICLRec: next items, a contrast of two views of a history, and one of a view and the intent of its user.

Source: Chen et al., Intent Contrastive Learning for Sequential Recommendation, WWW 2022. Where the paper and its
released code differ, this is the code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.padded_transformer import PaddedTransformer
from seqrec.data.batch import Batch, Histories
from seqrec.functional.in_batch.info_nce import info_nce
from seqrec.functional.left_padding import newest_columns, window
from seqrec.functional.ragged import HIDDEN, Ragged
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.base import BuildOptimizer
from seqrec.methods.contrastive.clustering import fit_clusters
from seqrec.methods.contrastive.view_contrast import ViewContrastive
from seqrec.nn.kmeans import KMeans

View = Callable[[Ragged, Tensor, int], Ragged]
"""A view of ``(histories, rng_keys (B,), token of a hidden item)``."""


class ICLRec(ViewContrastive):
    """``L_rec + w_seq L_seq + w_int L_int``; an intent is the nearest of K centroids, recomputed before each epoch.

    A term of weight 0 is left out. A history's vector is the mean of its states over all W positions.

    Args:
        backbone: gives states to padding.
        optimizer: see :class:`Recommender`.
        view: the augmentation, a function of :mod:`seqrec.functional.augment`.
        num_clusters: K.
        instance_weight: w_seq, of the contrast of two views.
        intent_weight: w_int, of the contrast of views and intents.
        warmup_epochs: epochs before the first clustering, without L_int.
        mask_same_intent: users with one intent are no negatives of one another in L_int (the paper's
            mitigation of false negatives, which the released scripts leave out).
        share_views: encode the views once for both contrasts; otherwise each has its own dropout.
        **base: other arguments of :class:`ViewContrastive`.
    """

    def __init__(
        self,
        backbone: PaddedTransformer,
        optimizer: BuildOptimizer,
        view: View,
        num_clusters: int,
        instance_weight: float,
        intent_weight: float,
        warmup_epochs: int,
        mask_same_intent: bool,
        share_views: bool,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.view = view
        self.instance_weight, self.intent_weight = instance_weight, intent_weight
        self.warmup_epochs, self.mask_same_intent, self.share_views = warmup_epochs, mask_same_intent, share_views
        self.intents = KMeans(num_clusters, backbone.dim, self.seed)

    def changed(self, histories: Ragged, rng_keys: Tensor) -> Ragged:
        """See :meth:`ViewContrastive.changed`."""
        return self.view(histories, rng_keys, HIDDEN)

    @property
    def with_intents(self) -> bool:
        """Whether this epoch learns from intents."""
        return self.intent_weight != 0 and self.current_epoch >= self.warmup_epochs

    def on_train_epoch_start(self) -> None:
        """Make the epoch's views and cluster the training histories by their present vectors."""
        super().on_train_epoch_start()
        if self.instance_weight or self.with_intents:
            self.make_views()
        if self.with_intents:
            fit_clusters(self, self.intents, self.windows, self.backbone.max_length, self.mean_state)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of a batch."""
        states = self.backbone.padded(window(batch.items, self.backbone.max_length))
        next_items = newest_columns(batch.next_items, (batch.items != 0).sum(1), self.backbone.max_length)
        supervised = self.supervised(batch._replace(next_items=next_items))
        terms = {"recommendation": self.recommendation(batch, supervised.of(states))}
        total = terms["recommendation"]
        contrasts = int(self.instance_weight != 0) + int(self.with_intents)
        encoded = []
        if contrasts:
            views = self.views(batch)
            encoded = [self.backbone.padded(views) for _ in range(1 if self.share_views else contrasts)]
        if self.instance_weight:
            terms["instance"] = self.instance_loss(encoded[0])
            total = total + self.instance_weight * terms["instance"]
        if self.with_intents:
            terms["intent"] = self.intent_loss(states, encoded[-1])
            total = total + self.intent_weight * terms["intent"]
        self.log_terms(batch, {"loss": total, **terms})
        return total

    def intent_loss(self, states: Tensor, encoded: Tensor) -> Tensor:
        """L_int of histories ``(B, W, D)``, which choose the intents, and of their views ``(2B, W, D)``.

        The direction of the nearest centroid, a constant, is the other vector of each of a user's views.
        """
        cluster = of_all_ranks(self.intents.assign(states.detach().mean(1)))
        direction = F.normalize(self.intents.centroids[cluster], dim=1)
        labels = cluster if self.mask_same_intent else None
        views = (of_all_ranks(view) for view in encoded.mean(1).chunk(2))
        first, second = (info_nce(view, direction, labels, self.temperature) for view in views)
        return (first + second) / 2

    def mean_state(self, histories: Histories) -> Tensor:
        """What represents histories in the clustering, ``(B, D)``: the mean over all W positions."""
        return self.backbone.padded(window(histories.items, self.backbone.max_length)).mean(1)

"""ICSRec, and FENRec, which exchanges two of its parts: next items, and a contrast of intents.

Sources: Qin et al., Intent Contrastive Learning with Cross Subsequences for Sequential Recommendation, WSDM
2024; Huang et al., Future Sight and Tough Fights: Revolutionizing Sequential Recommendation with FENRec, AAAI
2025. Where a paper and its released code differ, this is the code.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch, Histories
from seqrec.data.indices.same_target import SameTarget
from seqrec.data.indices.soft_labels import Labels
from seqrec.data.windows import Windows
from seqrec.functional.losses import soft_label_cross_entropy
from seqrec.functional.pooling import widened
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.methods.contrastive import Pair, PairContrast
from seqrec.methods.contrastive.clustering import fit_clusters
from seqrec.methods.contrastive.looked_up import LookedUp
from seqrec.nn.kmeans import KMeans


class ICSRec(Recommender):
    """``L_rec + lambda_0 L_coarse + beta_0 L_fine`` over prefixes, each with a partner of the same target.

    Coarse: a history and its partner are positives. Fine: a history, or a partner, and the centroid of its
    cluster are. The clusters are recomputed before each epoch. ICSRec has one-hot labels and plain negatives,
    FENRec soft labels and enduring hard negatives.

    Args:
        backbone: a causal Transformer; the state at the newest item represents a history.
        optimizer: see :class:`Recommender`.
        labels: distribution that the loss on the next item aims at.
        pair_contrast: the loss of two views.
        num_clusters: K.
        coarse_weight: lambda_0.
        fine_weight: beta_0.
        **base: other arguments of :class:`Recommender`.
    """

    may_divide_items = True
    windows: Windows
    max_length: int
    looked_up: LookedUp
    compiled_parts = ("terms",)

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        labels: Labels,
        pair_contrast: PairContrast,
        num_clusters: int,
        coarse_weight: float,
        fine_weight: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.labels, self.pair_contrast = labels, pair_contrast
        self.coarse_weight, self.fine_weight = coarse_weight, fine_weight
        self.intents = KMeans(num_clusters, backbone.dim, self.seed)

    def on_fit_start(self) -> None:
        """Find the partner and the label of each training window."""
        self.prepare(self.data.training_windows(0), self.data.max_length)

    def prepare(self, windows: Windows, max_length: int) -> None:
        """Partners and labels of windows with one target each, the same in all epochs."""
        self.windows, self.max_length = windows, max_length
        found = (SameTarget(windows, max_length).last_differing(), *self.labels(windows))
        self.partner, self.label_items, self.label_probabilities = (x.to(self.device) for x in found)
        self.looked_up = LookedUp(windows, max_length, self.device)

    def on_train_epoch_start(self) -> None:
        """Cluster the training histories by their present states."""
        fit_clusters(self, self.intents, self.windows, self.max_length, self.query)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of a batch."""
        together = self.three_views(batch, self.looked_up(self.partner[batch.row]))
        label = self.label_items[batch.row], self.label_probabilities[batch.row]
        terms = self.terms(together, batch.target, *label, self.current_epoch)
        self.log_terms(batch, terms)
        return terms["loss"]

    def terms(
        self, together: Tensor, target: Tensor, items: Tensor, probabilities: Tensor, epoch: int
    ) -> dict[str, Tensor]:
        """The total and its parts.

        Args:
            together: ``(3B, L)``, see :meth:`three_views`; one pass, in which each row has its own dropout.
            target: ``(B,)``.
            items, probabilities: ``(B, K)``, the labels.
            epoch: number of the epoch.
        """
        user, first, second = self.query(Histories(together)).chunk(3)
        recommendation = soft_label_cross_entropy(user, self.backbone.item_embedding.weight, items, probabilities)
        first, second, target = (of_all_ranks(x) for x in (first, second, target))
        noise = self.pair_contrast.negatives(first, second, target, epoch)
        pairs = [Pair(first, second, target), *self.with_intents(first, second)]
        coarse, of_first, of_second = self.pair_contrast.of_each(pairs, noise)
        fine = of_first + of_second
        total = recommendation + self.coarse_weight * coarse + self.fine_weight * fine
        return {"loss": total, "recommendation": recommendation, "coarse": coarse, "fine": fine}

    def three_views(self, batch: Batch, partners: Tensor) -> Tensor:
        """The histories, the histories again, and their partners ``(B, L)``, one over the other: ``(3B, L)``."""
        length = max(batch.items.shape[1], partners.shape[1])
        own, other = (widened(items, length) for items in (batch.items, partners))
        return torch.cat([own, own, other])

    def with_intents(self, *views: Tensor) -> list[Pair]:
        """States ``(B, D)`` of views with the directions of their centroids, which are constant."""
        cluster = self.intents.assign(torch.cat(views).detach())
        direction = F.normalize(self.intents.centroids[cluster], dim=1)
        intents = zip(views, direction.chunk(len(views)), cluster.chunk(len(views)), strict=True)
        return [Pair(*intent) for intent in intents]

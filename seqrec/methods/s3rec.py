"""S3-Rec's pre-training: attributes, hidden items and segments; fine-tuning is :class:`NextItem` on its weights.

Source: Zhou et al., S3-Rec: Self-Supervised Learning for Sequential Recommendation with Mutual Information
Maximization, CIKM 2020, in RecBole's form.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.keyed_random import Stream, uniform
from seqrec.functional.self_supervision import (
    Segments,
    attribute_loss,
    contrast_of_sigmoids,
    hide_segment,
    uniform_outside,
)
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.nn.chosen import choose
from seqrec.nn.trunk import initialise


class S3RecPretraining(Recommender):
    """``w_aap AAP + w_mip MIP + w_map MAP + w_sp SP``, each a sum over the batch.

    AAP predicts the attributes of visible items, MAP those of hidden items. MIP distinguishes a hidden item from one
    that is not in the history, SP the segment that was hidden from another one. RecBole takes the other segment from
    the batch; here it comes from the training parts of all users, so that no example depends on its batch mates.

    Args:
        backbone: bidirectional.
        optimizer: see :class:`Recommender`.
        num_attributes: T, ids 1..T.
        attributes_per_item: A, at most.
        mask_ratio: probability of hiding an item.
        aap_weight, mip_weight, map_weight, sp_weight: of the terms.
        **base: other arguments of :class:`Recommender`.

    Attributes:
        attributes: ``(I + 2, A)`` attribute ids of the items, 0 where there are fewer; filled in when training starts.
        pool: ``(P,)`` the training parts of all users, from which other segments come.
    """

    needs_causal = False
    uses_attributes = True
    attributes: Tensor
    pool: Tensor

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        num_attributes: int,
        attributes_per_item: int,
        mask_ratio: float,
        aap_weight: float,
        mip_weight: float,
        map_weight: float,
        sp_weight: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        if num_attributes < 1 or attributes_per_item < 1:
            raise ValueError(
                "S3-Rec's pre-training needs item attributes, which this data set does not have; choose one that has "
                "them (ml1m, beauty, sports, toys, yelp), or train without it: warm_start=none"
            )
        if not 0.0 <= mask_ratio <= 1.0:
            raise ValueError(f"mask_ratio is {mask_ratio}; it must be between 0 and 1")
        self.mask_ratio = mask_ratio
        self.weights = {"aap": aap_weight, "mip": mip_weight, "map": map_weight, "sp": sp_weight}
        self.heads = nn.ModuleDict({name: nn.Linear(backbone.dim, backbone.dim) for name in self.weights})
        self.attribute_embedding = nn.Embedding(num_attributes, backbone.dim)
        self.heads.apply(initialise)
        self.attribute_embedding.apply(initialise)
        empty = torch.zeros(backbone.num_items + 2, attributes_per_item, dtype=torch.int64)
        self.register_buffer("attributes", empty)

    def on_fit_start(self) -> None:
        """Take the attributes of the items and the training parts of all users from the data."""
        self.attributes.copy_(distinct(self.data.attributes))
        sequences = self.data.sequences
        self.pool = sequences.items[sequences.training_mask()].to(self.device)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The weighted sum of the four terms; the histories alone are used, not their targets."""
        items = batch.items
        hidden = (items != 0) & (uniform(self.rng_keys(batch.row, Stream.MASK), items.shape[1]) < self.mask_ratio)
        negative = uniform_outside(items, self.rng_keys(batch.row, Stream.OUTSIDE), self.backbone.mask_token)
        segments = hide_segment(items, self.rng_keys(batch.row, Stream.SEGMENT), self.pool, self.backbone.mask_token)
        terms = self.terms(items, hidden, negative, segments)
        loss = self.total(terms)
        self.log_terms(batch, terms | {"loss": loss})
        return loss

    def terms(self, items: Tensor, hidden: Tensor, negative: Tensor, segments: Segments) -> dict[str, Tensor]:
        """The four sums of a batch.

        Args:
            items: ``(B, L)`` histories.
            hidden: ``(B, L)`` bool, the items to fill in.
            negative: ``(B, L)`` ids of negatives for the hidden items.
            segments: three ``(B, L)``.
        """
        shown, covered = choose((items != 0) & ~hidden), choose(hidden)
        states = self.backbone(items.masked_fill(hidden, self.backbone.mask_token))
        of_shown, of_hidden = shown.of(states), covered.of(states)
        context, positive, other = self.backbone.newest(torch.cat(segments)).chunk(3)
        item, classes = self.backbone.item_embedding, self.attribute_embedding.weight
        own, other_item = covered.of(items), covered.of(negative)
        of_visible = self.attributes[shown.of(items)]
        return {
            "aap": attribute_loss(self.heads["aap"](of_shown), classes, of_visible, shown.exist),
            "mip": contrast_of_sigmoids(self.heads["mip"](of_hidden), item(own), item(other_item), covered.exist),
            "map": attribute_loss(self.heads["map"](of_hidden), classes, self.attributes[own], covered.exist),
            "sp": contrast_of_sigmoids(self.heads["sp"](context), positive, other),
        }

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of :meth:`terms`."""
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()


def distinct(attributes: Tensor) -> Tensor:
    """Attribute ids ``(N, A)`` with 0 in the place of repeated ones, sorted in each row."""
    ordered = attributes.sort(1).values
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return ordered.masked_fill(again, 0)

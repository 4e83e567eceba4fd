"""MSSR: the next item by item and by attributes, the target's attributes, and an alignment of both streams.

Source: see :class:`seqrec.backbones.mssr.mssr.MSSREncoder`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.mssr.mssr import MSSREncoder
from seqrec.data.batch import Batch
from seqrec.functional.in_batch.info_nce import info_nce
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import NextItemLoss
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.nn.dropout import Dropout
from seqrec.nn.trunk import initialise


class MSSR(Recommender):
    """``L_item + attribute_weight * L_attribute + alignment_weight * L_alignment`` at the newest item of each window.

    Args:
        backbone: histories to states of both streams.
        optimizer: see :class:`Recommender`.
        loss: L_item, a function of :mod:`seqrec.functional.losses`.
        attribute_weight: of the prediction of the target's attributes.
        alignment_weight: of the contrast of both streams.
        temperature: of that contrast.
        dropout: on the logits of both gates.
        alignment_dropout: on the item stream's vector before the contrast.
        **base: other arguments of :class:`Recommender`.
    """

    needs = MSSREncoder
    uses_attributes = True
    backbone: MSSREncoder

    def __init__(
        self,
        backbone: MSSREncoder,
        optimizer: BuildOptimizer,
        loss: NextItemLoss,
        attribute_weight: float,
        alignment_weight: float,
        temperature: float,
        dropout: float,
        alignment_dropout: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss, self.attribute_weight, self.alignment_weight = loss, attribute_weight, alignment_weight
        self.temperature = temperature
        dim, attribute_dim, classes = backbone.dim, backbone.attribute_dim, backbone.num_attributes
        self.item_gate = nn.Linear(dim + attribute_dim, 1, bias=False)
        self.attribute_gate = nn.Linear(dim + attribute_dim, 1, bias=False)
        self.attributes_from_item = nn.Linear(dim, classes)
        self.attributes_from_attribute = nn.Linear(attribute_dim, classes)
        self.alignment = nn.Linear(dim, attribute_dim, bias=False)
        self.dropout, self.alignment_dropout = Dropout(dropout), Dropout(alignment_dropout)
        for layer in (self.item_gate, self.attribute_gate, self.attributes_from_item, self.attributes_from_attribute):
            initialise(layer)
        initialise(self.alignment)

    def on_fit_start(self) -> None:
        """Take the items' attributes from the data.

        Raises:
            ValueError: the data has others than the model was built for.
        """
        known = self.data.attributes
        expected = self.backbone.attributes
        largest = int(known.max()) if known.numel() else 0
        if known.shape != expected.shape or not 0 < largest <= self.backbone.num_attributes:
            raise ValueError(
                f"the data's item attributes have shape {tuple(known.shape)} and ids up to {largest}, but the model "
                f"was built for shape {tuple(expected.shape)} and ids up to {self.backbone.num_attributes}; it needs "
                "items with attributes, and their num_attributes and attributes_per_item"
            )
        expected.copy_(known)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of a batch."""
        both = self.backbone.newest(batch.items)
        rng_keys = self.rng_keys(batch.row, Stream.NEGATIVES)
        recommendation = self.loss(self.gated(both), batch.target, self.backbone.table, rng_keys)
        attribute, alignment = self.attribute_loss(both, batch.target), self.alignment_loss(both)
        total = recommendation + self.attribute_weight * attribute + self.alignment_weight * alignment
        terms = {"loss": total, "recommendation": recommendation, "attribute": attribute, "alignment": alignment}
        self.log_terms(batch, terms)
        return total

    def asking(self, newest: Tensor) -> Tensor:
        """Vectors ``(B, D + E)`` whose products with items and their attributes are the gated scores."""
        return self.gated(newest)

    def gated(self, both: Tensor) -> Tensor:
        """``(B, D + E)``, both streams -> ``(B, D + E)``, each by its share of the scores."""
        share = torch.sigmoid(self.dropout(self.item_gate(both)))
        item, attribute = self.streams(both)
        return torch.cat([share * item, (1 - share) * attribute], dim=1)

    def attribute_loss(self, both: Tensor, target: Tensor) -> Tensor:
        """Mean binary cross entropy over histories and all T attributes of the target ``(B,)``."""
        share = torch.sigmoid(self.dropout(self.attribute_gate(both)))
        item, attribute = self.streams(both)
        logits = share * self.attributes_from_item(item) + (1 - share) * self.attributes_from_attribute(attribute)
        has = logits.new_zeros(len(logits), self.backbone.num_attributes + 1)
        has = has.scatter_(1, self.backbone.attributes[target], 1.0)[:, 1:]
        return F.binary_cross_entropy_with_logits(logits, has)

    def alignment_loss(self, both: Tensor) -> Tensor:
        """Contrast of both streams of each history against both of all others."""
        item, attribute = self.streams(both)
        first = of_all_ranks(self.alignment(self.alignment_dropout(item)))
        return info_nce(first, of_all_ranks(attribute), None, self.temperature)

    def streams(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors ``(B, D)`` of the item stream and ``(B, E)`` of the attribute stream."""
        item, attribute = both.split((self.backbone.dim, self.backbone.attribute_dim), dim=-1)
        return item, attribute

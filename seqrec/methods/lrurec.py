"""LRURec: next items with a bias for each item; the first item is predicted too, from nothing.

Source: Yue et al., Linear Recurrent Units for Sequential Recommendation, WSDM 2024, as released.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import NextItemLoss, draws, weighed
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.nn.chosen import Chosen, choose, weight_of_all


class LRURec(Recommender):
    """Cross entropy at all positions of windows that learn at all positions.

    The reference pads on the left, and where a window leaves room for padding, its last padding position is to
    predict the window's first item: nothing comes before it, so its state is that of the padding row alone.

    Args:
        backbone: a causal backbone.
        optimizer: see :class:`Recommender`.
        loss: a function of :mod:`seqrec.functional.losses`.
        max_length: L; a window of L items has no room for padding.
        **base: other arguments of :class:`Recommender`.

    Attributes:
        item_bias: ``(I + 2,)``, added to the scores; aligned with the embedding table.
    """

    needs_causal = True

    def __init__(
        self, backbone: Backbone, optimizer: BuildOptimizer, loss: NextItemLoss, max_length: int, **base: Any
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        self.loss, self.max_length = loss, max_length
        self.item_bias = nn.Parameter(torch.empty(backbone.num_items + 2))
        nn.init.trunc_normal_(self.item_bias, std=0.02, a=-0.04, b=0.04)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Mean loss over the first items and the supervised positions of the batch."""
        supervised = self.supervised(batch, self.loss)
        has_room = (batch.items != 0).sum(1, keepdim=True) < self.max_length
        begun = Chosen(has_room) if supervised.exist is None else choose(has_room)
        first = begun.of(batch.items[:, :1])
        states = torch.cat([self.states_of_nothing(len(first)), self.backbone.at(batch.items, supervised)])
        target = torch.cat([first, supervised.of(batch.next_items)])
        rng_keys = torch.zeros_like(target)
        if draws(self.loss):
            of_first = begun.of(self.rng_keys(batch.row, Stream.FIRST_ITEM)[:, None])
            rng_keys = torch.cat([of_first, supervised.of(self.position_rng_keys(batch))])
        # The bias is one more column of the table, whose factor is 1 in every state.
        table = torch.cat([self.backbone.item_embedding.weight, self.item_bias[:, None]], dim=1)
        states = torch.cat([states, states.new_ones(len(states), 1)], dim=1)
        loss = weighed(self.loss, weight_of_all(begun, supervised))(states, target, table, rng_keys)
        self.log_terms(batch, {"loss": loss})
        return loss

    def output_table(self) -> tuple[Tensor, Tensor | None]:
        """The item vectors and the bias of each item."""
        return self.backbone.item_matrix, self.item_bias[1:-1]

    def states_of_nothing(self, rows: int) -> Tensor:
        """States ``(rows, D)`` of histories that hold one padding item; dropout makes them differ."""
        padding = self.backbone.item_embedding.weight[0].expand(rows, 1, -1)
        return self.backbone.encode(padding, torch.ones_like(padding[..., 0], dtype=torch.bool))[:, 0]

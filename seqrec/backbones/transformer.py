"""Transformer backbone: SASRec's when causal, BERT4Rec's when not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.functional.left_padding import from_newest
from seqrec.nn.attention import AttentionKernel
from seqrec.nn.chosen import Chosen, states_at
from seqrec.nn.packing import Packing, static_shapes
from seqrec.nn.trunk import MemoryLayers, Positions, TransformerTrunk


class Transformer(Backbone):
    """Item embedding and a :class:`~seqrec.nn.trunk.TransformerTrunk`, whose docstring explains the arguments.

    Source: Kang and McAuley, Self-Attentive Sequential Recommendation, ICDM 2018, in RecBole's post-norm form.
    """

    def __init__(
        self,
        num_items: int,
        max_length: int,
        dim: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
        attention: AttentionKernel,
        causal: bool = True,
        positions: Positions = "from_oldest",
        memory: Callable[[int], nn.Module] | None = None,
        memory_layers: MemoryLayers = "last",
    ) -> None:
        super().__init__(num_items, dim)
        self.causal = causal
        self.trunk = TransformerTrunk(
            dim, max_length, num_layers, num_heads, ffn_dim, dropout, attention_dropout, attention, causal,
            positions, memory, memory_layers=memory_layers,
        )  # fmt: skip

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        states: Tensor = self.trunk(x, valid)
        return states

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`Backbone.newest`; padding is not embedded, and the last layer works on the newest items alone."""
        packing = Packing.of(items != 0)
        states: Tensor = self.trunk(self.item_embedding(packing.pack(items)), packing, newest=True)
        return states

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        packing = Packing.of(valid)
        states: Tensor = self.trunk(packing.pack(x), packing, newest=True)
        return states

    def _recent(self, items: Tensor, window: int) -> Tensor:
        """See :meth:`Backbone.recent`; after its attention the last layer works on those items alone."""
        valid = items != 0
        if static_shapes(items):
            return super()._recent(items, window)
        packing, age = Packing.of(valid), from_newest(valid)
        asked = valid & (age < window)
        packed = self.item_embedding(packing.pack(items))
        states: Tensor = self.trunk(packed, packing, places=packing.places(asked))
        rows = items.shape[0]
        empty = states.new_zeros(rows * window, states.shape[1])
        place = torch.arange(rows, device=items.device)[:, None] * window + age
        return empty.index_copy(0, place[asked], states).unflatten(0, (rows, window))

    def _at(self, items: Tensor, chosen: Chosen) -> Tensor:
        """See :meth:`Backbone.at`; nothing is made for padding."""
        packing = Packing.of(items != 0)
        states: Tensor = self.trunk(self.item_embedding(packing.pack(items)), packing)
        return states_at(states, packing, chosen)

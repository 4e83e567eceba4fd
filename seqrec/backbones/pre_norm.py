"""PreNormTransformer: CBiT's bidirectional encoder, which also has states at padding."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.nn.packing import Packing
from seqrec.nn.pre_norm import PreNormTrunk, UnbiasedNorm


class PreNormTransformer(Backbone):
    """Item embedding and a :class:`~seqrec.nn.pre_norm.PreNormTrunk` with unbiased norms and the tanh form of GELU.

    All weights start as the library draws them, the embeddings from N(0, 1).

    Args:
        num_items: I.
        max_length: longest history, positions of a window W.
        dim: D.
        num_layers, num_heads, ffn_dim: size of the layers.
        dropout: everywhere.
    """

    causal = False

    def __init__(
        self, num_items: int, max_length: int, dim: int, num_layers: int, num_heads: int, ffn_dim: int, dropout: float
    ) -> None:
        super().__init__(num_items, dim)
        nn.init.normal_(self.item_embedding.weight.data[1:])
        activation = partial(F.gelu, approximate="tanh")
        self.trunk = PreNormTrunk(
            dim, max_length, num_layers, num_heads, ffn_dim, dropout, dropout, UnbiasedNorm, activation
        )

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        packing = Packing.of(valid)
        return packing.unpack(self.trunk(packing.pack(x), packing))

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`Backbone.newest`; the last layer works on the newest items alone."""
        packing = Packing.of(items != 0)
        states: Tensor = self.trunk(self.item_embedding(packing.pack(items)), packing, newest=True)
        return states

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        packing = Packing.of(valid)
        states: Tensor = self.trunk(packing.pack(x), packing, newest=True)
        return states

    def windows(self, items: Tensor) -> Tensor:
        """States ``(B, W, D)`` of histories ``(B, L)`` at the left-padded W positions, padding included."""
        width, length = self.trunk.max_length, (items != 0).sum(1, keepdim=True)
        column = (torch.arange(width, device=items.device) + length) % width
        window = F.pad(items, (0, width - items.shape[1])).gather(1, column)
        return self.trunk.windows(self.item_embedding(window), window != 0)

"""SASRec's Transformer in the form of S3-Rec's code base, whose padding has states too."""

from __future__ import annotations

from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.packing import Packing
from seqrec.nn.trunk import TransformerTrunk
from seqrec.nn.window_trunk import window_states


class PaddedTransformer(Backbone):
    """A causal post-norm Transformer with positions counted from the newest item.

    States of items do not depend on padding, so :meth:`forward` and :meth:`newest` leave it out. :meth:`padded`
    gives the states of padding as well, which ICLRec and CoSeRec learn from. The padding row of the item table
    is random and stays as it is.

    Args:
        num_items: I.
        max_length: positions W of a window.
        dim: D.
        num_layers, num_heads, ffn_dim: size of the layers.
        dropout: after the embedding and each sub-layer.
        attention_dropout: on attention weights.
    """

    causal = True

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
    ) -> None:
        super().__init__(num_items, dim)
        nn.init.normal_(self.item_embedding.weight.data[0], std=0.02)
        self.max_length = max_length
        self.trunk = TransformerTrunk(
            dim, max_length, num_layers, num_heads, ffn_dim, dropout, attention_dropout, DotProductAttention,
            causal=True, positions="from_newest",
        )  # fmt: skip

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        states: Tensor = self.trunk(x, valid)
        return states

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

    def padded(self, windows: Tensor) -> Tensor:
        """States ``(B, W, D)`` of all positions of left-padded windows ``(B, W)``, of :func:`window_states`."""
        return window_states(self.trunk, self.item_embedding(windows), windows != 0)

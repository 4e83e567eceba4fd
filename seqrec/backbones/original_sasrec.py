"""OriginalSASRec: the block of SASRec's own code, in which keys and values are not normalised and padding is seen."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.dropout import Dropout

EPS = 1e-8  # of every layer norm


class OriginalSASRec(Backbone):
    """SASRec as in its authors' code and in ``pmixer/SASRec.pytorch`` until 2025.

    Histories stand at the end of windows of ``max_length`` positions, and no key is hidden but newer ones: an item
    attends to the padding before it too. Padding begins as zero vectors. All weights start as Xavier's normal ones.

    Source: Kang and McAuley, Self-Attentive Sequential Recommendation, ICDM 2018. Its text has another residual,
    ``x + Drop(g(LN(x)))``, than its code, see :class:`NormedQueryLayer`.

    Args:
        num_items: I.
        max_length: positions W of a window.
        dim: D, also the inner width of the feed-forward parts.
        num_layers, num_heads: size of the layers.
        dropout: on embedded items, attention weights and both maps of the feed-forward parts.
        zero_padding: padding is a zero vector again after each layer, as until June 2024; afterwards it has states.
    """

    causal = True

    def __init__(
        self,
        num_items: int,
        max_length: int,
        dim: int,
        num_layers: int,
        num_heads: int,
        dropout: float,
        zero_padding: bool,
    ) -> None:
        super().__init__(num_items, dim)
        self.max_length, self.zero_padding = max_length, zero_padding
        self.position = nn.Embedding(max_length, dim)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(NormedQueryLayer(dim, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim, EPS)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter.data)
        nn.init.zeros_(self.item_embedding.weight.data[0])

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        place = torch.arange(x.shape[1], device=x.device) + self.max_length - valid.sum(1, keepdim=True)
        rows = torch.arange(x.shape[0], device=x.device)[:, None]
        return self.windows(x, valid)[rows, place.clamp(max=self.max_length - 1)]

    def windows(self, x: Tensor, valid: Tensor) -> Tensor:
        """States ``(B, W, D)`` of left-padded windows, of right-padded embedded histories as in :meth:`encode`."""
        if x.shape[1] > self.max_length:
            raise ValueError(
                f"a history of {x.shape[1]} items does not fit max_length={self.max_length}; keep its newest items or "
                "build the model with a larger max_length"
            )
        place = torch.arange(self.max_length, device=x.device) - self.max_length + valid.sum(1, keepdim=True)
        item = (place >= 0)[..., None]  # (B, W, 1)
        rows = torch.arange(x.shape[0], device=x.device)[:, None]
        tokens = x[rows, place.clamp(min=0)] * self.dim**0.5 + self.position.weight
        tokens = self.dropout(tokens) * item
        for layer in self.layers:
            tokens = layer(tokens)
            if self.zero_padding:
                tokens = tokens * item
        states: Tensor = self.norm(tokens)
        return states

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`Backbone.newest`; the newest item has the last position."""
        return self.windows(self.item_embedding(items), items != 0)[:, -1]


class NormedQueryLayer(nn.Module):
    """``q = LN(x)``, ``z = LN(q + W_o attention(q, x, x))``, then ``z + Drop(W_2 relu(Drop(W_1 z)))``, with biases.

    Args:
        dim: width D, inside too.
        num_heads: heads H.
        dropout: on attention weights and after both maps.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(dim, EPS), nn.LayerNorm(dim, EPS)
        self.attention = DotProductAttention(dim, num_heads, dropout, causal=True)
        self.output = nn.Linear(dim, dim)
        self.ffn_in, self.ffn_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.attention.projection.bias)
        nn.init.zeros_(self.output.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, W, D)`` -> ``(B, W, D)``; all positions are keys, padding among them."""
        query = self.attention_norm(tokens)
        projection = self.attention.projection
        projected = torch.cat([projection(query, slice(0, 1)), projection(tokens, slice(1, 3))], -1)
        everything = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        states = self.ffn_norm(query + self.output(self.attention.attend(projected, everything)))
        inner = F.relu(self.dropout(self.ffn_in(states)))
        refined: Tensor = states + self.dropout(self.ffn_out(inner))
        return refined

"""PreNormTrunk: positions and bidirectional pre-norm layers, without a norm at the end (CBiT, MAERec)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqrec.nn.attention import DotProductAttention, SelfAttention
from seqrec.nn.dropout import Dropout
from seqrec.nn.few_rows import look_up
from seqrec.nn.packing import Packing

BuildNorm = Callable[[int], nn.Module]
Activation = Callable[[Tensor], Tensor]


class UnbiasedNorm(nn.Module):
    """``a (x - mean) / (std + eps) + b`` with the unbiased deviation, whose eps is outside of the root.

    Args:
        dim: width D.
        eps: of the deviation.
    """

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` -> ``(..., D)``."""
        deviation, mean = torch.std_mean(x, dim=-1, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) / (deviation + self.eps), self.weight)


class PreNormLayer(nn.Module):
    """``a = x + Drop(W_o attention(N x))``, then ``Drop(a + Drop(W_2 Drop(g(W_1 N a))))``; all maps have biases.

    Args:
        dim, ffn_dim: widths.
        dropout: of all three places.
        attention: without its output projection.
        norm: builds N.
        activation: g.
    """

    def __init__(
        self, dim: int, ffn_dim: int, dropout: float, attention: SelfAttention, norm: BuildNorm, activation: Activation
    ) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = norm(dim), norm(dim)
        self.attention = attention
        self.output = nn.Linear(dim, dim)
        self.ffn_in, self.ffn_out = nn.Linear(dim, ffn_dim), nn.Linear(ffn_dim, dim)
        self.activation = activation
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """``(N, D)`` -> ``(N, D)``, or ``(B, D)`` of the newest items alone, longest history first."""
        own = tokens.index_select(0, packing.newest) if newest else tokens
        return self._refine(own, self.attention(self.attention_norm(tokens), packing, newest))

    def _refine(self, tokens: Tensor, context: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.output(context))
        inner = self.dropout(self.activation(self.ffn_in(self.ffn_norm(tokens))))
        refined: Tensor = self.dropout(tokens + self.dropout(self.ffn_out(inner)))
        return refined


class PreNormTrunk(nn.Module):
    """Bidirectional layers over embedded items, whose newest always has the last position.

    Args:
        dim: width D.
        max_length: longest history, also the number of positions W.
        num_layers, num_heads, ffn_dim: size of the layers.
        dropout: in the layers, on attention weights too.
        embedding_dropout: on items and positions.
        norm: builds the norms.
        activation: of the feed-forward parts.
    """

    def __init__(
        self,
        dim: int,
        max_length: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        embedding_dropout: float,
        norm: BuildNorm,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.max_length = max_length
        self.position = nn.Embedding(max_length, dim)
        self.dropout = Dropout(embedding_dropout)
        self.layers = nn.ModuleList(
            PreNormLayer(
                dim, ffn_dim, dropout, DotProductAttention(dim, num_heads, dropout, causal=False), norm, activation
            )
            for _ in range(num_layers)
        )

    def forward(self, x: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """States ``(N, D)`` of packed embedded items ``(N, D)``.

        With ``newest`` of the newest items alone, ``(B, D)``: the last layer works on them alone.
        """
        tokens = self._embedded(x, packing)
        if not newest:
            return self._through(list(self.layers), tokens, packing)
        *layers, last = self.layers
        return packing.in_batch_order(last(self._through(layers, tokens, packing), packing, newest=True))

    def windows(self, x: Tensor, valid: Tensor) -> Tensor:
        """States at all W positions of left-padded windows; padding attends to items, but nothing attends to padding.

        Args:
            x: ``(B, W, D)`` embedded items and padding.
            valid: ``(B, W)`` bool, False at padding.

        Returns:
            ``(B, W, D)``.
        """
        whole = _WholeWindows(valid)
        tokens = self.dropout(x + self.position.weight).flatten(0, 1)
        return whole.unpack(self._through(list(self.layers), tokens, whole))

    def _through(self, layers: list[nn.Module], tokens: Tensor, packing: Packing) -> Tensor:
        for layer in layers:
            tokens = layer(tokens, packing)
        return tokens

    def _embedded(self, x: Tensor, packing: Packing) -> Tensor:
        """Items and positions: ``(N, D)`` -> ``(N, D)``."""
        valid = packing.valid
        width = valid.shape[1]
        if width > self.max_length:
            raise ValueError(
                f"a history of {width} items does not fit max_length={self.max_length}; keep its newest items or "
                "build the model with a larger max_length"
            )
        place = torch.arange(width, device=valid.device) + self.max_length - valid.sum(1, keepdim=True)
        place = place.clamp(max=self.max_length - 1)  # padding has no position, where a packing holds it at all
        embedded: Tensor = self.dropout(x + look_up(self.position.weight, packing.pack(place)))
        return embedded


class _WholeWindows(Packing):
    """All positions of padded rows in the place of the valid ones: nothing is moved."""

    def __init__(self, valid: Tensor) -> None:
        self.valid = valid

    def unpack(self, x: Tensor) -> Tensor:
        """``(B * W, ...)`` -> ``(B, W, ...)``."""
        return x.unflatten(0, self.valid.shape)

    def by_length(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        most_pairs: int | None = None,
        ratio: float | None = None,
    ) -> Tensor:
        """See :meth:`Packing.by_length`; all rows at a time."""
        return function(self.unpack(x), self.valid).flatten(0, 1)

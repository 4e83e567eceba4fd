"""Self-attention kernels: what a Transformer layer puts between its input and its output projection.

A kernel maps packed tokens ``(N, D)`` to contexts ``(N, D)``, or to those of the newest items alone.
It is built as ``kernel(dim, num_heads, dropout, causal)``; padding is on the right, so a causal kernel needs no key
mask.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.nn.dropout import dropout
from seqrec.nn.packing import Packing


class SelfAttention(nn.Module, ABC):
    """The interface between a Transformer layer and its attention."""

    @abstractmethod
    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """Contexts ``(N, D)`` of tokens ``(N, D)``; with ``newest`` of the newest items alone, ``(B, D)``, longest
        history first."""

    def at(self, tokens: Tensor, packing: Packing, places: Tensor) -> Tensor:
        """Contexts ``(M, D)`` at ``places`` ``(M,)`` among the packed positions; a kernel may have a shorter way."""
        contexts: Tensor = self(tokens, packing)
        return contexts.index_select(0, places)


class Projection(nn.Linear):
    """Several linear maps of width D side by side, of which some may be asked for alone.

    Args:
        dim: width D of the input and of each map.
        maps: how many.
    """

    def __init__(self, dim: int, maps: int) -> None:
        super().__init__(dim, maps * dim)
        self.dim = dim

    def forward(self, x: Tensor, chosen: slice | list[int] | None = None) -> Tensor:
        """``(..., D)`` -> ``(..., n * D)``, all maps or the ``chosen`` ones side by side."""
        if chosen is None:
            return F.linear(x, self.weight, self.bias)
        weight, bias = (_taken(part.unflatten(0, (-1, self.dim)), chosen) for part in (self.weight, self.bias))
        return F.linear(x, weight, bias)


def _taken(maps: Tensor, chosen: slice | list[int]) -> Tensor:
    """Some of ``maps`` ``(n, D, ...)``, one after the other; a list as an index would be copied to a GPU first."""
    return maps[chosen].flatten(0, 1) if isinstance(chosen, slice) else torch.cat([maps[number] for number in chosen])


AttentionKernel = Callable[[int, int, float, bool], SelfAttention]


PAIRS = 1 << 19  # pairs of positions that are processed together on the CPU; the next ones reuse their memory


def visible(valid: Tensor, causal: bool, like: Tensor) -> Tensor:
    """Additive mask, 0 where a query may look and -inf elsewhere, of the type of ``like`` ``(B, H, L, D / H)``.

    ``(L, L)`` if causal, else ``(B * H, 1, L)``.
    """
    if causal:
        length = valid.shape[1]
        blocked = torch.ones(length, length, dtype=torch.bool, device=valid.device).triu(1)
    else:
        blocked = ~valid[:, None, None, :].expand(-1, like.shape[1], 1, -1).flatten(0, 1)
    return torch.zeros(blocked.shape, dtype=like.dtype, device=valid.device).masked_fill_(blocked, -torch.inf)


def biased_scores(bias: Tensor, query: Tensor, key: Tensor, sign: float) -> Tensor:
    """``bias + sign * Q K^T / sqrt(D / H)``, ``(B * H, Q, L)``, of ``(B, H, Q, D / H)`` and ``(B, H, L, D / H)``."""
    scale = sign * query.shape[-1] ** -0.5
    return torch.baddbmm(bias, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), alpha=scale)


class DotProductAttention(SelfAttention):
    """Scaled dot-product attention (Vaswani et al. 2017), heads split the width contiguously.

    Args:
        dim: width D.
        num_heads: heads H; they must divide D.
        dropout: probability of dropping an attention weight.
        causal: a query sees itself and what is older; otherwise all valid positions.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim is {dim}, which {num_heads} heads do not divide; choose a multiple of num_heads")
        self.num_heads, self.dropout, self.causal = num_heads, dropout, causal
        self.projection = Projection(dim, 3)  # query, key, value

    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """See :meth:`SelfAttention.forward`."""
        if not newest:
            return packing.by_length(self.attend, self.projection(tokens), PAIRS if self.training else None)
        query = self.projection(tokens.index_select(0, packing.newest), slice(0, 1))
        return packing.newest_by_length(self.attend_newest, query, self.projection(tokens, slice(1, 3)))

    def attend(self, projected: Tensor, valid: Tensor) -> Tensor:
        """Contexts ``(B, L, D)`` of queries, keys and values ``(B, L, 3 * D)``."""
        query, key, value = projected.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, L, D / H)
        return self._context(query, key, value, valid, self.causal).transpose(1, 2).flatten(2)

    def attend_newest(self, query: Tensor, projected: Tensor, valid: Tensor) -> Tensor:
        """Contexts ``(B, D)`` of queries ``(B, D)`` over keys and values ``(B, L, 2 * D)``."""
        key, value = projected.unflatten(-1, (2, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self._context(query.unflatten(-1, (self.num_heads, 1, -1)), key, value, valid, False).flatten(1)

    def _context(self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor, causal: bool) -> Tensor:
        """Weighted values ``(B, H, Q, D / H)``; keys and values are ``(B, H, L, D / H)``."""
        if self.training and self.dropout > 0 and not query.is_cuda:
            scores = biased_scores(visible(valid, causal, query), query, key, 1.0)
            weights = dropout(torch.softmax(scores, dim=-1), self.dropout, True)
            return (weights @ value.flatten(0, 1)).unflatten(0, query.shape[:2])
        mask = None if causal else valid[:, None, None, :]
        p = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(query, key, value, mask, p, is_causal=causal)

"""Attention as three maps, two products and a softmax.

The maps of queries, keys and values are arranged once, so that heads need no cutting and joining, and scale and signs
are in their weights. The exporter guards its own attention against queries without a key, whose weights would be NaN.
There are none here: a query sees itself, or a history that has an item.

Shapes: H heads, E = D / H entries of a value, E' of a key.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.attention import DotProductAttention, SelfAttention
from seqrec.nn.packing import Packing


class Arranged(SelfAttention):
    """What both forms share.

    Attributes:
        num_heads: H.
        causal: a query sees itself and what is older.
        query, key: ``(H * E', D + 1)``, ``value (D, D + 1)``: weights and, in the last column, biases.
    """

    num_heads: int
    causal: bool
    query: Tensor
    key: Tensor
    value: Tensor

    def arrange(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Keep the maps, ``(H, E' or E, D + 1)``."""
        for name, map_ in {"query": query, "key": key, "value": value}.items():
            self.register_buffer(name, map_.detach().flatten(0, 1).contiguous())

    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """See :meth:`SelfAttention.forward`; packings are dense."""
        rows, width = packing.valid.shape
        query = self._mapped(self.query, tokens[packing.newest] if newest else tokens, rows, 1 if newest else width)
        key, value = (self._mapped(map_, tokens, rows, width) for map_ in (self.key, self.value))
        allowed = older_or_same(packing.valid) if self.causal and not newest else packing.valid[:, None, None]
        scores = query.transpose(1, 2) @ key.permute(0, 2, 3, 1)  # (B, H, Q, L)
        weights = torch.softmax(scores + torch.where(allowed, 0.0, -torch.inf), dim=-1)
        return (weights @ value.transpose(1, 2)).transpose(1, 2).reshape(-1, self.num_heads * value.shape[-1])

    def _mapped(self, map_: Tensor, tokens: Tensor, rows: int, width: int) -> Tensor:
        """Tokens ``(B * L, D)`` -> ``(B, L, H, E' or E)``."""
        return F.linear(tokens, map_[:, :-1], map_[:, -1]).view(rows, width, self.num_heads, -1)


class DotProduct(DotProductAttention, Arranged):
    """See :class:`~seqrec.nn.attention.DotProductAttention`."""

    forward = Arranged.forward

    def make_constants(self, max_length: int) -> None:
        """Arrange the maps."""
        query, key, value = maps(self, 3)
        self.arrange(query * query.shape[1] ** -0.5, key, value)


class Uncertainty(UncertaintyAttention, Arranged):
    """See :class:`~seqrec.methods.easnrec.uncertainty.UncertaintyAttention`; without noise, as in evaluation.

    ``(Q, -Q_p) (K, K_p)^T`` is the penalised score.
    """

    forward = Arranged.forward

    def make_constants(self, max_length: int) -> None:
        """Arrange the maps."""
        query, key, value, penalty_query, penalty_key = maps(self, 5)
        scale = query.shape[1] ** -0.5
        self.arrange(torch.cat([query, -penalty_query], 1) * scale, torch.cat([key, penalty_key], 1), 2.0 * value)


def maps(attention: DotProductAttention | UncertaintyAttention, count: int) -> Tensor:
    """Weights and biases of the maps of an attention, ``(count, H, E, D + 1)``."""
    projection = attention.projection
    joined = torch.cat([projection.weight, projection.bias[:, None]], 1)
    return joined.unflatten(0, (count, attention.num_heads, -1))


def older_or_same(rows: Tensor) -> Tensor:
    """Which keys ``(L, L)`` a causal query sees, of rows ``(B, L)``."""
    place = torch.arange(rows.shape[1], device=rows.device)
    return place <= place[:, None]
